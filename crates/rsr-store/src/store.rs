//! A database, open.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use rsr_base::SharedClock;
use rsr_settings::{DatabaseSettings, DatabaseUrl};

use crate::error::Error;
use crate::pool::{Pool, PoolUse};
use crate::snapshot::Snapshot;
use crate::sql::sqlite::Sqlite;
use crate::sql::{Begin, Engine, Role, Session, params};
use crate::tx::Tx;

/// A database, open: the door to [`Snapshot`]s and write transactions.
///
/// Clones share the connections. The database closes when the last clone, snapshot and transaction is gone.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    engine: Sqlite,
    readers: Arc<Pool>,
    writer: Arc<Pool>,
    /// One connection that only looks whether others wrote.
    watcher: Arc<Pool>,
    clock: SharedClock,
}

impl Store {
    /// Opens the database, makes it if there is none, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// [`Error::Address`] for an address that is none, [`Error::CannotOpen`], [`Error::Foreign`], [`Error::Corrupt`],
    /// [`Error::NewerSchema`], [`Error::Locked`] where another process holds it all the time waited.
    pub fn open(settings: &DatabaseSettings, clock: SharedClock) -> Result<Self, Error> {
        let engine = Sqlite::new(sqlite_path(&settings.url)?, settings.lock_timeout);
        engine.migrate(wall_ms(&clock))?;
        let shared: Arc<dyn Engine> = Arc::new(engine.clone());
        let readers = Pool::new(
            Arc::clone(&shared),
            Role::Reader,
            settings.pool_size,
            settings.pool_timeout,
        );
        let writer = Pool::new(Arc::clone(&shared), Role::Writer, 1, settings.pool_timeout);
        let watcher = Pool::new(shared, Role::Reader, 1, settings.pool_timeout);
        Ok(Self {
            inner: Arc::new(Inner {
                engine,
                readers,
                writer,
                watcher,
                clock,
            }),
        })
    }

    /// The data as it is at this moment, for as long as the snapshot lives.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] where as many snapshots as allowed are open all the time waited.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        let db = self.inner.readers.take()?;
        db.begin(Begin::Read)?;
        Ok(Snapshot::new(db))
    }

    /// Begins a write transaction: one at a time, for the whole database.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] where another one was open all the time waited, [`Error::Locked`] where another process wrote.
    pub fn begin(&self) -> Result<Tx, Error> {
        let db = self.inner.writer.take()?;
        db.begin(Begin::Write)?;
        Ok(Tx::new(db, wall_ms(&self.inner.clock)))
    }

    /// Runs `work` in one write transaction, which is kept where it answers `Ok` and undone where it does not.
    ///
    /// # Errors
    ///
    /// What `work` answers, and as [`Store::begin`] and [`Tx::commit`].
    pub fn write<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&mut Tx) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut tx = self.begin()?;
        let done = work(&mut tx)?;
        tx.commit()?;
        Ok(done)
    }

    /// A number that is another one once anybody, of this process or not, has written since it was last asked. Equal
    /// numbers mean the same data; their order means nothing. Costs some microseconds.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn version(&self) -> Result<i64, Error> {
        let db = self.inner.watcher.take()?;
        db.number("PRAGMA data_version", params![])
    }

    /// The time by the store's clock, in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        wall_ms(&self.inner.clock)
    }

    /// A connection of its own, outside of the pools and of any transaction.
    pub(crate) fn connection_apart(&self) -> Result<Box<dyn Session>, Error> {
        self.inner.engine.connect(Role::Writer)
    }

    /// Connections that snapshots use.
    #[must_use]
    pub fn readers(&self) -> PoolUse {
        self.inner.readers.usage()
    }

    /// The connection that writes.
    #[must_use]
    pub fn writer(&self) -> PoolUse {
        self.inner.writer.usage()
    }

    /// The file the database lies in.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        self.inner.engine.path()
    }
}

fn wall_ms(clock: &SharedClock) -> i64 {
    let since = clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The file of a `sqlite://FILE` address.
fn sqlite_path(url: &DatabaseUrl) -> Result<PathBuf, Error> {
    match url.sqlite_path() {
        Some(path) if path != ":memory:" => Ok(PathBuf::from(path)),
        _ => Err(Error::Address {
            url: url.to_string(),
        }),
    }
}
