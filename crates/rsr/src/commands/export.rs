//! `rsr export iati`: IATI 2.03 out of the database.

use std::cell::Cell;
use std::io;

use rsr_base::{ByteSize, ProjectId};
use rsr_iati::export::{
    ActivitySource, ExportError, ExportNote, ExportOptions, ExportSummary, export, export_to_file,
};
use rsr_iati::model::{ActivityElement, ActivityHead};
use rsr_iati::writer::WriteError;
use rsr_store::{ActivityFilter, Omission};
use serde_json::json;

use crate::cli::{Export, ExportIati};
use crate::commands::iati::check_target;
use crate::context::{Context, IatiWork};
use crate::exit::{Exit, Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::output::{Format, Out};
use crate::progress::Progress;

/// Writes what was asked for, to a file or to standard output.
pub(crate) fn run(context: &Context, which: &Export) -> Outcome {
    let Export::Iati(flags) = which;
    context.accept(&[Format::Text, Format::Json])?;
    if context.is_json() && flags.output.is_none() {
        return Err(Failure::new(
            Exit::Usage,
            "--json: standard output holds the export, add -o FILE",
        ));
    }
    let filter = ActivityFilter {
        reporting_ref: flags.reporting_org.clone(),
        project: flags.project.map(ProjectId),
        visible_to: None,
    };
    if let Some(target) = &flags.output {
        check_target(target)?;
    }
    let store = context.existing_store()?;
    let snapshot = store.snapshot()?;
    if let Some(id) = filter.project {
        snapshot.project(id)?;
    }
    let progress = Progress::items(context.is_quiet || flags.output.is_none());
    let n_omitted = Cell::new(0_u64);
    let mut omit = |omission: Omission<'_>| {
        n_omitted.set(n_omitted.get() + 1);
        progress.note(&omitted(&omission));
    };
    let activities = snapshot.activities(
        &filter,
        context.settings().iati.export_chunk_size,
        &mut omit,
    );
    let mut source = Watched {
        source: activities,
        interrupt: &context.interrupt,
        progress: &progress,
    };
    let mut note = |note| progress.note(&told(&note));
    let options = options(context, flags);
    let mut n_streamed = 0;
    let done = match &flags.output {
        Some(target) => export_to_file(&mut source, target, &options, &mut note),
        None => {
            let mut out = CountedOut {
                out: Out::new(),
                n_bytes: 0,
            };
            let done = export(&mut source, &mut out, &options, &mut note);
            out.out.flush()?;
            n_streamed = out.n_bytes;
            done
        }
    };
    progress.end();
    let mut summary = done.map_err(|error| failed(error, flags))?;
    summary.n_elements_omitted += n_omitted.get();
    let work = IatiWork {
        operation: "export",
        n_good: summary.n_activities,
        n_bad: summary.n_activities_omitted,
        n_bytes: n_bytes(&summary, n_streamed),
    };
    context.count(&work, Some(&store));
    finish(context, flags, &summary)
}

/// Bytes before compression; of a compressed stream, those that came out.
fn n_bytes(summary: &ExportSummary, n_streamed: u64) -> u64 {
    let files = summary.files.iter().map(|file| file.size.bytes());
    files.sum::<u64>() + n_streamed
}

/// Standard output, with its bytes counted.
struct CountedOut {
    out: Out,
    n_bytes: u64,
}

impl io::Write for CountedOut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.n_bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::Write::flush(&mut self.out)
    }
}

/// An element that is stored and has no place in a valid activity, on a line.
fn omitted(omission: &Omission<'_>) -> String {
    let activity = omission
        .identifier
        .map_or_else(|| format!("project {}", omission.project), str::to_owned);
    format!(
        "left out <{}> of {activity}: {}",
        omission.element, omission.reason
    )
}

fn options(context: &Context, flags: &ExportIati) -> ExportOptions {
    let mut options = ExportOptions::from(&context.settings().iati);
    options.gzip = flags.gzip
        || flags
            .output
            .as_ref()
            .is_some_and(|path| path.extension().is_some_and(|e| e == "gz"));
    if flags.no_split {
        options.split = ByteSize::MAX;
    }
    options
}

