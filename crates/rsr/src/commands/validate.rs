//! `rsr validate iati`: schema, codelists and rules over files, in one pass each.

use std::io::Write as _;

use rsr_iati::report::{JsonReport, Severity, TextReport, explain};
use rsr_iati::validate::{Group, Options, Summary, validate};
use serde_json::json;

use crate::cli::{Validate, ValidateIati};
use crate::commands::files::{Input, Stoppable, inputs};
use crate::context::{Context, IatiWork};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format, Out};
use crate::progress::Progress;

/// Checks files, or explains a code.
pub(crate) fn run(context: &Context, which: &Validate) -> Outcome {
    let Validate::Iati(flags) = which;
    context.accept(&[Format::Text, Format::Json])?;
    if let Some(code) = &flags.explain {
        return explained(context, code);
    }
    let inputs = inputs(&flags.paths)?;
    let mut out = Out::new();
    let (mut n_invalid, mut cut_short) = (0, Vec::new());
    let mut work = IatiWork {
        operation: "validate",
        n_good: 0,
        n_bad: 0,
        n_bytes: 0,
    };
    for (n_checked, input) in inputs.iter().enumerate() {
        let summary = one(context, flags, input, &mut out, &mut work)?;
        out.flush()?;
        if context.interrupt.is_raised() {
            return Err(Failure::new(
                Exit::PartWay,
                format_args!(
                    "stopped in {}: {n_checked} files before it are checked, {} are not",
                    input.name(),
                    inputs.len() - n_checked
                ),
            ));
        }
        n_invalid += usize::from(!summary.is_valid());
        if summary.is_cut_short {
            cut_short.push(input.name());
        }
    }
    context.count(&work, None);
    if !cut_short.is_empty() {
        let message = format!(
            "cannot be read to the end, what came before is checked: {}",
            cut_short.join(", ")
        );
        return Err(Failure::new(Exit::PartWay, message));
    }
    out.end(if n_invalid == 0 {
        Exit::Done
    } else {
        Exit::Problems
    })
}

fn one(
    context: &Context,
    flags: &ValidateIati,
    input: &Input,
    out: &mut Out,
    work: &mut IatiWork,
) -> Result<Summary, Failure> {
    let name = input.name();
    let progress = Progress::bytes(input.length(), context.is_quiet);
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
        let mut report = JsonReport::new(&mut *out).about(name.clone());
        let summary = validate(source, &options, &mut |group| {
            count(&group);
            report.group(&group);
        });
        let written = report.finish(&summary).map(drop);
        (summary, written)
    } else {
        let mut report = TextReport::new(&mut *out, name.clone());
        let summary = validate(source, &options, &mut |group| {
            count(&group);
            report.group(&group);
        });
        let written = report.finish().map(drop);
        (summary, written)
    };
    progress.end();
    work.n_bytes += progress.n_done();
    work.n_bad += n_bad;
    work.n_good += summary.n_subjects.saturating_sub(n_bad);
    written.map_err(|error| {
        Failure::of(Exit::PartWay, error).context("standard output cannot be written")
    })?;
    if !context.is_quiet && !context.is_json() {
        out.flush()?;
        output::note(format_args!("{}", verdict(&name, &summary)));
    }
    Ok(summary)
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
