//! One thing that is wrong, and how bad it is.

use std::borrow::Cow;
use std::fmt;

/// How bad a finding is. Files without a critical finding count as valid, as they do for the official validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good practice that is not followed.
    Warning,
    /// A rule of the standard that is broken.
    Error,
    /// Not IATI: a reader of the file cannot rely on its structure.
    Critical,
}

impl Severity {
    /// The word in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
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

/// Something that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The stable code of what was broken; [`explain`](super::explain) says more about it.
    pub code: Cow<'static, str>,
    /// How bad it is.
    pub severity: Severity,
    /// The part of the standard it belongs to: "iati", "identifiers", "financial" …
    pub category: Cow<'static, str>,
    /// What is wrong, for a person.
    pub message: String,
    /// The elements down to the one that is wrong: `iati-activities/iati-activity/title`.
    pub path: String,
    /// The line where that element's start tag ends, as libxml2 counts; 0 where the finding is about the whole file.
    pub line: u64,
    /// The codelist that was asked, where one was.
    pub codelist: Option<Cow<'static, str>>,
}

/// `line: level code message (path)`; whoever knows the file writes its name and a colon before it.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} {} {} ({})",
            self.line, self.severity, self.code, self.message, self.path
        )
    }
}
