//! What is wrong in a file, and how bad it is.

use std::borrow::Cow;
use std::fmt;
use std::io::Read;

use crate::xml::{Notice, NoticeKind, Position, Reader};

/// How bad a finding is. Files without a critical finding count as valid, as they do for the official validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is lost: something was moved to its place in 2.03, or is worth knowing.
    Note,
    /// Good practice that is not followed, or something that has no place in 2.03 and will be missing from an export.
    Warning,
    /// The file breaks a rule; what it says is kept as written.
    Error,
    /// Not IATI: a reader of the file cannot rely on its structure.
    Critical,
}

impl Severity {
    /// The word in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Something that is wrong in a file: found by reading, which survived it, or by validating.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A name that stays the same between releases; [`explain`](crate::report::explain) says more about it.
    pub code: Cow<'static, str>,
    /// How bad it is.
    pub severity: Severity,
    /// The part of the standard it belongs to: "iati", "identifiers", "financial" …
    pub category: Cow<'static, str>,
    /// What it is, for a person.
    pub message: String,
    /// The elements down to the one it is about: `iati-activities/iati-activity/title`.
    pub path: String,
    /// Where in the file. Validating knows the line alone, where the element's start tag ends, as libxml2 counts;
    /// [`Position::NOWHERE`]: it is about the whole file or about several.
    pub position: Position,
    /// Of the activity, where reading found it and once it is known. A report has it in the group of the finding.
    pub identifier: Option<String>,
    /// How often: the same trouble at the same path of one activity is told a few times and then counted.
    pub count: u64,
    /// The codelist that was asked, where one was.
    pub codelist: Option<Cow<'static, str>>,
}

impl Finding {
    /// A finding about the whole file, of the category "iati"; whoever knows more fills it in.
    #[must_use]
    pub fn new(
        severity: Severity,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            severity,
            category: Cow::Borrowed("iati"),
            message: message.into(),
            path: String::new(),
            position: Position::NOWHERE,
            identifier: None,
            count: 1,
            codelist: None,
        }
    }

    /// The same at this place of a file.
    pub(crate) fn at_line(mut self, line: u64, path: String) -> Self {
        self.position.line = line;
        self.path = path;
        self
    }

    /// The line; 0 where it is about the whole file.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.position.line
    }
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
        Finding {
            path,
            position,
            identifier: self.identifier.clone(),
            ..Finding::new(severity, code, message)
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
