//! PostgreSQL's error codes, sorted into this crate's errors.
//!
//! Source: PostgreSQL's documentation, appendix A, "PostgreSQL Error Codes".

use std::error::Error as _;

use postgres::Error as PgError;

use crate::error::Error;

/// The error of a statement.
pub(super) fn of(server: &str, sql: &str, error: PgError) -> Error {
    let said = said(&error);
    let code = error.code().map_or("", |code| code.code());
    match code {
        "" if error.is_closed() || is_io(&error) => lost(server, said),
        // A transaction that has to be run again: it met another one, or waited for one that waited for it.
        "40001" | "40P01" => Error::Undone { reason: said },
        "55P03" => Error::Locked,
        // statement_timeout, or somebody who ended the statement.
        "57014" => Error::Slow { reason: said },
        "53100" => Error::DiskFull,
        _ if is_demoted(&error) => lost(server, said),
        "42501" => unusable(
            server,
            said,
            "grant the user of database.url the right to make and change tables",
        ),
        "53300" | "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => lost(server, said),
        "XX001" | "XX002" => Error::Corrupt { reason: said },
        "22021" | "22P05" | "54000" => Error::Invalid {
            field: "text",
            reason: format!("PostgreSQL cannot keep it: {said}"),
        },
        code if code.starts_with("08") => lost(server, said),
        code if code.starts_with("53") || code.starts_with("58") => Error::Io { reason: said },
        _ => Error::Statement {
            sql: sql.to_owned(),
            source: Box::new(error),
        },
    }
}

/// Whether the server is, or became, one that takes no writes: it recovers, or follows another one since a failover.
pub(super) fn is_demoted(error: &PgError) -> bool {
    error.as_db_error().is_some_and(|error| {
        error.code().code() == "25006"
            || error.code().code() == "0A000" && error.message().contains("during recovery")
    })
}

/// The error of an attempt to connect.
pub(super) fn connecting(server: &str, error: &PgError) -> Error {
    let said = said(error);
    let code = error.code().map_or("", |code| code.code());
    match code {
        "57P03" => lost(server, said),
        "53300" => unusable(
            server,
            said,
            "raise the server's max_connections, or lower database.pool_size",
        ),
        "3D000" => unusable(
            server,
            said,
            "make it with `createdb`, or correct the name in database.url",
        ),
        code if code.starts_with("28") => {
            unusable(server, said, "correct user and password in database.url")
        }
        _ if error.to_string().contains("TLS") => unusable(
            server,
            said,
            "correct database.tls and its files, or sslmode in database.url, or the server's certificate",
        ),
        _ => unusable(
            server,
            said,
            "start the server, or correct host and port in database.url (RSR_DATABASE_URL)",
        ),
    }
}

pub(super) fn unusable(server: &str, reason: String, remedy: &'static str) -> Error {
    Error::Unreachable {
        server: server.to_owned(),
        reason,
        remedy,
    }
}

pub(super) fn lost(server: &str, reason: String) -> Error {
    Error::ConnectionLost {
        server: server.to_owned(),
        reason,
    }
}

fn is_io(error: &PgError) -> bool {
    error
        .source()
        .is_some_and(|source| source.is::<std::io::Error>())
}

/// What the server or the system said, without the words around it.
fn said(error: &PgError) -> String {
    match error.as_db_error() {
        Some(error) => error.message().to_owned(),
        None => error
            .source()
            .map_or_else(|| error.to_string(), ToString::to_string),
    }
}
