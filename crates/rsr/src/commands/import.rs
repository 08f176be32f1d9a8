//! `rsr import iati`: files of activities into the database.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;

use rsr_iati::reader::{FileKind, Finding, Severity};
use rsr_store::{CutShort, FileReport, ImportNote, Importer, LinkReport};
use serde_json::json;

use crate::cli::{Import, ImportIati};
use crate::commands::files::{Input, inputs};
use crate::context::{Context, IatiWork};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format, Out};
use crate::progress::Progress;

/// A file after which the one before it is told of, at the latest: larger ones wait for that.
const SMALL_BYTES: u64 = 16 << 20;

/// Findings of severity error that are shown of one file without `-v`.
const SHOWN_MAX: u64 = 10;

/// Takes all files in, then links them.
pub(crate) fn run(context: &Context, which: &Import) -> Outcome {
    let Import::Iati(flags) = which;
    context.accept(&[Format::Text, Format::Json])?;
    let inputs = inputs(&flags.paths)?;
    let store = context.store()?;
    let mut importer = store.importer(&context.settings().iati)?;
    let cancel = context.interrupt.flag();
    let mut out = Out::new();
    let mut total = Total::default();
    let mut waiting = VecDeque::new();
    for (nth, input) in inputs.iter().enumerate() {
        let next = inputs.get(nth + 1).and_then(Input::length);
        importer.expect_more(next.is_some_and(|n_bytes| n_bytes <= SMALL_BYTES));
        let taken = match one(context, flags, input, &mut importer, &cancel) {
            Ok(taken) => taken,
            Err(failure) => {
                // What is wrong with a file before it came first.
                let failure = importer.settle().err().map_or(failure, Failure::from);
                told(context, &mut out, &importer, &mut total, &mut waiting)?;
                out.flush()?;
                return Err(cut_off(failure, &inputs[..=nth], &total));
            }
        };
        let is_cut = taken.report.cut_short.is_some();
        let is_cancelled = matches!(taken.report.cut_short, Some(CutShort::Cancelled { .. }));
        waiting.push_back(taken);
        told(context, &mut out, &importer, &mut total, &mut waiting)?;
        if is_cancelled || flags.strict && is_cut {
            break;
        }
    }
    let settled = importer.settle();
    told(context, &mut out, &importer, &mut total, &mut waiting)?;
    if let Err(error) = settled {
        out.flush()?;
        let n_taken = total.n_files + waiting.len();
        return Err(cut_off(error.into(), &inputs[..n_taken], &total));
    }
    let work = IatiWork {
        operation: "import",
        n_good: total.n_kept,
        n_bad: total.n_skipped,
        n_bytes: total.n_bytes,
    };
    context.count(&work, Some(&store));
    let links = link(context, importer)?;
    if !context.is_json() {
        out.line(format_args!("{total}; {}", found(&links)))?;
    }
    out.flush()?;
    end(total, inputs.len())
}

/// Tells of the files that are in the database by now.
fn told(
    context: &Context,
    out: &mut Out,
    importer: &Importer,
    total: &mut Total,
    waiting: &mut VecDeque<Taken>,
) -> Result<(), Failure> {
    while total.n_files < importer.n_files_kept()
        && let Some(taken) = waiting.pop_front()
    {
        print(context, out, &taken.report)?;
        total.add(&taken);
    }
    Ok(())
}

/// What ended an import, while the last of these files was taken in.
fn cut_off(failure: Failure, inputs: &[Input], total: &Total) -> Failure {
    let (n_kept, n_files) = (total.n_kept, total.n_files);
    let names = match inputs.get(n_files..).unwrap_or_default() {
        [first, .., last] => format!("{} to {}", first.name(), last.name()),
        [one] => one.name(),
        [] => inputs.last().map_or_else(String::new, Input::name),
    };
    failure.context(format_args!(
        "{names}: the import ended here; {n_kept} activities of {n_files} files before it had been stored, and maybe \
         chunks of what is named: free the cause and run the same command again"
    ))
}

fn one(
    context: &Context,
    flags: &ImportIati,
    input: &Input,
    importer: &mut Importer,
    cancel: &AtomicBool,
) -> Result<Taken, Failure> {
    let name = input.name();
    let progress = Progress::bytes(input.length(), context.is_quiet);
    progress.about(name.clone());
    let source = progress.read(input.open()?);
    let mut n_errors = 0;
    let report = importer.file(
        &name,
        source,
        flags.strict,
        cancel,
        &mut |note| match note {
            ImportNote::Skipped { file, finding } => {
                progress.note(&format!("{file}:{finding}{}: skipped", of(finding)));
            }
            ImportNote::Finding { file, finding } => {
                let is_error = finding.severity == Severity::Error;
                n_errors += u64::from(is_error);
                if context.is_verbose() || (is_error && n_errors <= SHOWN_MAX && !context.is_quiet)
                {
                    progress.note(&format!("{file}:{finding}{}", of(finding)));
                }
            }
            _ => {}
        },
    );
    if n_errors > SHOWN_MAX && !context.is_verbose() && !context.is_quiet {
        progress.note(&format!(
            "{name}: {} errors more, -v lists all",
            n_errors - SHOWN_MAX
        ));
    }
    progress.end();
    let report = report?;
    if let Some(reason) = &report.cut_short {
        output::note(format_args!("{name}: cut short: {}", whole(reason)));
    }
    Ok(Taken {
        report,
        n_bytes: progress.n_done(),
    })
}

