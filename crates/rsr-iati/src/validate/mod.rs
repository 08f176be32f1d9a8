//! Everything that can be checked about a file, in one reading of it.
//!
//! [`validate`] reads a file once, in constant memory, and gives what it finds activity by activity.
//!
//! ```
//! use rsr_iati::validate::{Options, validate};
//!
//! let file = br#"<iati-activities version="2.03"><iati-activity><iati-identifier>X-1</iati-identifier></iati-activity></iati-activities>"#;
//! let mut lines = Vec::new();
//! let summary = validate(&file[..], &Options::default(), &mut |group| {
//!     lines.extend(group.findings.iter().map(|finding| format!("{}: {finding}", group.identifier)));
//! });
//! assert!(!summary.is_valid());
//! assert!(lines[0].starts_with("X-1: 1: critical schema-missing-element iati-activity lacks reporting-org"));
//! ```

mod subject;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Read;
use std::sync::Arc;

use crate::codelists;
use crate::report::{Finding, Severity};
use crate::rules::{self, Ruleset};
use crate::schema::{self, Checker, FileKind, StartTag, Version};
use crate::xml::{NoticeKind, Reader, Token};

use subject::{Subject, Watch};

/// What is checked, and how much is kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The version whose schema counts; `None`: the one that the file names.
    pub version: Option<Version>,
    /// Whether codes are held against the codelists; files before 2.01 are not, whose lists were others.
    pub codelists: bool,
    /// What the standard's rules are held against; `None`: they are not asked. They are made for 2.01 and later.
    pub rules: Option<rules::Context>,
    /// The ruleset; by default the standard's own.
    pub ruleset: Option<Arc<Ruleset>>,
    /// Whether an identifier that stands twice in the file is found. It takes eight bytes an activity, and stops at a
    /// million.
    pub duplicates: bool,
    /// Findings kept for one activity. More are counted, not kept. 10,000.
    pub findings_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            version: None,
            codelists: true,
            rules: Some(rules::Context::default()),
            ruleset: None,
            duplicates: true,
            findings_max: 10_000,
        }
    }
}

/// The findings of one activity or organisation, or (the last group) of the file itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// The activity's identifier, empty where it has none; "file" for the file itself.
    pub identifier: String,
    /// The activity's first title, or the organisation's first name.
    pub title: String,
    /// What was found, in the order it was found in: by line, save that a missing element is found at its parent's end.
    pub findings: Vec<Finding>,
    /// Findings that were counted and not kept.
    pub n_left_out: u64,
}

/// The whole in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Findings of severity critical.
    pub n_critical: u64,
    /// Findings of severity error.
    pub n_error: u64,
    /// Findings of severity warning.
    pub n_warning: u64,
    /// Activities or organisations seen.
    pub n_subjects: u64,
    /// The kind of file, where the root told it.
    pub kind: Option<FileKind>,
    /// The version it was checked against.
    pub version: Option<Version>,
    /// Reading ended before the end of the file.
    pub is_cut_short: bool,
}

impl Summary {
    /// Whether nothing critical was found, which is what makes a file valid.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.n_critical == 0
    }
}

/// Checks one file and shows `sink` the findings, group by group as activities end; groups without findings are not shown.
///
/// Trouble with the file itself, broken XML and unreadable input among it, is a finding too: there is always an answer.
/// Memory: that of a [`Reader`], the findings of one activity, and what the rules gather of one activity.
pub fn validate<R: Read>(mut input: R, options: &Options, sink: &mut dyn FnMut(Group)) -> Summary {
    // One kind of input, so that this crate's own build has all of the code in one piece.
    validate_any(&mut input, options, sink)
}

fn validate_any(input: &mut dyn Read, options: &Options, sink: &mut dyn FnMut(Group)) -> Summary {
    let mut reader = Reader::new(input);
    let mut run = Run {
        checker: Checker::new(options.version),
        rules: options.rules.as_ref().map(|context| {
            rules::Checker::new(
                options.ruleset.as_deref().unwrap_or(Ruleset::standard()),
                context,
            )
        }),
        identifiers: options.duplicates.then(HashSet::new),
        codes: options.codelists.then(codelists::Checker::new),
        watch: Watch::default(),
        findings: Gathered {
            max: options.findings_max,
            ..Gathered::default()
        },
        file_findings: Gathered {
            max: options.findings_max,
            ..Gathered::default()
        },
        summary: Summary::default(),
    };
    loop {
        match reader.advance() {
            Ok(Token::Done) => break,
            Ok(token) => run.token(token, &mut reader, sink),
            Err(error) => {
                run.summary.is_cut_short = true;
                let finding = schema::Code::NotWellFormed.at(
                    error.kind.to_string(),
                    reader.path(),
                    error.position.line,
                );
                run.file_findings.add(finding, &mut run.summary);
                break;
            }
        }
    }
    run.finish(sink)
}

/// Identifiers that are remembered to find a second one.
const IDENTIFIERS_MAX: usize = 1_000_000;

struct Run<'o> {
    checker: Checker,
    codes: Option<codelists::Checker>,
    rules: Option<rules::Checker<'o>>,
    /// Hashes of the identifiers so far.
    identifiers: Option<HashSet<u64>>,
    watch: Watch,
    findings: Gathered,
    file_findings: Gathered,
    summary: Summary,
}

