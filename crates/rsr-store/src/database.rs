//! The database as a whole: what it holds, whether it is sound, and a copy of it.

use std::path::Path;

use rsr_base::ByteSize;

use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::sql::params;
use crate::store::Store;

/// What a database holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatabaseStatus {
    /// Where it is: the file, or the server with the database's name.
    pub location: String,
    /// Its schema version.
    pub schema_version: i64,
    /// What it takes on the disk; with SQLite, of its file and of the log of what was written last.
    pub size: ByteSize,
    /// Rows of each table that people ask for.
    pub rows: Vec<(&'static str, u64)>,
}

/// Most complaints that an integrity check gathers.
const COMPLAINTS_MAX: usize = 100;

const TABLES: [&str; 8] = [
    "projects",
    "project_elements",
    "results",
    "indicators",
    "periods",
    "updates",
    "jobs",
    "users",
];

impl Store {
    /// Where the database is and what it holds, at one moment.
    ///
    /// # Errors
    ///
    /// As [`Store::snapshot`].
    pub fn status(&self) -> Result<DatabaseStatus, Error> {
        let snapshot = self.snapshot()?;
        let db = snapshot.db();
        let mut rows = Vec::new();
        for table in TABLES {
            let n = db.number(&format!("SELECT count(*) FROM {table}"), params![])?;
            rows.push((table, n.unsigned_abs()));
        }
        Ok(DatabaseStatus {
            location: self.location(),
            schema_version: self.engine().schema_version(db)?,
            size: self.engine().size(db)?,
            rows,
        })
    }

    /// Reads the whole database and answers what is wrong with it, a hundred complaints at most; none where it is sound.
    ///
    /// # Errors
    ///
    /// As [`Store::snapshot`]; [`Error::Corrupt`] where it cannot even be read.
    pub fn check_integrity(&self) -> Result<Vec<String>, Error> {
        let snapshot = self.snapshot()?;
        let db = snapshot.db();
        let mut complaints = self.engine().complaints(db, COMPLAINTS_MAX)?;
        complaints.extend(misplaced(&snapshot)?);
        complaints.truncate(COMPLAINTS_MAX);
        Ok(complaints)
    }

    /// Brings everything that was written into the database's file, so that the file alone is the whole database. Does
    /// nothing where a server keeps it.
    ///
    /// # Errors
    ///
    /// Those of the database alone; that somebody reads and holds it up is none.
    pub fn checkpoint(&self) -> Result<(), Error> {
        self.engine().checkpoint()
    }

    /// Writes a copy of the database as it is at this moment, while others read and write it.
    ///
    /// The copy is written beside its target and then renamed, so that nothing half-written stands under its name.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where there is a file already, and for PostgreSQL, which `pg_dump` copies; [`Error::DiskFull`],
    /// [`Error::Io`].
    pub fn backup(&self, target: &Path) -> Result<(), Error> {
        self.engine().copy_to(target)
    }
}

/// Projects whose derived position is wrong, as complaints.
fn misplaced(snapshot: &Snapshot) -> Result<Vec<String>, Error> {
    let misplaced = snapshot.position_disagreements(None, COMPLAINTS_MAX)?;
    let complaint = |id| format!("the position of project {id} is not what the parent links say");
    Ok(misplaced.into_iter().map(complaint).collect())
}
