//! `rsr memory profile`: a heap profile as text, picture, JSON or pprof.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use rsr_base::{ByteSize, read_text_at_most};
use rsr_monitoring::{HeapDump, NamedProfile};
use rsr_service::naming;

use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Out;

/// Longest profile that is read from standard input.
const INPUT_MAX: ByteSize = ByteSize::from_mib(256);

/// Functions of a table.
const ROWS: usize = 40;

#[derive(Args, Clone, Debug)]
pub(crate) struct Profile {
    /// The profile, as `start-profiling` and `stop-profiling` leave it; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What to make of it
    #[arg(
        long = "as",
        value_enum,
        default_value = "summary",
        value_name = "FORM"
    )]
    form: Form,
    /// An earlier profile: show only what is more than then
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// The file to write; without it, standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Totals and the five largest stacks
    Summary,
    /// The functions that hold most
    Table,
    /// The call tree
    Tree,
    /// A flame graph
    Svg,
    /// For Go's pprof, Pyroscope, Parca
    Pprof,
    /// Every stack
    Json,
}

pub(super) fn run(context: &Context, flags: &Profile) -> Outcome {
    let mut profile = named(&flags.file)?;
    if let Some(base) = &flags.base {
        profile = profile.against(&named(base)?);
    }
    let form = if context.is_json() {
        Form::Json
    } else {
        flags.form
    };
    let mut bytes = Vec::new();
    match form {
        Form::Summary => bytes.extend(profile.to_summary().bytes()),
        Form::Table => bytes.extend(profile.to_table(ROWS).bytes()),
        Form::Tree => bytes.extend(profile.to_tree().bytes()),
        Form::Svg => bytes.extend(profile.to_svg("Heap by call stack").bytes()),
        Form::Json => bytes.extend((naming::to_json(&profile) + "\n").bytes()),
        Form::Pprof => profile
            .write_pprof(&mut bytes)
            .expect("a Vec takes whatever is written to it"),
    }
    if let Some(path) = &flags.output {
        super::report::write_file(path, &bytes)?;
        return Ok(Exit::Done);
    }
    let mut out = Out::new();
    out.write_all(&bytes).map_err(|error| {
        Failure::of(Exit::PartWay, error).context("standard output cannot be written")
    })?;
    out.end(Exit::Done)
}

fn named(path: &Path) -> Result<NamedProfile, Failure> {
    let name = path.display();
    let dump = if path == Path::new("-") {
        let text = read_text_at_most(io::stdin(), INPUT_MAX).map_err(|error| {
            Failure::of(Exit::Usage, error).context("standard input cannot be read")
        })?;
        HeapDump::parse(&text)
    } else {
        HeapDump::read(path)
    };
    let dump = dump.map_err(|error| {
        Failure::of(Exit::Usage, error).context(format_args!("{name} is no heap profile"))
    })?;
    Ok(dump.name())
}
