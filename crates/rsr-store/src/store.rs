//! A database, open.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rsr_base::{ByteSize, MemoryBudget, SharedClock};
use rsr_settings::DatabaseSettings;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::error::Error;
use crate::follow::Heard;
use crate::pool::{Pool, PoolUse, Pooled};
use crate::queue::Jumps;
use crate::snapshot::Snapshot;
use crate::sql::postgres::Postgres;
use crate::sql::sqlite::Sqlite;
use crate::sql::{Begin, Engine, Role, Session, params};
use crate::tx::Tx;

/// A database, open: the door to [`Snapshot`]s and write transactions.
///
/// Clones share the connections. The database closes when the last clone, snapshot and transaction is gone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
    pub(crate) budgets: WorkBudgets,
}

/// The pools that work of the store which grows with its input reserves memory from, before it grows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkBudgets {
    /// Reading files in: the activity at hand.
    pub imports: MemoryBudget,
    /// Rolling trees up: some bytes for each period.
    pub aggregations: MemoryBudget,
}

impl WorkBudgets {
    /// A pool for each kind of work, below this one and as large.
    #[must_use]
    pub fn below(budget: &MemoryBudget) -> Self {
        Self {
            imports: budget.child("imports", ByteSize::MAX),
            aggregations: budget.child("aggregations", ByteSize::MAX),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) engine: Arc<dyn Engine>,
    readers: Arc<Pool>,
    writer: Arc<Pool>,
    /// Those that aggregate: the writer itself, where the engine has one alone.
    workers: Arc<Pool>,
    /// One connection that only looks whether others wrote.
    watcher: Arc<Pool>,
    pub(crate) clock: SharedClock,
    /// What is known without asking, while somebody listens.
    pub(crate) heard: Arc<Heard>,
    pub(crate) jumps: Jumps,
}

impl Store {
    /// Opens the database, makes it if there is none, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// [`Error::Address`] for an address that is none, [`Error::CannotOpen`], [`Error::Foreign`], [`Error::Corrupt`],
    /// [`Error::NewerSchema`], [`Error::Unreachable`], [`Error::Locked`] where another process holds it all the time waited.
    pub fn open(settings: &DatabaseSettings, clock: SharedClock) -> Result<Self, Error> {
        let engine = engine(settings)?;
        engine.migrate(wall_ms(&clock))?;
        let readers = Pool::new(
            Arc::clone(&engine),
            Role::Reader,
            settings.pool_size,
            settings.pool_timeout,
        );
        let writer = Pool::new(Arc::clone(&engine), Role::Writer, 1, settings.pool_timeout);
        let workers = if engine.has_workers_side_by_side() {
            let n = settings.pool_size;
            Pool::new(Arc::clone(&engine), Role::Writer, n, settings.pool_timeout)
        } else {
            Arc::clone(&writer)
        };
        let watcher = Pool::new(Arc::clone(&engine), Role::Reader, 1, settings.pool_timeout);
        Ok(Self {
            budgets: WorkBudgets::below(&MemoryBudget::root("store", ByteSize::MAX)),
            inner: Arc::new(Inner {
                engine,
                readers,
                writer,
                workers,
                watcher,
                clock,
                heard: Arc::new(Heard::new()),
                jumps: Jumps::default(),
            }),
        })
    }

    /// The same database, whose work keeps within these budgets. Without this nothing bounds it but its own limits.
    #[must_use]
    pub fn within(mut self, budgets: WorkBudgets) -> Self {
        self.budgets = budgets;
        self
    }

    /// The data as it is at this moment, for as long as the snapshot lives.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] where as many snapshots as allowed are open all the time waited.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        Ok(Snapshot::new(self.inner.readers.begin(Begin::Read)?))
    }

    /// Begins a write transaction: one at a time, for the whole database.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] where another one was open all the time waited, [`Error::Locked`] where another process wrote.
    pub fn begin(&self) -> Result<Tx, Error> {
        let db = self.inner.writer.begin(Begin::Write)?;
        Ok(self.transaction(db))
    }

