//! Errors of the crates below, as problems: the one place where they get a status.

use std::time::Duration;

use rsr_deletion::SharedError;
use rsr_hierarchy::{CursorError, OpenError, RequestError};
use rsr_store::{Conflict, Error as StoreError};

use super::{Kind, Problem};
use crate::budget;

/// After this a server may be there again, or somebody have made room on a disk.
const WHILE: Duration = Duration::from_secs(5);

/// After this the writer, or a reader, is most likely free again.
const MOMENT: Duration = Duration::from_secs(1);

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { kind, id } => Self::not_found(kind, id),
            StoreError::Invalid { field, reason } => Self::field(Kind::InvalidBody, field, reason),
            StoreError::Conflict(conflict) => conflict.into(),
            StoreError::Busy { .. }
            | StoreError::Locked
            | StoreError::Slow { .. }
            | StoreError::ConnectionLost { .. }
            | StoreError::Undone { .. } => {
                Self::busy("the database is busy", MOMENT).because(error)
            }
            StoreError::Uncertain { .. } => Self::new(
                Kind::Unavailable,
                "the database was lost while it kept the change, and whether it did is not known: look before sending it \
                 again",
            )
            .after(WHILE)
            .because(error),
            StoreError::OverBudget(_) => budget::short(Vec::new()).because(error),
            StoreError::Cancelled => Self::new(Kind::Stopping, "the service is stopping"),
            StoreError::DiskFull => Self::new(
                Kind::Unavailable,
                "the database's disk is full; nothing was changed",
            )
            .after(WHILE)
            .because(error),
            StoreError::Io { .. }
            | StoreError::ReadOnly
            | StoreError::CannotOpen { .. }
            | StoreError::Unreachable { .. }
            | StoreError::Corrupt { .. } => Self::new(
                Kind::Unavailable,
                "the database cannot be used; the service's log has more under this request's id",
            )
            .after(WHILE)
            .because(error),
            error => Self::internal(error),
        }
    }
}

/// Nothing is written while nobody can tell whether another machine deletes it.
impl From<SharedError> for Problem {
    fn from(error: SharedError) -> Self {
        Self::busy("the database is busy", MOMENT).because(error)
    }
}

impl From<Conflict> for Problem {
    fn from(conflict: Conflict) -> Self {
        let kind = match conflict {
            Conflict::Inherited { .. } => Kind::Forbidden,
            Conflict::JobNotMaxxed { .. } => Kind::InvalidParameter,
            _ => Kind::Conflict,
        };
        Self::new(kind, conflict.to_string())
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        let field = error.field().map(str::to_owned);
        let kind = match error {
            RequestError::Cursor(_) => Kind::InvalidCursor,
            _ => Kind::InvalidParameter,
        };
        let mut text = error.to_string();
        if matches!(error, RequestError::UnknownField { .. }) {
            text.push_str("; /api/openapi.json lists those there are");
        }
        match field {
            None => Self::new(kind, text),
            Some(field) => {
                let detail = text
                    .strip_prefix(&field)
                    .and_then(|rest| rest.strip_prefix(": "))
                    .unwrap_or(&text)
                    .to_owned();
                Self::field(kind, field, detail)
            }
        }
    }
}

impl From<CursorError> for Problem {
    fn from(error: CursorError) -> Self {
        Self::field(Kind::InvalidCursor, "cursor", error.to_string())
    }
}

impl<E: Into<Self>> From<OpenError<E>> for Problem {
    fn from(error: OpenError<E>) -> Self {
        match error {
            OpenError::UnknownProject(id) => Self::not_found("project", id),
            OpenError::Source(error) => error.into(),
            OpenError::Moved(_) => Self::field(
                Kind::InvalidCursor,
                "cursor",
                "leads to a project that is not below this one any more: read the stream from its start",
            ),
            _ => Self::internal("an answer could not be opened"),
        }
    }
}
