//! The five exit codes, and how an error becomes one line and one of them.

use std::error::Error as StdError;
use std::fmt;
use std::process::ExitCode;

use crate::output;

/// What the program says with its exit code. The numbers are part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done; skipped activities were reported.
    Done = 0,
    /// The check found problems: leaks, unhealthy, invalid IATI, audit differences.
    Problems = 1,
    /// Wrong usage or settings, a missing path, an empty folder.
    Usage = 2,
    /// The service or the database cannot be reached, or the database is locked.
    Unreachable = 3,
    /// The work failed part-way: a file cut short, `--strict` stopped, disk full, Ctrl-C.
    PartWay = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error on its way out: one line for people, a code for programs.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The code the program ends with.
    pub(crate) exit: Exit,
    error: anyhow::Error,
}

/// What every command answers.
pub(crate) type Outcome = Result<Exit, Failure>;

impl Failure {
    /// A failure with a message of its own: what, where, and what to do.
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self {
            exit,
            error: anyhow::anyhow!("{message}"),
        }
    }

    /// An error of a crate below, with the code it stands for.
    pub(crate) fn of(exit: Exit, error: impl StdError + Send + Sync + 'static) -> Self {
        Self {
            exit,
            error: error.into(),
        }
    }

    /// Puts what was being done, and where, before the error.
    pub(crate) fn context(self, message: impl fmt::Display) -> Self {
        Self {
            exit: self.exit,
            error: self.error.context(message.to_string()),
        }
    }

    /// Prints one line with the error and the cause at its root; the whole chain after it where asked for.
    pub(crate) fn print(&self, with_chain: bool) {
        output::note(format_args!("rsr: {self}"));
        if with_chain {
            for cause in self.chain().iter().skip(1) {
                output::note(format_args!("  caused by: {cause}"));
            }
        }
    }

    /// The error and its causes, the nearest first.
    fn chain(&self) -> Vec<String> {
        self.error
            .chain()
            .map(|cause| one_line(&cause.to_string()))
            .collect()
    }
}

/// One line: the error, and the cause at its root.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&summary(&self.chain()))
    }
}

/// The error, and the cause at its root where that is said nowhere yet.
fn summary(chain: &[String]) -> String {
    match chain {
        [] => "failed".to_owned(),
        [only] => only.clone(),
        [first, .., last] if first.contains(last.as_str()) => first.clone(),
        [first, .., last] => format!("{first}: {last}"),
    }
}

fn one_line(text: &str) -> String {
    text.split(['\n', '\r'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}

impl From<rsr_store::Error> for Failure {
    fn from(error: rsr_store::Error) -> Self {
        use rsr_store::Error;
        let exit = match &error {
            Error::Address { .. }
            | Error::NotFound { .. }
            | Error::Invalid { .. }
            | Error::Conflict(_) => Exit::Usage,
            Error::Busy { .. }
            | Error::Locked
            | Error::ReadOnly
            | Error::CannotOpen { .. }
            | Error::Foreign { .. }
            | Error::Unreachable { .. }
            | Error::ConnectionLost { .. }
            | Error::NewerSchema { .. }
            | Error::Corrupt { .. } => Exit::Unreachable,
            _ => Exit::PartWay,
        };
        let remedy = match &error {
            Error::NotFound { kind: "job", .. } => "`rsr jobs list` shows those there are",
            Error::NotFound {
                kind: "project", ..
            } => {
                "`rsr project tree ID` shows what is stored below one that is, and --database names another database"
            }
            Error::Corrupt { .. } => {
                "restore a backup, or name an SQLite file of rsr with --database"
            }
            _ => return Self::of(exit, error),
        };
        let said = format!("{error}; {remedy}");
        Self::of(exit, error).context(said)
    }
}

impl From<rsr_service::client::Error> for Failure {
    fn from(error: rsr_service::client::Error) -> Self {
        Self::of(Exit::Unreachable, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_cause_is_said_once() {
        let chain =
            |parts: &[&str]| summary(&parts.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(chain(&["a.xml cannot be read"]), "a.xml cannot be read");
        assert_eq!(
            chain(&["a.xml cannot be read", "wrapped", "denied"]),
            "a.xml cannot be read: denied"
        );
        assert_eq!(chain(&["a.xml: denied", "denied"]), "a.xml: denied");
    }

    #[test]
    fn a_message_of_several_lines_becomes_one() {
        assert_eq!(
            one_line("first\n  second\r\n\nthird"),
            "first; second; third"
        );
    }
}