    /// Begins a transaction of a worker, that stands beside those of other workers where the engine can do so. It ends where
    /// nothing is heard of it for so long.
    pub(crate) fn begin_work(&self, silence_max: Duration) -> Result<Tx, Error> {
        let db = self.inner.workers.begin(Begin::Work { silence_max })?;
        Ok(self.transaction(db))
    }

    fn transaction(&self, db: Pooled) -> Tx {
        let inner = &self.inner;
        Tx::new(db, wall_ms(&inner.clock), Arc::clone(&inner.heard))
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
    /// numbers mean the same data; their order means nothing. Costs some microseconds with SQLite. With PostgreSQL it costs
    /// a round trip, or nothing while [`Store::follow`] listens; what is written to other databases of the server may
    /// change it too.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn version(&self) -> Result<i64, Error> {
        if let Some(version) = self.inner.heard.version(&self.inner.clock) {
            return Ok(version);
        }
        let watch = |db: &dyn Session| self.inner.engine.data_version(db);
        self.inner.watcher.with(watch)
    }

    /// 32 secret bytes of this database, made when they are first asked for: every process that opens it gets the same,
    /// so what one signed the others, and itself after a restart, can tell from what nobody did.
    ///
    /// # Errors
    ///
    /// Those of the database; the first time also those of [`Store::write`].
    pub fn secret(&self) -> Result<[u8; 32], Error> {
        let known = |db: &dyn Session| {
            db.row(
                "SELECT value FROM meta WHERE key = 'secret'",
                params![],
                |row| row.string(0),
            )
        };
        let text = match known(self.snapshot()?.db())? {
            Some(text) => text,
            None => self.write(|tx| {
                // 244 random bits; whoever came first has made it.
                let made = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
                tx.db().execute(
                    "INSERT INTO meta (key, value) VALUES ('secret', ?1) ON CONFLICT (key) DO NOTHING",
                    params![&made],
                )?;
                Ok::<_, Error>(known(tx.db())?.unwrap_or(made))
            })?,
        };
        Ok(Sha256::digest(text).into())
    }

    /// The time by the store's clock, in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        wall_ms(&self.inner.clock)
    }

    pub(crate) fn engine(&self) -> &dyn Engine {
        &*self.inner.engine
    }

    /// Whether the database does not answer: its server was lost, or is silent, as far as [`Store::follow`] knows; or all
    /// connections for snapshots are in use and somebody waited for one in vain. Costs nothing.
    #[must_use]
    pub fn is_out_of_touch(&self) -> bool {
        self.inner.heard.is_out_of_touch(&self.inner.clock) || self.inner.readers.is_refusing()
    }

    /// Closes SQLite's connections that are not in use, each of which keeps the schema, statements and up to 12 MiB of pages:
    /// for when memory is short. Whoever needs one opens it again. With PostgreSQL it is the server that keeps these, and
    /// nothing happens.
    pub fn release_memory(&self) {
        let inner = &self.inner;
        if inner.engine.file().is_some() {
            // The watcher keeps next to nothing, and the last connection to go would first move the whole log into the file.
            for pool in [&inner.readers, &inner.writer] {
                pool.close_idle();
            }
        }
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

    /// Where the database is, for people: the file, or the server with the database's name. No password.
    #[must_use]
    pub fn location(&self) -> String {
        self.inner.engine.location()
    }

    /// The same for the same database, however it was named: the whole path of its file, or the server with the database's
    /// name.
    #[must_use]
    pub fn identity(&self) -> String {
        let whole = self.file().and_then(|file| file.canonicalize().ok());
        whole.map_or_else(|| self.location(), |file| file.display().to_string())
    }

    /// The file the database lies in; `None` where a server keeps it.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.inner.engine.file()
    }
}

pub(crate) fn wall_ms(clock: &SharedClock) -> i64 {
    let since = clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The engine that an address asks for.
fn engine(settings: &DatabaseSettings) -> Result<Arc<dyn Engine>, Error> {
    let url = &settings.url;
    match url.sqlite_path() {
        Some(":memory:") => Err(Error::Address {
            url: url.to_string(),
        }),
        Some(path) => Ok(Arc::new(Sqlite::new(
            PathBuf::from(path),
            settings.lock_timeout,
        ))),
        None => Ok(Arc::new(Postgres::new(settings)?)),
    }
}
