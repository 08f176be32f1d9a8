//! Bringing a file's schema up to date.

use std::path::Path;

use super::{APPLICATION_ID, SqliteSession};
use crate::error::Error;
use crate::sql::{Session, params};

/// The steps from an empty file to today's schema; a step that was released never changes.
const STEPS: [&str; 5] = [
    include_str!("0001_first.sql"),
    include_str!("0002_mail.sql"),
    include_str!("0003_children_order.sql"),
    include_str!("0004_elements_of_projects.sql"),
    include_str!("0005_import_seen.sql"),
];

/// The schema version this program writes.
pub(super) const VERSION: i64 = 5;
const _: () = assert!(STEPS.len() == 5, "the version counts the steps");

/// Whether there is nothing to do. Anything that cannot be read is looked at again under the lock.
pub(super) fn is_current(session: &SqliteSession) -> bool {
    let db: &dyn Session = session;
    let ask = |sql| db.number(sql, params![]).unwrap_or_default();
    ask("PRAGMA application_id") == APPLICATION_ID && ask("PRAGMA user_version") == VERSION
}

/// Applies the steps that are missing, in one transaction that keeps other processes out. Answers the version before.
pub(super) fn migrate(session: &SqliteSession, path: &Path, now_ms: i64) -> Result<i64, Error> {
    let db: &dyn Session = session;
    // Both hold only for a file without tables, and cannot be set inside a transaction.
    if db.number("SELECT count(*) FROM sqlite_schema", params![])? == 0 {
        session.script("PRAGMA page_size = 8192; PRAGMA auto_vacuum = NONE;")?;
    }
    session.script("PRAGMA journal_mode = WAL")?;
    session.script("BEGIN IMMEDIATE")?;
    let done = under_lock(db, path, now_ms);
    match done {
        Ok(_) => session.commit()?,
        Err(_) => session.rollback()?,
    }
    done
}

fn under_lock(db: &dyn Session, path: &Path, now_ms: i64) -> Result<i64, Error> {
    let tables = db.number("SELECT count(*) FROM sqlite_schema", params![])?;
    let application = db.number("PRAGMA application_id", params![])?;
    if tables > 0 && application != APPLICATION_ID {
        return Err(Error::Foreign {
            database: path.display().to_string(),
        });
    }
    let found = db.number("PRAGMA user_version", params![])?;
    if found > VERSION {
        return Err(Error::NewerSchema {
            found,
            known: VERSION,
        });
    }
    for (version, step) in (1..).zip(STEPS) {
        if version > found {
            db.script(step)?;
            db.script(&format!(
                "PRAGMA user_version = {version}; PRAGMA application_id = {APPLICATION_ID};"
            ))?;
        }
    }
    if found < VERSION {
        let now = now_ms.to_string();
        db.execute(
            "INSERT INTO meta (key, value) VALUES ('migrated_ms', ?1)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            params![&now],
        )?;
    }
    Ok(found)
}