impl Run<'_> {
    fn token<R: Read>(
        &mut self,
        token: Token,
        reader: &mut Reader<R>,
        sink: &mut dyn FnMut(Group),
    ) {
        if reader.has_notices() {
            self.notices(reader);
        }
        let tag = (token == Token::Start).then(|| StartTag::of(reader));
        if let Some(tag) = tag {
            self.watch.start(reader, tag.line);
        }
        let gathered = if self.watch.is_inside() {
            &mut self.findings
        } else {
            &mut self.file_findings
        };
        let summary = &mut self.summary;
        let mut sink_of_all = |finding| gathered.add(finding, summary);
        let found: &mut dyn FnMut(Finding) = &mut sink_of_all;
        let mut ended = None;
        match (token, tag) {
            (_, Some(tag)) => {
                self.checker.start(reader, tag, found);
                // The root decides what else is asked.
                if reader.depth() == 1 && !is_second(&self.checker) {
                    (self.codes, self.rules) = (None, None);
                }
                if let Some(codes) = &mut self.codes {
                    codes.start(reader, tag, found);
                }
                if let Some(rules) = &mut self.rules {
                    rules.start(reader, tag);
                }
            }
            (Token::Text, _) => {
                self.watch.text(reader);
                self.checker.text(reader, found);
                if let Some(codes) = &mut self.codes {
                    codes.text(reader);
                }
                if let Some(rules) = &mut self.rules {
                    rules.text(reader);
                }
            }
            (Token::End, _) => {
                self.checker.end(reader, found);
                if let Some(codes) = &mut self.codes {
                    codes.end(reader, found);
                }
                if let Some(rules) = &mut self.rules {
                    rules.end(reader, found);
                }
                ended = self.watch.end(reader);
            }
            (Token::Start | Token::Done, _) => {}
        }
        if let Some(subject) = ended {
            self.summary.n_subjects += 1;
            self.duplicate(&subject, reader);
            if let Some(group) = self.findings.take(subject.identifier, subject.title) {
                sink(group);
            }
        }
    }

    /// **Source:** rule 1.1.2 of the official validator.
    fn duplicate<R: Read>(&mut self, subject: &Subject, reader: &Reader<R>) {
        let Some(known) = self
            .identifiers
            .as_mut()
            .filter(|_| !subject.identifier.is_empty())
        else {
            return;
        };
        let mut hasher = DefaultHasher::new();
        subject.identifier.hash(&mut hasher);
        if known.len() < IDENTIFIERS_MAX && known.insert(hasher.finish())
            || known.len() >= IDENTIFIERS_MAX
        {
            return;
        }
        let finding = Finding {
            code: Cow::Borrowed("1.1.2"),
            severity: Severity::Error,
            category: Cow::Borrowed("identifiers"),
            message: format!(
                "the identifier {} stands for more than one activity of the file",
                subject.identifier
            ),
            path: reader.path(),
            line: subject.line,
            codelist: None,
        };
        self.findings.add(finding, &mut self.summary);
    }

    fn notices<R: Read>(&mut self, reader: &mut Reader<R>) {
        let path = reader.path();
        for notice in reader.take_notices() {
            let mut path = path.clone();
            if let NoticeKind::PassedOver { element, .. } = &notice.kind {
                path.push('/');
                path.push_str(element);
                let is_subject = matches!(&**element, "iati-activity" | "iati-organisation");
                self.summary.n_subjects += u64::from(is_subject && !self.watch.is_inside());
            }
            let finding = Finding {
                code: Cow::Borrowed(notice.kind.code()),
                severity: severity_of(&notice.kind),
                category: Cow::Borrowed("iati"),
                message: notice.kind.to_string(),
                path,
                line: notice.position.line,
                codelist: None,
            };
            let gathered = if self.watch.is_inside() {
                &mut self.findings
            } else {
                &mut self.file_findings
            };
            gathered.add(finding, &mut self.summary);
        }
    }

    fn finish(mut self, sink: &mut dyn FnMut(Group)) -> Summary {
        self.summary.kind = self.checker.kind();
        self.summary.version = self.checker.version();
        // An activity that the end of the input cut off.
        let subject = self.watch.take_open();
        if let Some(group) = self.findings.take(subject.identifier, subject.title) {
            sink(group);
        }
        if let Some(group) = self
            .file_findings
            .take("file".to_owned(), "File level errors".to_owned())
        {
            sink(group);
        }
        self.summary
    }
}

/// Whether the file is of a version that the codelists and rules are made for.
fn is_second(checker: &Checker) -> bool {
    checker
        .version()
        .is_some_and(|version| version >= Version::V201)
}

/// A plain XML reader stops at most of what our reader survives, so a file with it is not valid.
fn severity_of(kind: &NoticeKind) -> Severity {
    match kind {
        NoticeKind::Doctype => Severity::Warning,
        NoticeKind::UndeclaredPrefix(_) => Severity::Error,
        _ => Severity::Critical,
    }
}

#[derive(Debug, Default)]
struct Gathered {
    findings: Vec<Finding>,
    n_left_out: u64,
    max: usize,
}

impl Gathered {
    fn add(&mut self, finding: Finding, summary: &mut Summary) {
        match finding.severity {
            Severity::Critical => summary.n_critical += 1,
            Severity::Error => summary.n_error += 1,
            Severity::Warning => summary.n_warning += 1,
        }
        if self.findings.len() < self.max {
            self.findings.push(finding);
        } else {
            self.n_left_out += 1;
        }
    }

    fn take(&mut self, identifier: String, title: String) -> Option<Group> {
        let findings = std::mem::take(&mut self.findings);
        let n_left_out = std::mem::take(&mut self.n_left_out);
        (!findings.is_empty() || n_left_out > 0).then_some(Group {
            identifier,
            title,
            findings,
            n_left_out,
        })
    }
}
