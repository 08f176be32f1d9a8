//! SQLite's result codes, sorted into this crate's errors.

use rusqlite::{ErrorCode, ffi};

use crate::error::Error;

/// The error of a statement.
pub(super) fn of(sql: &str, error: rusqlite::Error) -> Error {
    let failure = match &error {
        rusqlite::Error::SqliteFailure(failure, _) => Some(failure),
        rusqlite::Error::SqlInputError { error, .. } => Some(error),
        _ => None,
    };
    // The index of the log is made larger when a database is opened, and SQLite has no word of its own for a full disk there.
    if failure.is_some_and(|failure| failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE) {
        return Error::DiskFull;
    }
    match failure.map_or(ErrorCode::Unknown, |failure| failure.code) {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Error::Locked,
        ErrorCode::DiskFull => Error::DiskFull,
        ErrorCode::SystemIoFailure => Error::Io {
            reason: error.to_string(),
        },
        ErrorCode::ReadOnly => Error::ReadOnly,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Error::Corrupt {
            reason: error.to_string(),
        },
        _ => Error::Statement {
            sql: sql.to_owned(),
            source: Box::new(error),
        },
    }
}
