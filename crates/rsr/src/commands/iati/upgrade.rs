//! `rsr iati upgrade`: activities of any version as 2.03, or organisations.
//!
//! Reading brings an activity up to 2.03 element by element; what is left to do is to put the elements in order, to leave
//! out those that are not valid, and to say so.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::Path;

use rsr_base::ByteSize;
use rsr_iati::export::{
    ActivitySource, ExportError, ExportNote, ExportOptions, ExportSummary, OrganisationSource,
    export, export_organisations, export_organisations_to_file, export_to_file,
};
use rsr_iati::model::{
    ActivityElement, ActivityHead, DateTime, OrganisationElement, OrganisationHead,
};
use rsr_iati::reader::{Finding, ReadError, Severity};
use rsr_iati::schema::FragmentChecker;
use rsr_iati::writer::{Gaps, WriteError};
use serde_json::{Map, Value, json};

use super::flags::Between;
use super::source::{Kind, Source, options, sources_of_one_kind};
use super::target::{self, check_target, is_gzip};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::iati::ordered::Ordered;
use crate::iati::subject::{Reading as _, Standing, Step, Subject};
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
    let (sources, kind) = sources_of_one_kind(context, &between.paths)?;
    if let Some(target) = &between.output {
        check_target(target)?;
    }
    match kind {
        Kind::Activities => write::<ActivityElement>(
            context,
            between,
            wanted,
            &sources,
            |upgraded, to| match to {
                To::File(target, options, note) => export_to_file(upgraded, target, options, note),
                To::Stream(out, options, note) => export(upgraded, out, options, note),
            },
        ),
        Kind::Organisations => write::<OrganisationElement>(
            context,
            between,
            wanted,
            &sources,
            |upgraded, to| match to {
                To::File(target, options, note) => {
                    export_organisations_to_file(upgraded, target, options, note)
                }
                To::Stream(out, options, note) => {
                    export_organisations(upgraded, out, options, note)
                }
            },
        ),
    }
}

/// Where upgraded files go.
enum To<'t> {
    File(&'t Path, &'t ExportOptions, &'t mut dyn FnMut(ExportNote)),
    Stream(
        &'t mut Out,
        &'t ExportOptions,
        &'t mut dyn FnMut(ExportNote),
    ),
}

type Exported = Result<ExportSummary, ExportError<UpgradeError>>;

