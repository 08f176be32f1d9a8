//! What an import says about itself.

use std::fmt;

use rsr_iati::reader::{FileKind, Finding, ReadError};

use super::keep::Kept;

/// What happened while a file was taken in.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ImportNote<'n> {
    /// Something was found, and what it is about was kept.
    Finding {
        /// The file's name.
        file: &'n str,
        /// What was found.
        finding: &'n Finding,
    },
    /// An activity was skipped.
    Skipped {
        /// The file's name.
        file: &'n str,
        /// Why.
        finding: &'n Finding,
    },
    /// A chunk is in the database.
    Progress {
        /// The file's name.
        file: &'n str,
        /// Activities of the file kept so far.
        kept: u64,
    },
    /// Something was found when the activities were linked.
    Link {
        /// What was found; it has no line.
        finding: &'n Finding,
    },
}

/// What came of one file.
#[derive(Debug)]
#[non_exhaustive]
pub struct FileReport {
    /// The file's name.
    pub file: String,
    /// What it is. Only a file of activities has any, or XML of another kind that has some inside.
    pub kind: FileKind,
    /// Activities begun. `read` = `kept` + `skipped`.
    pub read: u64,
    /// Activities that are in the database now, or on the way to it where
    /// [more is expected](crate::Importer::expect_more), unchanged ones included.
    pub kept: u64,
    /// Activities that are not: broken, without an identifier, older than what is stored.
    pub skipped: u64,
    /// Of the kept ones, those that were in the database as they are.
    pub unchanged: u64,
    /// Things found, all told.
    pub n_findings: u64,
    /// Why the file was not read to its end; what came before is kept.
    pub cut_short: Option<CutShort>,
}

impl FileReport {
    pub(super) fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            kind: FileKind::Other,
            read: 0,
            kept: 0,
            skipped: 0,
            unchanged: 0,
            n_findings: 0,
            cut_short: None,
        }
    }

    /// Adds what a transaction keeps.
    pub(super) fn take(&mut self, kept: &Kept) {
        self.kept = self
            .kept
            .saturating_add(kept.kept)
            .saturating_sub(kept.replaced_here);
        self.unchanged += kept.unchanged;
    }
}

/// Why a file was not read to its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum CutShort {
    /// It cannot be read on, or strict reading stopped.
    Unreadable(ReadError),
    /// The cancel flag was raised.
    Cancelled {
        /// The line that was reached.
        line: u64,
    },
}

impl fmt::Display for CutShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::Cancelled { line } => write!(f, "cancelled at line {line}"),
        }
    }
}

/// What linking came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkReport {
    /// Projects whose parent changed.
    pub n_moved: u64,
    /// Indicators that newly take after one of the parent project.
    pub n_indicators_matched: u64,
    /// Periods that newly take after one of the parent project.
    pub n_periods_matched: u64,
    /// Projects that no root leads to, since parent links go round in a circle.
    pub n_in_cycles: u64,
    /// Periods that were queued for aggregation.
    pub n_queued: u64,
    /// Things found, all told.
    pub n_findings: u64,
}
