//! `rsr iati upgrade`: activities of any version as 2.03.
//!
//! Reading brings an activity up to 2.03 element by element; what is left to do is to put the elements in order, to leave
//! out those that are not valid, and to say so.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::io;

use rsr_base::ByteSize;
use rsr_iati::export::{
    ActivitySource, ExportError, ExportNote, ExportOptions, ExportSummary, export, export_to_file,
};
use rsr_iati::model::{ActivityElement, ActivityHead, DateTime, ElementKind};
use rsr_iati::reader::{ActivityReader, Event, Finding, ReadError, Severity};
use rsr_iati::schema::FragmentChecker;
use rsr_iati::writer::{Gaps, WriteError};
use serde_json::{Map, Value, json};

use super::flags::Between;
use super::source::{Source, options, sources};
use super::target::{self, check_target, is_gzip};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::iati::ordered::Ordered;
use crate::iati::tally::Tally;
use crate::output::{self, Out};
use crate::progress::Progress;

/// Lines about single findings that are shown without `-v`.
const SHOWN_MAX: u64 = 20;

/// What upgraded files may be like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Numbered files where one would be too large for the registry.
    pub(super) is_split: bool,
    /// Activities and elements that lack what 2.03 asks for, with their gaps.
    pub(super) keeps_gaps: bool,
}

pub(super) fn run(context: &Context, between: &Between, wanted: Wanted) -> Outcome {
    super::check_json(context, between)?;
    let sources = sources(context, &between.paths)?;
    if let Some(target) = &between.output {
        check_target(target)?;
    }
    let report = RefCell::new(Report::new(context));
    let options = export_options(context, between, wanted, &sources);
    let mut upgraded = Upgraded {
        context,
        sources: sources.iter().cloned().collect(),
        at: None,
        ordered: Ordered::default(),
        checker: FragmentChecker::new(),
        report: &report,
        keeps_gaps: wanted.keeps_gaps,
    };
    let mut note = |note: ExportNote| report.borrow_mut().omission(&note);
    let done = match &between.output {
        Some(target) => export_to_file(&mut upgraded, target, &options, &mut note),
        None => {
            let mut out = Out::new();
            let done = export(&mut upgraded, &mut out, &options, &mut note);
            out.flush()?;
            done
        }
    };
    let n_read = upgraded
        .at
        .as_ref()
        .map_or(0, |at| at.reader.counts().n_read);
    if let Some(at) = &upgraded.at {
        at.progress.end();
    }
    let mut report = report.into_inner();
    report.n_read += n_read;
    let summary = done.map_err(|error| failed(context, error))?;
    if summary.n_activities == 0 {
        return Err(Failure::new(
            Exit::Usage,
            format_args!(
                "none of {} activities can be written as 2.03: nothing was written",
                report.n_read
            ),
        ));
    }
    report.print(between, &summary)
}

fn export_options(
    context: &Context,
    between: &Between,
    wanted: Wanted,
    sources: &[Source],
) -> ExportOptions {
    let mut options = ExportOptions::from(&context.settings().iati);
    options.gzip = is_gzip(between.gzip, between.output.as_deref());
    if !wanted.is_split {
        options.split = ByteSize::MAX;
    }
    if wanted.keeps_gaps {
        options.file.gaps = Gaps::Write;
    }
    for (prefix, namespace) in sources.iter().flat_map(|source| &source.head.namespaces) {
        let known = &mut options.file.namespaces;
        // One prefix has one meaning on the root; others are declared where they are used.
        if !known.iter().any(|(other, _)| other == prefix) {
            known.push((prefix.clone(), namespace.clone()));
        }
    }
    if let [only] = sources {
        let generated = only.head.generated.as_deref().map(DateTime::new);
        options.file.generated = generated.filter(|moment| moment.value().is_some());
        options
            .file
            .linked_data_default
            .clone_from(&only.head.linked_data_default);
    }
    options
}

