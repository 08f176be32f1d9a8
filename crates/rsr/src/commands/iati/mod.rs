//! `rsr iati`: files of activities cut, joined, sieved, brought up to 2.03 and counted. No database is needed.

mod filter;
mod flags;
mod merge;
mod source;
mod split;
mod stats;
mod target;
mod upgrade;

pub(crate) use flags::Iati;
pub(crate) use target::check_target;

use rsr_iati::lossless::{LosslessError, RawReader, Tally};
use rsr_iati::xml;
use serde_json::json;

use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format, Out};
use flags::Between;
use target::Written;

/// Does what was asked for.
pub(crate) fn run(context: &Context, which: &Iati) -> Outcome {
    context.accept(&[Format::Text, Format::Json])?;
    match which {
        Iati::Split(flags) => split::run(context, flags),
        Iati::Merge(flags) => merge::run(context, flags),
        Iati::Filter(flags) => filter::run(context, flags),
        Iati::Upgrade(flags) => {
            let wanted = upgrade::Wanted {
                is_split: !flags.no_split,
                keeps_gaps: flags.keep_gaps,
            };
            upgrade::run(context, &flags.between, wanted)
        }
        Iati::Stats(flags) => stats::run(context, flags),
    }
}

/// A failure of passing on the activities of an input.
fn lossless(context: &Context, error: LosslessError, file: &str) -> Failure {
    match error {
        LosslessError::Xml(error) => unreadable(context, error, file),
        LosslessError::Io(error) => target::cannot_write(error),
        other => {
            Failure::of(Exit::Usage, other).context(format_args!("{file} cannot join the others"))
        }
    }
}

/// An input that cannot be read on.
fn unreadable(context: &Context, error: xml::Error, file: &str) -> Failure {
    if context.interrupt.is_raised() {
        return Failure::new(
            Exit::PartWay,
            format_args!("stopped in {file}: nothing was written"),
        );
    }
    let line = error.position.line;
    Failure::of(Exit::PartWay, error).context(format_args!(
        "{file}:{line}: cannot be read on, nothing was written: repair it, or leave it out"
    ))
}

/// Says what was passed on, once it has its name.
fn passed_on(context: &Context, tally: &Tally, written: &Written) -> Outcome {
    tell_replaced(tally);
    let Written::File { path, n_bytes } = written else {
        return Ok(Exit::Done);
    };
    let mut out = Out::new();
    if context.is_json() {
        out.json(&json!({
            "read": tally.n_read,
            "written": tally.n_written,
            "characters_replaced": tally.n_notices,
            "file": path.display().to_string(),
            "bytes": n_bytes,
        }))?;
    } else {
        out.line(format_args!(
            "{}: {} of {} activities, {n_bytes} bytes",
            path.display(),
            tally.n_written,
            tally.n_read
        ))?;
    }
    out.end(Exit::Done)
}

/// Refuses JSON where standard output holds the file.
fn check_json(context: &Context, between: &Between) -> Result<(), Failure> {
    match context.is_json() && between.output.is_none() {
        true => Err(Failure::new(
            Exit::Usage,
            "--json: standard output holds the file, add -o FILE",
        )),
        false => Ok(()),
    }
}

/// How much of what was read since the last call, from `offset` on, could not be passed on as it was.
fn n_replaced<R: std::io::Read>(reader: &mut RawReader<R>, offset: u64) -> u64 {
    let notices = reader.take_notices();
    let here = notices
        .iter()
        .filter(|notice| notice.position.offset >= offset);
    here.map(|notice| notice.count).sum()
}

/// Says how much of what was passed on is not as it was.
fn tell_replaced(tally: &Tally) {
    if tally.n_notices > 0 {
        output::note(format_args!(
            "{} characters or references that XML forbids were replaced",
            tally.n_notices
        ));
    }
}