/// Has all that the files hold written by `way`, and says what came of it.
fn write<E: Subject>(
    context: &Context,
    between: &Between,
    wanted: Wanted,
    sources: &[Source],
    way: impl FnOnce(&mut Upgraded<'_, '_, E>, To<'_>) -> Exported,
) -> Outcome {
    let report = RefCell::new(Report::new::<E>(context));
    let options = export_options(context, between, wanted, sources);
    let mut upgraded = Upgraded::<E> {
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
        Some(target) => way(&mut upgraded, To::File(target, &options, &mut note)),
        None => {
            let mut out = Out::new();
            let done = way(&mut upgraded, To::Stream(&mut out, &options, &mut note));
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
                "none of {} {} can be written as 2.03: nothing was written",
                report.n_read,
                E::MANY
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

/// The activities or organisations of several files, each in the order of 2.03.
struct Upgraded<'c, 'r, E: Subject> {
    context: &'c Context,
    sources: VecDeque<Source>,
    at: Option<At<'c, E>>,
    ordered: Ordered<E>,
    checker: FragmentChecker,
    keeps_gaps: bool,
    report: &'r RefCell<Report<'c>>,
}

/// The file at hand.
struct At<'c, E: Subject> {
    name: String,
    reader: E::Reader<'c>,
    progress: Progress,
}

impl<E: Subject> Upgraded<'_, '_, E> {
    /// Goes on to the next one that can be read to its end, and gives its attributes; its elements wait in order.
    fn next_subject(&mut self) -> Result<Option<E::Head>, UpgradeError> {
        let mut open = None;
        loop {
            match self.next_step()? {
                None => return Ok(None),
                Some(Step::Start(head)) => {
                    self.ordered.clear();
                    self.report.borrow_mut().identifier = None;
                    open = Some(head);
                }
                Some(Step::Element(element)) => {
                    if let Some(identifier) = element.identifier() {
                        self.report
                            .borrow_mut()
                            .identifier
                            .get_or_insert_with(|| identifier.to_owned());
                    }
                    self.take(element)?;
                }
                Some(Step::End) => return Ok(open),
                Some(Step::Skipped(finding)) => {
                    let name = self.at.as_ref().map_or("", |at| &at.name);
                    self.report.borrow_mut().skipped(name, &finding);
                    self.ordered.clear();
                    open = None;
                }
            }
        }
    }

    /// The next step of all files; `None` after the last one.
    fn next_step(&mut self) -> Result<Option<Step<E>>, UpgradeError> {
        loop {
            let Some(at) = &mut self.at else {
                let Some(source) = self.sources.pop_front() else {
                    return Ok(None);
                };
                self.at = Some(begin(self.context, &source)?);
                continue;
            };
            let step = at.reader.next_step();
            for finding in at.reader.take_findings() {
                self.report.borrow_mut().finding(&at.name, &finding);
            }
            let step = step.map_err(|error| UpgradeError::Read {
                file: at.name.clone(),
                error,
            })?;
            if step.is_some() {
                return Ok(step);
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
    fn take(&mut self, element: E) -> Result<(), UpgradeError> {
        let standing = element.standing();
        // Reading told of it where it stood.
        if standing == Standing::Unknown {
            self.report.borrow_mut().elements.add(element.name());
            return Ok(());
        }
        let xml = element.to_xml();
        let mut objection = None;
        if standing == Standing::Named && !self.keeps_gaps {
            objection = element.objection(&mut self.checker, &xml);
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

fn begin<'c, E: Subject>(context: &'c Context, source: &Source) -> Result<At<'c, E>, UpgradeError> {
    let name = source.name();
    let progress = source.progress(context);
    let opened = source.open(context).map_err(|error| UpgradeError::Open {
        file: name.clone(),
        error,
    })?;
    let reader = E::reader(progress.read(opened), &options(context));
    Ok(At {
        name,
        reader,
        progress,
    })
}

impl ActivitySource for Upgraded<'_, '_, ActivityElement> {
    type Error = UpgradeError;

    fn next_activity(&mut self) -> Result<Option<ActivityHead>, UpgradeError> {
        self.next_subject()
    }

    fn next_element(&mut self) -> Result<Option<ActivityElement>, UpgradeError> {
        self.ordered.pop().map_err(UpgradeError::Temporary)
    }
}

impl OrganisationSource for Upgraded<'_, '_, OrganisationElement> {
    type Error = UpgradeError;

    fn next_organisation(&mut self) -> Result<Option<OrganisationHead>, UpgradeError> {
        self.next_subject()
    }

    fn next_element(&mut self) -> Result<Option<OrganisationElement>, UpgradeError> {
        self.ordered.pop().map_err(UpgradeError::Temporary)
    }
}

/// What could not be carried over, told as it is found and counted for the end.
struct Report<'c> {
    context: &'c Context,
    /// Activities or organisations.
    many: &'static str,
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
    fn new<E: Subject>(context: &'c Context) -> Self {
        Self {
            context,
            many: E::MANY,
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
                self.line(format_args!("left out {identifier:?}: {reason}"));
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
                "{}: {} {}, {} bytes",
                file.path.display(),
                file.n_activities,
                self.many,
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
                "{} of {} {} written as 2.03, {} left out, {} unreadable",
                summary.n_activities,
                self.n_read,
                self.many,
                summary.n_activities_omitted,
                self.n_skipped
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
                    "file": file.path.display().to_string(), self.many: file.n_activities,
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
