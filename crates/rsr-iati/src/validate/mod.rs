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

mod identifiers;
mod outlet;
mod parallel;
mod run;
mod source;
mod subject;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::sync::Arc;

use crate::report::Finding;
use crate::rules::{self, Ruleset};
use crate::schema::{FileKind, Version};
use crate::xml::Reader;

pub use parallel::validate_parallel;

use outlet::Outlet;
use run::Run;

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
    /// Whether an identifier that stands twice in the file is found. It takes 7 MB from some thousand activities on, and
    /// stops at a million.
    pub duplicates: bool,
    /// Findings kept for one activity, of 4 MiB at most. More are counted, not kept. 10,000.
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
    validate_any(Reader::new(&mut input as &mut dyn Read), options, sink)
}

fn validate_any(
    mut reader: Reader<&mut dyn Read>,
    options: &Options,
    sink: &mut dyn FnMut(Group),
) -> Summary {
    let mut outlet = Outlet::new(options, sink);
    let mut run = Run::new(options);
    run.read_to_end_of_input(&mut reader, usize::MAX, &mut |ended| outlet.activity(ended));
    let (open, file, summary) = run.finish();
    outlet.part(Vec::new(), file, &summary);
    outlet.finish(open)
}
