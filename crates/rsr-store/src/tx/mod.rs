//! Writing: everything between `begin` and `commit` happens, or nothing does.

use std::ops::Deref;
use std::sync::Arc;

use crate::error::Error;
use crate::follow::Heard;
use crate::pool::Pooled;
use crate::snapshot::Snapshot;
use crate::sql::roots::Kind;
use crate::sql::{Root, Session, params};

mod dimensions;
mod edits;
mod elements;
mod people;
mod projects;
mod queue;
mod recalculate;
mod results;
mod tokens;
mod updates;

pub use recalculate::Recalculation;

/// A write transaction. It reads like a [`Snapshot`] that sees its own changes; dropped without
/// [`Tx::commit`], it has changed nothing.
#[derive(Debug)]
#[must_use = "a transaction that is dropped changes nothing"]
pub struct Tx {
    snapshot: Snapshot,
    now_ms: i64,
    heard: Arc<Heard>,
}

impl Tx {
    pub(crate) fn new(db: Pooled, now_ms: i64, heard: Arc<Heard>) -> Self {
        Self {
            snapshot: Snapshot::of_writer(db),
            now_ms,
            heard,
        }
    }

    pub(crate) fn db(&self) -> &dyn Session {
        self.snapshot.db()
    }

    /// When the transaction began: the time its rows are stamped with.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Fails where a statement that looks for an id finds nothing.
    fn require(&self, kind: &'static str, sql: &str, id: i64) -> Result<(), Error> {
        match self.db().number(sql, params![id])? {
            0 => Err(Error::not_found(kind, id)),
            _ => Ok(()),
        }
    }

    /// Fails where a row of a tree is not stored. Answers the tree's root.
    fn require_rooted(&self, kind: Kind, id: i64) -> Result<Root, Error> {
        let root = Root::of(self.db(), kind, id)?;
        let sql = format!(
            "SELECT 1 FROM {} x WHERE x.id = ?1 /*! AND x.root_id = ?root */",
            kind.table()
        );
        match self.db().number(&sql, params![id, root])? {
            0 => Err(Error::not_found(kind.name(), id)),
            _ => Ok(root),
        }
    }

    /// Keeps what was written.
    ///
    /// # Errors
    ///
    /// [`Error::DiskFull`], [`Error::Io`]: nothing was kept.
    pub fn commit(self) -> Result<(), Error> {
        let done = self.db().commit();
        // This process's own writes are seen by whoever asks next, and not only once they are heard of. Where the
        // connection broke, it may have been kept.
        self.heard.changed();
        done
    }
}

impl Tx {
    /// Commits behind what its owner goes on with, in another transaction that begins `now_ms`: see
    /// [`Session::commit_behind`]. Not where somebody waits to write.
    pub(crate) fn commit_behind(&mut self, now_ms: i64) -> Result<Option<usize>, Error> {
        if self.snapshot.is_wanted() {
            return Ok(None);
        }
        let done = self.db().commit_behind();
        // Those before are kept, or may have been.
        self.heard.changed();
        let n_unseen = done?;
        if n_unseen.is_some() {
            self.now_ms = now_ms;
        }
        Ok(n_unseen)
    }
}

impl Tx {
    /// See [`Session::wait_behind`].
    pub(crate) fn wait_behind(&self) -> Result<(), Error> {
        let waited = self.db().wait_behind();
        self.heard.changed();
        waited
    }

    /// See [`Session::n_unseen`].
    pub(crate) fn n_unseen(&self) -> usize {
        self.db().n_unseen()
    }

    /// See [`Session::rest`].
    pub(crate) fn rest(&self) -> bool {
        self.db().rest()
    }

    /// See [`Session::end_rest`].
    pub(crate) fn end_rest(&self) -> Result<bool, Error> {
        let is_open = self.db().end_rest();
        self.heard.changed();
        is_open
    }
}

impl Deref for Tx {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}

/// A date as it is stored: `YYYY-MM-DD`.
fn date<'a>(field: &'static str, text: Option<&'a str>) -> Result<Option<&'a str>, Error> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
    match text.as_bytes() {
        [year @ .., b'-', m1, m2, b'-', d1, d2]
            if year.len() == 4
                && digits(year)
                && matches!((m1, m2), (b'0', b'1'..=b'9') | (b'1', b'0'..=b'2'))
                && matches!(
                    (d1, d2),
                    (b'0', b'1'..=b'9') | (b'1' | b'2', b'0'..=b'9') | (b'3', b'0' | b'1')
                ) =>
        {
            Ok(Some(text))
        }
        _ => Err(Error::Invalid {
            field,
            reason: format!("{text:?} is no date: write YYYY-MM-DD"),
        }),
    }
}