/// What could not be written validly, on a line.
fn told(note: &ExportNote) -> String {
    let name = |identifier: &Option<String>| {
        identifier
            .clone()
            .unwrap_or_else(|| "an activity without identifier".into())
    };
    match note {
        ExportNote::ActivityOmitted { identifier, reason } => {
            format!("left out {}: {reason}", name(identifier))
        }
        ExportNote::ElementOmitted {
            identifier,
            element,
            reason,
        } => {
            format!("left out <{element}> of {}: {reason}", name(identifier))
        }
        ExportNote::FileTooLarge { identifier, size } => {
            format!(
                "{} alone makes a file of {size}, more than the registry takes",
                name(identifier)
            )
        }
        other => format!("{other:?}"),
    }
}

/// Why there is nothing to write: nothing is there, nothing matches, or nothing is valid.
fn nothing(flags: &ExportIati, summary: &ExportSummary) -> Failure {
    let n_invalid = summary.n_activities_omitted;
    if n_invalid > 0 {
        return Failure::new(
            Exit::Problems,
            format_args!(
                "none of {n_invalid} activities has what 2.03 asks for: nothing was written, the lines above say what is missing"
            ),
        );
    }
    let message = match &flags.reporting_org {
        Some(reference) => {
            format!(
                "no activity is reported by {reference:?}: nothing was written, check the reference"
            )
        }
        None => {
            "the database holds no activity: nothing was written, `rsr import iati` brings some in"
                .to_owned()
        }
    };
    Failure::new(Exit::Usage, message)
}

fn finish(context: &Context, flags: &ExportIati, summary: &ExportSummary) -> Outcome {
    if summary.n_activities == 0 {
        return Err(nothing(flags, summary));
    }
    if flags.output.is_none() {
        return Ok(Exit::Done);
    }
    let mut out = Out::new();
    if context.is_json() {
        let files: Vec<_> = summary
            .files
            .iter()
            .map(|file| json!({"file": file.path.display().to_string(), "activities": file.n_activities, "bytes": file.size.bytes()}))
            .collect();
        out.json(&json!({
            "activities": summary.n_activities,
            "activities_omitted": summary.n_activities_omitted,
            "elements_omitted": summary.n_elements_omitted,
            "parts_omitted": summary.n_parts_omitted,
            "characters_replaced": summary.n_characters_replaced,
            "files": files,
        }))?;
        return out.end(Exit::Done);
    }
    for file in &summary.files {
        out.line(format_args!(
            "{}: {} activities, {} bytes",
            file.path.display(),
            file.n_activities,
            file.size.bytes()
        ))?;
    }
    out.line(format_args!(
        "{} activities written, {} left out; {} elements and {} parts of elements left out",
        summary.n_activities,
        summary.n_activities_omitted,
        summary.n_elements_omitted,
        summary.n_parts_omitted
    ))?;
    out.end(Exit::Done)
}

fn failed(error: ExportError<rsr_store::Error>, flags: &ExportIati) -> Failure {
    let target = flags.output.as_ref().map_or_else(
        || "standard output".to_owned(),
        |path| path.display().to_string(),
    );
    match error {
        ExportError::Source(rsr_store::Error::Cancelled) => Failure::new(
            Exit::PartWay,
            format_args!("stopped: {target} was not written"),
        ),
        ExportError::Source(error) => error.into(),
        ExportError::File { error, .. } if error.kind() == io::ErrorKind::NotFound => Failure::new(
            Exit::Usage,
            format_args!("{target} cannot be written: its folder does not exist, make it first"),
        ),
        ExportError::Write(WriteError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Failure::new(
                Exit::PartWay,
                "whoever read standard output went away; the export is not whole",
            )
        }
        other => {
            Failure::of(Exit::PartWay, other).context(format_args!("{target} was not written"))
        }
    }
}

/// A source that stops at Ctrl-C, and shows how far it is.
struct Watched<'a, S> {
    source: S,
    interrupt: &'a Interrupt,
    progress: &'a Progress,
}

impl<S: ActivitySource<Error = rsr_store::Error>> ActivitySource for Watched<'_, S> {
    type Error = rsr_store::Error;

    fn next_activity(&mut self) -> Result<Option<ActivityHead>, Self::Error> {
        if self.interrupt.is_raised() {
            return Err(rsr_store::Error::Cancelled);
        }
        self.progress.add(1);
        self.source.next_activity()
    }

    fn next_element(&mut self) -> Result<Option<ActivityElement>, Self::Error> {
        self.source.next_element()
    }
}
