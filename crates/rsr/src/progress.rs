//! Progress of long work, on a terminal alone.

use std::io::{self, IsTerminal, Read};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error; nothing at all where that is no terminal, or the person wants quiet.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Progress through this many bytes; of unknown length with `None`.
    pub(crate) fn bytes(length: Option<u64>, is_quiet: bool) -> Self {
        let template = match length {
            Some(_) => "{msg:40!} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            None => "{msg:40!} {spinner} {bytes} {bytes_per_sec}",
        };
        Self::new(length, template, is_quiet)
    }

    /// Progress through things that are counted.
    pub(crate) fn items(is_quiet: bool) -> Self {
        Self::new(None, "{msg} {spinner} {human_pos} {per_sec}", is_quiet)
    }

    fn new(length: Option<u64>, template: &str, is_quiet: bool) -> Self {
        if is_quiet || !io::stderr().is_terminal() {
            return Self {
                bar: ProgressBar::hidden(),
            };
        }
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
        // A template that does not parse would only cost the looks.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Says what is being worked on.
    pub(crate) fn about(&self, message: impl Into<String>) {
        self.bar.set_message(message.into());
    }

    /// Moves on.
    pub(crate) fn add(&self, n: u64) {
        self.bar.inc(n);
    }

    /// How far it is.
    pub(crate) fn n_done(&self) -> u64 {
        self.bar.position()
    }

    /// Says something without tearing the bar.
    pub(crate) fn note(&self, message: &str) {
        if self.bar.is_hidden() {
            crate::output::note(format_args!("{message}"));
        } else {
            self.bar.println(message);
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// A reader that moves the bar on as it is read.
    pub(crate) fn read<R: Read + Send>(&self, source: R) -> impl Read + Send + use<R> {
        self.bar.wrap_read(source)
    }
}
