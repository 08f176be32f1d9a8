//! Bringing a database's schema up to date.

use super::failure;
use super::session::PostgresSession;
use crate::error::Error;
use crate::sql::{Begin, Session, params};

/// The steps from an empty schema to today's; a step that was released never changes.
const STEPS: [&str; 7] = [
    include_str!("0001_first.sql"),
    include_str!("0002_mail.sql"),
    include_str!("0003_children_order.sql"),
    include_str!("0004_elements_of_projects.sql"),
    include_str!("0005_roots.sql"),
    include_str!("0006_import_seen.sql"),
    include_str!("0007_narrow.sql"),
];

/// The schema version this program writes.
const VERSION: i64 = 7;
const _: () = assert!(STEPS.len() == 7, "the version counts the steps");

/// The step from which on programs name roots, and the one that takes away what those before asked for. Where both are made
/// at once, such programs may still run: the latter is left out then, and a database keeps what it takes away until the next
/// step that narrows.
const ROOTS: i64 = 5;
const NARROW: i64 = 7;

/// Applies the steps that are missing, in one transaction that keeps other processes out. Answers the version before.
pub(super) fn migrate(session: &PostgresSession, now_ms: i64) -> Result<i64, Error> {
    let db: &dyn Session = session;
    let encoding = db
        .row("SHOW server_encoding", params![], |row| row.string(0))?
        .unwrap_or_default();
    if encoding != "UTF8" {
        return Err(failure::unusable(
            session.server(),
            format!("the database keeps texts as {encoding}"),
            "make one that keeps them as UTF8: `createdb --encoding=UTF8 --template=template0`",
        ));
    }
    if version(db)? == Some(VERSION) {
        return Ok(VERSION);
    }
    session.begin(Begin::Write)?;
    let done = under_lock(session, now_ms);
    match done {
        Ok(_) => session.commit()?,
        Err(_) => session.rollback()?,
    }
    done
}

/// The version of the schema that is there, `None` where there is none.
pub(super) fn version(db: &dyn Session) -> Result<Option<i64>, Error> {
    if db.number("SELECT to_regclass('meta') IS NOT NULL", params![])? == 0 {
        return Ok(None);
    }
    let text = db.row(
        "SELECT value FROM meta WHERE key = 'schema_version'",
        params![],
        |row| row.string(0),
    )?;
    text.map(|text| {
        text.parse().map_err(|_not_a_number| Error::BadRow {
            what: "meta.schema_version",
            id: 0,
            found: text,
        })
    })
    .transpose()
}

fn under_lock(session: &PostgresSession, now_ms: i64) -> Result<i64, Error> {
    let db: &dyn Session = session;
    let found = version(db)?;
    let n_tables = db.number(
        "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()",
        params![],
    )?;
    if found.is_none() && n_tables > 0 {
        return Err(Error::Foreign {
            database: session.server().to_owned(),
        });
    }
    let found = found.unwrap_or(0);
    if found > VERSION {
        return Err(Error::NewerSchema {
            found,
            known: VERSION,
        });
    }
    for (version, step) in (1_i64..).zip(STEPS) {
        let is_early = version == NARROW && (1..ROOTS).contains(&found);
        if version > found && !is_early {
            db.script(step)?;
        }
    }
    for (key, value) in [("schema_version", VERSION), ("migrated_ms", now_ms)] {
        let value = value.to_string();
        db.execute(
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            params![key, &value],
        )?;
    }
    Ok(found)
}