/// Why upgrading ended.
#[derive(Debug, thiserror::Error)]
enum UpgradeError {
    #[error("{file} cannot be read on, nothing was written: repair it, or leave it out")]
    Read {
        file: String,
        #[source]
        error: ReadError,
    },
    #[error("{file} cannot be read")]
    Open {
        file: String,
        #[source]
        error: io::Error,
    },
    #[error("a large activity cannot wait in the folder for temporary files (TMPDIR)")]
    Temporary(#[source] io::Error),
}

fn failed(context: &Context, error: ExportError<UpgradeError>) -> Failure {
    if context.interrupt.is_raised() {
        return Failure::new(Exit::PartWay, "stopped: nothing was written");
    }
    match error {
        ExportError::Source(error @ UpgradeError::Open { .. }) => Failure::of(Exit::Usage, error),
        ExportError::Source(error) => Failure::of(Exit::PartWay, error),
        ExportError::File { error, .. } => target::cannot_write(error),
        ExportError::Write(WriteError::Io(error)) => target::cannot_write(error),
        other => Failure::of(Exit::PartWay, other),
    }
}

/// The activities of several files, each in the order of 2.03.
struct Upgraded<'c, 'r> {
    context: &'c Context,
    sources: VecDeque<Source>,
    at: Option<At<'c>>,
    ordered: Ordered,
    checker: FragmentChecker,
    keeps_gaps: bool,
    report: &'r RefCell<Report<'c>>,
}

/// The file at hand.
struct At<'c> {
    name: String,
    reader: ActivityReader<'c>,
    progress: Progress,
}

impl Upgraded<'_, '_> {
    /// The next event of all files; `None` after the last one.
    fn next_event(&mut self) -> Result<Option<Event>, UpgradeError> {
        loop {
            let Some(at) = &mut self.at else {
                let Some(source) = self.sources.pop_front() else {
                    return Ok(None);
                };
                self.at = Some(begin(self.context, &source)?);
                continue;
            };
            let event = at.reader.next_event();
            for finding in at.reader.take_findings() {
                self.report.borrow_mut().finding(&at.name, &finding);
            }
            let event = event.map_err(|error| UpgradeError::Read {
                file: at.name.clone(),
                error,
            })?;
            if event.is_some() {
                return Ok(event);
            }
            if self.sources.is_empty() {
                return Ok(None);
            }
            at.progress.end();
            self.report.borrow_mut().n_read += at.reader.counts().n_read;
            self.at = None;
        }
    }

    /// Takes in an element, or says why it has no place.
    fn take(&mut self, element: ActivityElement) -> Result<(), UpgradeError> {
        let kind = element.kind();
        // Reading told of it where it stood.
        if kind == ElementKind::Unknown {
            self.report.borrow_mut().elements.add(element.name());
            return Ok(());
        }
        let xml = element.to_xml();
        let mut objection = None;
        if kind != ElementKind::Extension && !self.keeps_gaps {
            objection = self.checker.objection(&element, &xml);
        }
        match objection {
            None => self
                .ordered
                .push(element, xml)
                .map_err(UpgradeError::Temporary),
            Some(reason) => {
                self.report.borrow_mut().element(element.name(), &reason);
                Ok(())
            }
        }
    }
}

fn begin<'c>(context: &'c Context, source: &Source) -> Result<At<'c>, UpgradeError> {
    let name = source.name();
    let progress = source.progress(context);
    let opened = source.open(context).map_err(|error| UpgradeError::Open {
        file: name.clone(),
        error,
    })?;
    let reader = ActivityReader::with_options(progress.read(opened), &options(context));
    Ok(At {
        name,
        reader,
        progress,
    })
}

impl ActivitySource for Upgraded<'_, '_> {
    type Error = UpgradeError;

    fn next_activity(&mut self) -> Result<Option<ActivityHead>, UpgradeError> {
        let mut open = None;
        loop {
            match self.next_event()? {
                None => return Ok(None),
                Some(Event::ActivityStart(head, _)) => {
                    self.ordered.clear();
                    self.report.borrow_mut().identifier = None;
                    open = Some(head);
                }
                Some(Event::Element(element, _)) => {
                    if let ActivityElement::Identifier(identifier) = &element {
                        let identifier = identifier.identifier().to_owned();
                        self.report
                            .borrow_mut()
                            .identifier
                            .get_or_insert(identifier);
                    }
                    self.take(element)?;
                }
                Some(Event::ActivityEnd) => return Ok(open),
                Some(Event::ActivitySkipped(finding)) => {
                    let name = self.at.as_ref().map_or("", |at| &at.name);
                    self.report.borrow_mut().skipped(name, &finding);
                    self.ordered.clear();
                    open = None;
                }
            }
        }
    }

    fn next_element(&mut self) -> Result<Option<ActivityElement>, UpgradeError> {
        self.ordered.pop().map_err(UpgradeError::Temporary)
    }
}

