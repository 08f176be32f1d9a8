//! What reading finds and survives.

use std::fmt;
use std::io::Read;

use crate::xml::{Notice, NoticeKind, Position, Reader};

/// How bad a finding of reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is lost: something was moved to its place in 2.03, or is worth knowing.
    Note,
    /// Something has no place in 2.03 and will be missing from an export.
    Warning,
    /// The file breaks a rule; what it says is kept as written.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Something that reading found and survived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A name that stays the same between releases.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is, for a person.
    pub message: String,
    /// The elements down to the one it is about: `iati-activities/iati-activity/title`.
    pub path: String,
    /// Where in the file.
    pub position: Position,
    /// Of the activity, once it is known.
    pub identifier: Option<String>,
    /// How often: the same trouble at the same path of one activity is told a few times and then counted.
    pub count: u64,
}

/// `line: severity code message (path)`; whoever knows the file writes its name and a colon before it.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} {} {}",
            self.position.line, self.severity, self.code, self.message
        )?;
        if !self.path.is_empty() {
            write!(f, " ({})", self.path)?;
        }
        if self.count > 1 {
            write!(f, " and {} more like it", self.count - 1)?;
        }
        Ok(())
    }
}

/// How often the same trouble is told before it is only counted.
const TOLD_MAX: usize = 4;

/// How many findings are held until they are taken.
const HELD_MAX: usize = 256;

/// Findings on their way to whoever reads.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    held: Vec<Finding>,
    /// All there ever were, the counted ones included.
    pub(crate) n_total: u64,
    /// Of the activity at hand.
    pub(crate) identifier: Option<String>,
    /// Put before each path: where the reader of a fragment stands in the file.
    pub(crate) base: Option<(String, Position)>,
}

impl Findings {
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(crate) fn take(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.held)
    }

    /// The first finding of severity error that was not taken.
    pub(crate) fn first_error(&self) -> Option<&Finding> {
        self.held
            .iter()
            .find(|finding| finding.severity == Severity::Error)
    }

    pub(crate) fn make<R: Read>(
        &self,
        xml: &Reader<R>,
        severity: Severity,
        code: &'static str,
        message: &str,
    ) -> Finding {
        let (path, position) = match &self.base {
            None => (xml.path(), xml.position()),
            Some((base, position)) => (format!("{base}/{}", xml.path()), *position),
        };
        let identifier = self.identifier.clone();
        Finding {
            code,
            severity,
            message: message.to_owned(),
            path,
            position,
            identifier,
            count: 1,
        }
    }

    pub(crate) fn add<R: Read>(
        &mut self,
        xml: &Reader<R>,
        severity: Severity,
        code: &'static str,
        message: &str,
    ) {
        let finding = self.make(xml, severity, code, message);
        self.push(finding);
    }

    pub(crate) fn push(&mut self, finding: Finding) {
        self.n_total += finding.count;
        let full = self.held.len() >= HELD_MAX;
        let same =
            |held: &&mut Finding| held.code == finding.code && (full || held.path == finding.path);
        let n_same = self.held.iter_mut().filter(same).count();
        if (n_same >= TOLD_MAX || full)
            && let Some(last) = self.held.iter_mut().rev().find(same)
        {
            last.count += finding.count;
        } else {
            self.held.push(finding);
        }
    }

    /// A finding of what the cursor noticed. Of an element that is passed over the path is its own.
    pub(crate) fn of_notice<R: Read>(&self, xml: &Reader<R>, notice: &Notice) -> Finding {
        let message = notice.kind.to_string();
        let mut finding = self.make(xml, Severity::Error, notice.kind.code(), &message);
        if self.base.is_none() {
            finding.position = notice.position;
        }
        if let NoticeKind::PassedOver { element, .. } = &notice.kind {
            finding.path.push('/');
            finding.path.push_str(element);
        }
        finding.count = notice.count;
        finding
    }
}
