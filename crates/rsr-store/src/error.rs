//! What can go wrong with a database, sorted by what the caller can do about it.

use std::path::PathBuf;
use std::time::Duration;

use rsr_base::OverBudget;

/// Why an operation of the store did not happen.
///
/// Whatever the variant, a transaction that ends in an error has changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// All connections of the pool were in use for the whole time allowed. Try again later.
    #[error("all {connections} {pool} connections were busy for {waited:?}")]
    Busy {
        /// `reader` or `writer`.
        pool: &'static str,
        /// Connections the pool has.
        connections: usize,
        /// How long was waited.
        waited: Duration,
    },
    /// Another process holds the database. Try again later.
    #[error("the database is locked by another process")]
    Locked,
    /// The server ended a statement that ran too long. Ask for less, or try again later.
    #[error("a statement took too long: {reason}; database.statement_timeout is the limit")]
    Slow {
        /// What the server said.
        reason: String,
    },
    /// No memory was reserved for the work: other work holds it, or the limit is too small for it. Try again later.
    #[error(
        "not enough memory: {0}; memory.limit (RSR_MEMORY_LIMIT) is what the process plans for"
    )]
    OverBudget(#[from] OverBudget),
    /// The disk has no room for what was to be written.
    #[error("the disk is full")]
    DiskFull,
    /// The disk or file system failed.
    #[error("the database cannot be read or written: {reason}")]
    Io {
        /// What the database engine said.
        reason: String,
    },
    /// The database may not be written.
    #[error("the database is read-only")]
    ReadOnly,
    /// The file cannot be opened, or its folder does not exist.
    #[error("{} cannot be opened: {reason}", path.display())]
    CannotOpen {
        /// The file.
        path: PathBuf,
        /// What the operating system or the engine said.
        reason: String,
    },
    /// The file is damaged or is no database. Restore a backup.
    #[error("the database is damaged: {reason}")]
    Corrupt {
        /// What was found.
        reason: String,
    },
    /// The database holds tables of some other program.
    #[error("{database} is a database of another program")]
    Foreign {
        /// The file or the server.
        database: String,
    },
    /// The database server cannot be reached, or does not let us in.
    #[error("PostgreSQL at {server} cannot be used: {reason}; {remedy}")]
    Unreachable {
        /// Host, port and database.
        server: String,
        /// What the server or the system said.
        reason: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The connection to the database server broke, or the server stops or starts. Try again later.
    #[error("the connection to PostgreSQL at {server} broke: {reason}")]
    ConnectionLost {
        /// Host, port and database.
        server: String,
        /// What the server or the system said.
        reason: String,
    },
    /// The server undid the transaction in favour of another one: nothing of it is kept. Try again.
    #[error("the server undid the change in favour of another one: {reason}")]
    Undone {
        /// What the server said.
        reason: String,
    },
    /// The connection broke in a commit, and what became of that is not known. Look before trying again.
    #[error(
        "the connection to PostgreSQL at {server} broke while a change was being committed, and whether it was kept is \
         not known: {reason}"
    )]
    Uncertain {
        /// Host, port and database.
        server: String,
        /// What the server or the system said.
        reason: String,
    },
    /// The database was written by a newer version of this program.
    #[error("the database has schema {found}, this program knows {known}: use a newer version")]
    NewerSchema {
        /// The database's.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// The address names no database this build can use.
    #[error(
        "{url} cannot be used by this build: write sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME"
    )]
    Address {
        /// As it was given, without a password.
        url: String,
    },
    /// There is no such row.
    #[error("{kind} {id} is not stored")]
    NotFound {
        /// What was looked for, such as `project`.
        kind: &'static str,
        /// The key that was looked for.
        id: String,
    },
    /// A value that cannot be stored.
    #[error("{field}: {reason}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it and what is accepted.
        reason: String,
    },
    /// The stored state does not allow the change.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The caller's cancel flag was raised; whole chunks up to here are kept.
    #[error("cancelled")]
    Cancelled,
    /// A stored row does not read back as what was written.
    #[error("{what} {id} holds {found:?}")]
    BadRow {
        /// Table and column.
        what: &'static str,
        /// The row.
        id: i64,
        /// What it holds.
        found: String,
    },
    /// The engine refused a statement for another reason: a defect of this crate.
    #[error("a statement failed")]
    Statement {
        /// The statement.
        sql: String,
        /// What the engine said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A change that the stored state does not allow. Asking again will not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Conflict {
    /// A project cannot be its own parent.
    #[error("same node: project {0} cannot be its own parent")]
    SameNode(i64),
    /// The project has this parent already.
    #[error("same parent: project {0} has this parent already")]
    SameParent(i64),
    /// The new parent lies below the project.
    #[error("would break the tree: project {parent} lies below {project}")]
    WouldBreakTree {
        /// The project to move.
        project: i64,
        /// The parent asked for.
        parent: i64,
    },
    /// The links above the new parent lead round in a circle.
    #[error("project {0} is its own ancestor: mend that first")]
    Broken(i64),
    /// The project has results inherited from its present parent; a forced move cuts these links.
    #[error(
        "project {0} has results inherited from its parent: move it with force to cut the links"
    )]
    InheritedResults(i64),
    /// A percentage period has an update already.
    #[error("one update per period: percentage period {0} has one")]
    OneUpdatePerPeriod(i64),
    /// A percentage period takes its numbers from the children.
    #[error("period {0} takes its value from contributing children")]
    ValueFromChildren(i64),
    /// A period with updates takes no manual value.
    #[error("period {0} has updates and takes no manual value")]
    HasUpdates(i64),
    /// The row belongs to a project above and can be deleted there alone.
    #[error("{kind} {id} is inherited and can be deleted at the project it comes from alone")]
    Inherited {
        /// What it is.
        kind: &'static str,
        /// Its id.
        id: i64,
    },
    /// Another row has this value already.
    #[error("{what} {value:?} is in use")]
    Taken {
        /// Table and column.
        what: &'static str,
        /// The value.
        value: String,
    },
    /// A job can be asked for again only once it was given up.
    #[error("job {id} is {state}, not maxxed")]
    JobNotMaxxed {
        /// The job.
        id: i64,
        /// The state it is in.
        state: String,
    },
    /// The worker's lease on a job is over: somebody else may hold it.
    #[error("job {0} is not held by this worker any more")]
    LeaseLost(i64),
}

impl Error {
    /// Whether the same call may succeed a moment later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. }
                | Self::Locked
                | Self::Slow { .. }
                | Self::ConnectionLost { .. }
                | Self::Undone { .. }
        )
    }

    /// Whether a transaction that ended so kept nothing and waited for nothing: the same one may be tried again at once.
    #[must_use]
    pub fn is_undone(&self) -> bool {
        matches!(self, Self::ConnectionLost { .. } | Self::Undone { .. })
    }

    pub(crate) fn not_found(kind: &'static str, id: impl ToString) -> Self {
        Self::NotFound {
            kind,
            id: id.to_string(),
        }
    }
}
