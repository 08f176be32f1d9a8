//! Where the program's words go.
#![expect(
    clippy::print_stderr,
    reason = "this module is how the program talks to people"
)]

use std::fmt;
use std::io::{self, Write};

use serde_json::Value;

use crate::exit::{Exit, Failure};

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs: JSON alone on standard output.
    Json,
    /// Tab-separated columns with a header line.
    Tsv,
    /// One page to look at or mail around.
    Html,
}

/// Says something to the person, on standard error.
pub(crate) fn note(message: fmt::Arguments<'_>) {
    eprintln!("{message}");
}

/// Standard output, buffered. Whoever stops reading ends the program quietly.
pub(crate) struct Out {
    sink: io::BufWriter<io::StdoutLock<'static>>,
}

impl Out {
    /// Takes standard output.
    pub(crate) fn new() -> Self {
        Self {
            sink: io::BufWriter::new(io::stdout().lock()),
        }
    }

    /// Prints one line.
    pub(crate) fn line(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        writeln!(self.sink, "{text}").map_err(failed)
    }

    /// Prints a text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.sink.write_all(text.as_bytes()).map_err(failed)
    }

    /// Prints one JSON value on a line.
    pub(crate) fn json(&mut self, value: &Value) -> Result<(), Failure> {
        self.line(value)
    }

    /// Sends what is buffered.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.sink.flush().map_err(failed)
    }

    /// Sends what is buffered and answers with `exit`.
    pub(crate) fn end(mut self, exit: Exit) -> Result<Exit, Failure> {
        self.flush()?;
        Ok(exit)
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sink.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

fn failed(error: io::Error) -> Failure {
    Failure::of(Exit::PartWay, error).context("standard output cannot be written")
}
