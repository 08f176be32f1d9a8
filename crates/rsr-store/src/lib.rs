//! SQL storage for rsr: projects and their tree, IATI activities, results, updates, the queue.
//!
//! # The picture
//!
//! A [`Store`] is an open database. What comes in goes through a write transaction, [`Tx`], one at a time: changes made
//! by people, and the chunks of an [`Importer`]. What goes out is read from a [`Snapshot`], the data at one moment on a
//! connection of its own, however much is written meanwhile; it answers what `rsr-hierarchy` asks about the tree, gives
//! [`Activities`] to the export of `rsr-iati`, and is never more than a chunk in memory.
//!
//! Three things are kept so that nothing contradicts them. The parent links are the truth of the tree, and positions in
//! depth-first order are derived from them. The canonical fragment of each element is the truth of an activity, and the columns that queries ask
//! for are derived from the same typed struct by the same function, whoever made it. Results have rows of their own,
//! since people report on them and totals climb along their links.
//!
//! ```
//! use rsr_store::{NewProject, Store};
//!
//! # let folder = tempfile::tempdir()?;
//! let mut settings = rsr_settings::Settings::default().database;
//! settings.url = format!("sqlite://{}", folder.path().join("rsr.db").display()).parse()?;
//! let store = Store::open(&settings, rsr_base::system_clock())?;
//!
//! let (wells, pumps) = store.write(|tx| {
//!     let wells = tx.create_project(&NewProject { title: "Wells".to_owned(), ..NewProject::default() })?;
//!     let pumps = tx.create_project(&NewProject { parent: Some(wells), ..NewProject::default() })?;
//!     Ok::<_, rsr_store::Error>((wells, pumps))
//! })?;
//!
//! let before = store.snapshot()?;
//! store.write(|tx| tx.move_project(pumps, None, false))?;
//! assert_eq!(before.branch(wells, None, 10)?, [(pumps, 1)], "a snapshot goes on seeing its moment");
//! assert_eq!(store.snapshot()?.branch(wells, None, 10)?, []);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//!
//! | bound | default | who sets it |
//! |---|---|---|
//! | snapshots open at once | 8 | `database.pool_size` |
//! | wait for a snapshot, or for the turn to write | 5 s, then [`Error::Busy`] | `database.pool_timeout` |
//! | wait for a lock of another process | 5 s, then [`Error::Locked`] | `database.lock_timeout` |
//! | page cache of a connection | 2 MiB reading, 12 MiB writing | fixed |
//! | statements a connection keeps prepared | 256, and as many `COPY` on a server | fixed |
//! | one statement of a snapshot, on a server | 60 s, then [`Error::Slow`] | `database.statement_timeout` |
//! | a silent write transaction, on a server | 60 s, then the server ends it | fixed |
//! | rows that wait to be sent together to a server | 1 MiB | fixed |
//! | rows on their way to a server | 4 MiB, or those that were sent together | fixed |
//! | silence of an import's source, or between two of its files, before others may write | 0.5 s, on a server | fixed |
//! | what an import reads ahead of a server | 512 KiB and one element | fixed |
//! | wait for a server that does not answer | 5 s, then [`Error::Unreachable`] | `connect_timeout` in `database.url` |
//! | activities of one import transaction | 100, or 8 MiB of fragments | `iati.import_chunk_size` |
//! | one activity in memory while it is imported | 512 KiB of fragments and its largest element | fixed |
//! | memory of a roll-up and of an import, reserved before it grows | none | [`Store::within`] |
//! | a page of elements in an export | 1 MiB and its last element | fixed |
//! | a page of results in an export | 1 MiB, or one result | fixed |
//! | activities read at once by an export | 100 | `iati.export_chunk_size` |
//! | projects of one tree | 2^31 | follows from the room between places |
//! | jobs of one claim | 10 000 | fixed |
//! | finished jobs that are kept | 30 d, 100 000 | `aggregation.keep_finished`, `aggregation.keep_finished_max` |
//! | workers that write side by side, with PostgreSQL | 8 | `database.pool_size` |
//! | a claim without a sign of life | 60 s | `aggregation.job_lease` |
//! | runs of a job before it is given up | 5 | `aggregation.max_attempts` |
//! | age of a version that is answered without asking | 750 ms | fixed |
//! | levels of the tree, children of a project | none | |
//!
//! # Engines
//!
//! `sqlite://FILE` is one file in WAL mode; `postgres://…` is a database on a PostgreSQL server, with the same schema, the
//! same answers and the same tests. Statements are written in what the two have in common and go through one small trait;
//! what they write differently is in one module. On a server, too, one writes at a time, by a lock that every process
//! takes, and any number read; aggregation workers share that lock among themselves, and write side by side below
//! different roots. Connections to another machine are encrypted, and its certificate checked, unless `database.tls` or
//! `sslmode` in the address says otherwise.
//!
//! # What it does not do
//!
//! It computes no totals, decides nothing about who may write, knows no HTTP and no JSON, starts no thread but
//! the one of [`Store::follow`] and the two of an import that a server stores, and keeps no cache of rows.
#![forbid(unsafe_code)]

mod audit;
mod copy;
mod database;
mod deletions;
mod elements;
mod error;
mod export;
mod follow;
mod hierarchy;
mod import;
mod numbers;
mod outbox;
mod pool;
mod queue;
mod read;
mod rollup;
mod rows;
mod snapshot;
mod sql;
mod store;
mod tree;
mod tx;

pub use audit::{AuditReport, AuditRow, Expected};
pub use copy::{CopyProgress, CopyReport};
pub use database::DatabaseStatus;
pub use error::{Conflict, Error};
pub use export::{Activities, ActivityFilter, Omission};
pub use follow::{Following, News};
pub use hierarchy::{
    ChildRow, ListedProjects, NamedOrganisation, ParentRow, Resume, RoleRow, SectorRow,
};
pub use import::{CutShort, FileReport, ImportNote, Importer, LinkReport};
pub use outbox::{NewMail, WaitingMail};
pub use pool::PoolUse;
pub use queue::{Claim, ClaimReport, Claimed, FailedJob, WaitingRoot};
pub use read::{
    Achieved, IndicatorRow, ItemFilter, JobFilter, JobRow, PeriodDisaggregationRow, PeriodRow,
    Place, ResultRow, StandingValue, UpdateRow,
};
pub use rollup::{RollUpError, TreeReport};
pub use rows::{
    Disaggregation, Grant, IndicatorEdit, NewIndicator, NewPeriod, NewProject, NewResult, NewToken,
    NewUpdate, PeriodEdit, Project, ProjectEdit, ResultEdit, Role, TokenHolder, TokenRow,
    TokenScope, TokenSecret, UpdateEdit, UpdateStatus, UserRow,
};
pub use snapshot::Snapshot;
pub use sql::Work;
pub use store::{Store, WorkBudgets};
pub use tx::{Recalculation, Tx};
