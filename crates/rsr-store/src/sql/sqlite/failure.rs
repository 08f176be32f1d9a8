//! SQLite's result codes, sorted into this crate's errors.

use rusqlite::ErrorCode;

use crate::error::Error;

/// The error of a statement.
pub(super) fn of(sql: &str, error: rusqlite::Error) -> Error {
    let code = match &error {
        rusqlite::Error::SqliteFailure(failure, _) => failure.code,
        rusqlite::Error::SqlInputError { error, .. } => error.code,
        _ => ErrorCode::Unknown,
    };
    match code {
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