/// The activity a finding is about.
fn of(finding: &Finding) -> String {
    finding
        .identifier
        .as_ref()
        .map_or_else(String::new, |identifier| format!(" in {identifier}"))
}

/// A reason with the cause below it, which says the line.
fn whole(reason: &CutShort) -> String {
    let mut text = reason.to_string();
    let CutShort::Unreadable(error) = reason else {
        return text;
    };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

fn print(context: &Context, out: &mut Out, report: &FileReport) -> Result<(), Failure> {
    if context.is_json() {
        out.json(&json!({
            "file": report.file,
            "read": report.read,
            "kept": report.kept,
            "skipped": report.skipped,
            "findings": report.n_findings,
            "cut_short": report.cut_short.is_some(),
        }))?;
    } else {
        let cut_short = if report.cut_short.is_some() {
            ", cut short"
        } else {
            ""
        };
        out.line(format_args!(
            "{}: {} read, {} kept ({} unchanged), {} skipped, {} findings{cut_short}",
            report.file,
            report.read,
            report.kept,
            report.unchanged,
            report.skipped,
            report.n_findings
        ))?;
    }
    // A person watches file by file; so may a program.
    out.flush()
}

fn link(context: &Context, importer: Importer) -> Result<LinkReport, Failure> {
    let links = importer.finish(&mut |note| {
        if let ImportNote::Link { finding } = note
            && context.is_verbose()
        {
            output::note(format_args!(
                "{}: {}{}",
                finding.code,
                finding.message,
                of(finding)
            ));
        }
    });
    links.map_err(|error| {
        Failure::from(error)
            .context("the activities are in the database, but are not linked: run the import again")
    })
}

fn found(links: &LinkReport) -> String {
    format!(
        "{} projects moved under a parent, {} indicators and {} periods matched with the parent's, {} findings of links",
        links.n_moved, links.n_indicators_matched, links.n_periods_matched, links.n_findings
    )
}

/// A file that was taken in.
#[derive(Debug)]
struct Taken {
    report: FileReport,
    n_bytes: u64,
}

#[derive(Debug, Default)]
struct Total {
    n_files: usize,
    n_kept: u64,
    n_skipped: u64,
    n_bytes: u64,
    cut_short: Vec<String>,
    /// What is said of each file that was read to its end and has no activity.
    without: Vec<String>,
    is_cancelled: bool,
}

impl Total {
    fn add(&mut self, Taken { report, n_bytes }: &Taken) {
        self.n_bytes += n_bytes;
        self.n_files += 1;
        self.n_kept += report.kept;
        self.n_skipped += report.skipped;
        if report.cut_short.is_some() {
            self.cut_short.push(report.file.clone());
        } else if report.read == 0 {
            self.without.push(nothing_in(report));
        }
        self.is_cancelled |= matches!(report.cut_short, Some(CutShort::Cancelled { .. }));
    }
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} files: {} kept, {} skipped",
            self.n_files, self.n_kept, self.n_skipped
        )
    }
}

/// What a file without activities is, and what to do with it.
fn nothing_in(report: &FileReport) -> String {
    let what = match report.kind {
        FileKind::Organisations => {
            "is an organisation file, which holds no activities: `rsr validate iati` and `rsr iati upgrade` take it"
        }
        FileKind::Activities => "holds no activity: see that it is the file that was meant",
        FileKind::Other => "is no IATI file and holds no activity: name files of activities",
    };
    format!("{} {what}", report.file)
}

fn end(mut total: Total, n_files: usize) -> Outcome {
    if total.is_cancelled {
        return Err(Failure::new(
            Exit::PartWay,
            format_args!(
                "stopped: {} activities of {} files are in the database, {} files were not read; the same command goes on",
                total.n_kept,
                total.n_files,
                n_files - total.n_files
            ),
        ));
    }
    if total.n_kept + total.n_skipped > 0 || !total.cut_short.is_empty() {
        for line in &total.without {
            output::note(format_args!("{line}"));
        }
    } else if let Some(last) = total.without.pop() {
        // There was nothing to do at all, so what was named cannot be what was meant.
        for line in &total.without {
            output::note(format_args!("{line}"));
        }
        return Err(Failure::new(Exit::Usage, last));
    }
    if total.cut_short.is_empty() {
        return Ok(Exit::Done);
    }
    Err(Failure::new(
        Exit::PartWay,
        format_args!(
            "{} of {n_files} files cut short, what came before the cut is kept: {}; mend them and import them again, nothing is stored twice",
            total.cut_short.len(),
            total.cut_short.join(", ")
        ),
    ))
}