/// What could not be carried over, told as it is found and counted for the end.
struct Report<'c> {
    context: &'c Context,
    n_read: u64,
    n_skipped: u64,
    n_lines: u64,
    /// What reading found, by code: moved, changed, or without a place in 2.03.
    findings: Tally,
    /// Elements left out, by name.
    elements: Tally,
    /// Of the activity at hand.
    identifier: Option<String>,
}

impl<'c> Report<'c> {
    fn new(context: &'c Context) -> Self {
        Self {
            context,
            n_read: 0,
            n_skipped: 0,
            n_lines: 0,
            findings: Tally::default(),
            elements: Tally::default(),
            identifier: None,
        }
    }

    fn line(&mut self, text: fmt::Arguments<'_>) {
        self.n_lines += 1;
        if self.context.is_verbose() || (self.n_lines <= SHOWN_MAX && !self.context.is_quiet) {
            output::note(text);
        }
    }

    fn finding(&mut self, file: &str, finding: &Finding) {
        self.findings.add_many(&finding.code, finding.count);
        if finding.severity > Severity::Note {
            let of = finding.identifier.as_deref().filter(|of| !of.is_empty());
            let of = of.map(|of| format!(" in {of}")).unwrap_or_default();
            self.line(format_args!("{file}:{finding}{of}"));
        }
    }

    fn skipped(&mut self, file: &str, finding: &Finding) {
        self.n_skipped += 1;
        output::note(format_args!("{file}:{finding}"));
    }

    fn element(&mut self, name: &str, reason: &dyn fmt::Display) {
        self.elements.add(name);
        let identifier = self.identifier.clone().unwrap_or_default();
        self.line(format_args!(
            "left out <{name}> of {identifier:?}: {reason}"
        ));
    }

    fn omission(&mut self, note: &ExportNote) {
        match note {
            ExportNote::ActivityOmitted { identifier, reason } => {
                let identifier = identifier.as_deref().unwrap_or_default();
                self.line(format_args!("left out activity {identifier:?}: {reason}"));
            }
            ExportNote::ElementOmitted {
                element, reason, ..
            } => self.element(element, reason),
            other => self.line(format_args!("{other:?}")),
        }
    }

    fn print(&self, between: &Between, summary: &ExportSummary) -> Outcome {
        let hidden = self.n_lines.saturating_sub(SHOWN_MAX);
        if hidden > 0 && !self.context.is_verbose() && !self.context.is_quiet {
            output::note(format_args!("{hidden} lines more, -v shows all"));
        }
        if between.output.is_none() {
            for line in self.lines(summary) {
                output::note(format_args!("{line}"));
            }
            return Ok(Exit::Done);
        }
        let mut out = Out::new();
        if self.context.is_json() {
            out.json(&self.json(summary))?;
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
        for line in self.lines(summary) {
            out.line(line)?;
        }
        out.end(Exit::Done)
    }

    fn lines(&self, summary: &ExportSummary) -> Vec<String> {
        let listed = |tally: &Tally| {
            let all: Vec<String> = tally
                .top(usize::MAX)
                .iter()
                .map(|(name, n)| format!("{n} × {name}"))
                .collect();
            match all.is_empty() {
                true => "none".to_owned(),
                false => all.join(", "),
            }
        };
        vec![
            format!(
                "{} of {} activities written as 2.03, {} left out, {} unreadable",
                summary.n_activities, self.n_read, summary.n_activities_omitted, self.n_skipped
            ),
            format!("elements left out: {}", listed(&self.elements)),
            format!("parts of elements left out: {}", summary.n_parts_omitted),
            format!("found on the way: {}", listed(&self.findings)),
        ]
    }

    fn json(&self, summary: &ExportSummary) -> Value {
        let object = |tally: &Tally| -> Map<String, Value> {
            tally
                .iter()
                .map(|(name, n)| (name.to_owned(), json!(n)))
                .collect()
        };
        let files: Vec<_> = summary
            .files
            .iter()
            .map(|file| {
                json!({
                    "file": file.path.display().to_string(), "activities": file.n_activities,
                    "bytes": file.size.bytes(),
                })
            })
            .collect();
        json!({
            "read": self.n_read,
            "written": summary.n_activities,
            "left_out": summary.n_activities_omitted,
            "skipped": self.n_skipped,
            "elements_left_out": object(&self.elements),
            "parts_left_out": summary.n_parts_omitted,
            "characters_replaced": summary.n_characters_replaced,
            "findings": object(&self.findings),
            "files": files,
        })
    }
}
