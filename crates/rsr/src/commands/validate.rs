//! `rsr validate iati`: schema, codelists and rules over files, in one pass each.

use std::io::{self, BufWriter, Seek, Write};
use std::num::NonZero;
use std::thread::available_parallelism;

use rsr_iati::report::{JsonReport, Severity, TextReport, explain};
use rsr_iati::validate::{Group, Options, Summary, validate_parallel};
use serde_json::json;
use tempfile::SpooledTempFile;

use crate::cli::{Validate, ValidateIati};
use crate::commands::files::{Input, Stoppable, inputs};
use crate::commands::side_by_side::side_by_side;
use crate::context::{Context, IatiWork};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Format, Out};
use crate::progress::Progress;

/// Bytes of a report that wait in memory.
const HELD_BYTES_MAX: usize = 64 << 10;

/// Checks files, or explains a code.
pub(crate) fn run(context: &Context, which: &Validate) -> Outcome {
    let Validate::Iati(flags) = which;
    context.accept(&[Format::Text, Format::Json])?;
    if let Some(code) = &flags.explain {
        return explained(context, code);
    }
    let inputs = inputs(&flags.paths)?;
    let length: Option<u64> = inputs.iter().map(Input::length).sum();
    let progress = Progress::bytes(length, context.is_quiet);
    let mut total = Total::default();
    let mut out = Out::new();
    if let [only] = &inputs[..] {
        // Its findings are shown as they are found.
        let n_threads = available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        let checked = one(context, flags, only, n_threads, &progress, &mut out)?;
        total.take(context, only, &checked, &progress)?;
    } else {
        many(context, flags, &inputs, &progress, &mut out, &mut total)?;
    }
    progress.end();
    out.flush()?;
    let work = IatiWork {
        operation: "validate",
        n_good: total.n_good,
        n_bad: total.n_bad,
        n_bytes: progress.n_done(),
    };
    context.count(&work, None);
    if !total.cut_short.is_empty() {
        let message = format!(
            "cannot be read to the end, what came before is checked: {}",
            total.cut_short.join(", ")
        );
        return Err(Failure::new(Exit::PartWay, message));
    }
    out.end(if total.n_invalid == 0 {
        Exit::Done
    } else {
        Exit::Problems
    })
}

/// Checks files on all cores. Each report waits in memory, or in a temporary file where it is long, for those before it.
fn many(
    context: &Context,
    flags: &ValidateIati,
    inputs: &[Input],
    progress: &Progress,
    out: &mut Out,
    total: &mut Total,
) -> Result<(), Failure> {
    let n_workers = available_parallelism().map_or(1, usize::from);
    let work = |input: &Input| -> Result<(Checked, SpooledTempFile), Failure> {
        let mut report = SpooledTempFile::new(HELD_BYTES_MAX);
        let out = BufWriter::new(&mut report);
        let checked = one(context, flags, input, NonZero::<usize>::MIN, progress, out)?;
        Ok((checked, report))
    };
    side_by_side(inputs, n_workers, &work, &mut |input, done| {
        let (checked, mut report) = done?;
        report
            .rewind()
            .and_then(|()| io::copy(&mut report, out))
            .map_err(cannot_write)?;
        out.flush()?;
        total.take(context, input, &checked, progress)?;
        if context.interrupt.is_raised() {
            return Err(Failure::new(
                Exit::PartWay,
                format_args!(
                    "stopped: {} of {} files are checked",
                    total.n_checked,
                    inputs.len()
                ),
            ));
        }
        Ok(())
    })
}

/// What came of one file.
#[derive(Debug)]
struct Checked {
    summary: Summary,
    /// Activities or organisations with errors.
    n_bad: u64,
}

/// What came of all files.
#[derive(Debug, Default)]
struct Total {
    n_checked: usize,
    n_invalid: usize,
    n_good: u64,
    n_bad: u64,
    cut_short: Vec<String>,
}

impl Total {
    fn take(
        &mut self,
        context: &Context,
        input: &Input,
        checked: &Checked,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let summary = &checked.summary;
        if context.interrupt.is_raised() && summary.is_cut_short {
            return Err(Failure::new(
                Exit::PartWay,
                format_args!(
                    "stopped in {}: {} files before it are checked",
                    input.name(),
                    self.n_checked
                ),
            ));
        }
        self.n_checked += 1;
        self.n_bad += checked.n_bad;
        self.n_good += summary.n_subjects.saturating_sub(checked.n_bad);
        self.n_invalid += usize::from(!summary.is_valid());
        if summary.is_cut_short {
            self.cut_short.push(input.name());
        }
        if !context.is_quiet && !context.is_json() {
            progress.note(&verdict(&input.name(), summary));
        }
        Ok(())
    }
}

fn one(
    context: &Context,
    flags: &ValidateIati,
    input: &Input,
    n_threads: NonZero<usize>,
    progress: &Progress,
    mut out: impl Write,
) -> Result<Checked, Failure> {
    let name = input.name();
    progress.about(name.clone());
    let source = Stoppable::new(progress.read(input.open()?), &context.interrupt);
    let mut options = Options::default();
    if flags.schema_only {
        options.codelists = false;
        options.rules = None;
        options.duplicates = false;
    }
    let mut n_bad = 0;
    let mut count = |group: &Group| {
        let errors = group.findings.iter();
        let mut errors = errors.filter(|finding| finding.severity > Severity::Warning);
        n_bad += u64::from(errors.next().is_some());
    };
    let (summary, written) = if context.is_json() {
        let mut report = JsonReport::new(&mut out).about(name);
        let summary = validate_parallel(source, &options, n_threads, &mut |group| {
            count(&group);
            report.group(&group);
        });
        let written = report.finish(&summary).map(drop);
        (summary, written)
    } else {
        let mut report = TextReport::new(&mut out, name);
        let summary = validate_parallel(source, &options, n_threads, &mut |group| {
            count(&group);
            report.group(&group);
        });
        let written = report.finish().map(drop);
        (summary, written)
    };
    written.and_then(|()| out.flush()).map_err(cannot_write)?;
    Ok(Checked { summary, n_bad })
}

fn cannot_write(error: io::Error) -> Failure {
    Failure::of(Exit::PartWay, error).context("a report cannot be written")
}

fn verdict(name: &str, summary: &Summary) -> String {
    let word = if summary.is_valid() {
        "valid"
    } else {
        "not valid"
    };
    format!(
        "{name}: {word}: {} activities or organisations, {} critical, {} errors, {} warnings",
        summary.n_subjects, summary.n_critical, summary.n_error, summary.n_warning
    )
}

fn explained(context: &Context, code: &str) -> Outcome {
    let Some(text) = explain(code) else {
        return Err(Failure::new(
            Exit::Usage,
            format_args!(
                "no finding has the code {code:?}: take one from the output of `rsr validate iati`"
            ),
        ));
    };
    let mut out = Out::new();
    if context.is_json() {
        out.json(&json!({"code": code, "text": text.trim_end()}))?;
        return out.end(Exit::Done);
    }
    out.write_all(text.trim_end().as_bytes()).map_err(|error| {
        Failure::of(Exit::PartWay, error).context("standard output cannot be written")
    })?;
    out.line("")?;
    out.end(Exit::Done)
}
