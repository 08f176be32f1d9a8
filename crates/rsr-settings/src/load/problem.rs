//! What can be wrong with sources, and how it is said.

use std::fmt;
use std::path::PathBuf;

use rsr_base::ReadError;

use super::Source;
use crate::table::Setting;

/// One thing that is wrong. Its text is one line that names key, value and source, and says what is accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The settings file cannot be read, or is no TOML.
    #[error("the settings file {path} {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why, in one line.
        reason: String,
    },
    /// A key that no setting has.
    #[error("{key} in {file} is no setting: the nearest is {nearest}")]
    UnknownKey {
        /// The key as it was found.
        key: String,
        /// The file it was found in, or the flag.
        file: PathBuf,
        /// The setting whose key is most like it.
        nearest: &'static str,
    },
    /// A value of the wrong type, or out of bounds.
    #[error("{key} cannot be {value} (from {origin}): give {accepted}")]
    Refused {
        /// The setting.
        key: &'static str,
        /// The value as it was found; a secret is masked.
        value: String,
        /// Where it was found.
        origin: Source,
        /// What would be accepted.
        accepted: String,
    },
    /// A value that does not go with another one.
    #[error("{key} cannot be {value} (from {origin}): {reason}")]
    Conflict {
        /// The setting.
        key: &'static str,
        /// Its value.
        value: String,
        /// Where it was found.
        origin: Source,
        /// What it does not go with, and what to do.
        reason: String,
    },
}

/// Everything that is wrong with the sources of a load; at least one problem.
///
/// Its text has a line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    problems: Vec<Problem>,
}

impl Invalid {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// One value that its setting does not take; `shown` is fit to be printed.
    pub(crate) fn refused(setting: &Setting, shown: &str, source: Source) -> Self {
        Self::new(vec![Problem::Refused {
            key: setting.key,
            value: format!("{shown:?}"),
            origin: source,
            accepted: setting.accepted_in_words(),
        }])
    }

    /// The problems: file, profile and defaults first, then values from the weakest source to the strongest.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.problems.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Invalid {}

/// Something strange that is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A variable that begins with `RSR_` and means nothing.
    UnknownVariable {
        /// The variable.
        name: String,
        /// The known one most like it.
        nearest: &'static str,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownVariable { name, nearest } => {
                write!(
                    f,
                    "the variable {name} is not known and has no effect: the nearest is {nearest}"
                )
            }
        }
    }
}

/// A read error in one line, its cause included.
pub(super) fn read_reason(error: &ReadError) -> String {
    match error {
        ReadError::Io(cause) => format!("{error}: {cause}"),
        _ => error.to_string(),
    }
}
