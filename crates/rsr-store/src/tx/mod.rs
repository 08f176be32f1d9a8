//! Writing: everything between `begin` and `commit` happens, or nothing does.

use std::ops::Deref;

use crate::error::Error;
use crate::pool::Pooled;
use crate::snapshot::Snapshot;
use crate::sql::Session;

mod projects;

/// A write transaction. It reads like a [`Snapshot`] that sees its own changes; dropped without
/// [`Tx::commit`], it has changed nothing.
#[derive(Debug)]
#[must_use = "a transaction that is dropped changes nothing"]
pub struct Tx {
    snapshot: Snapshot,
    now_ms: i64,
}

impl Tx {
    pub(crate) fn new(db: Pooled, now_ms: i64) -> Self {
        Self {
            snapshot: Snapshot::new(db),
            now_ms,
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

    /// Keeps what was written.
    ///
    /// # Errors
    ///
    /// [`Error::DiskFull`], [`Error::Io`]: nothing was kept.
    pub fn commit(self) -> Result<(), Error> {
        self.db().commit()
    }
}

impl Deref for Tx {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}
