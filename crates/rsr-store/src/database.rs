//! The database as a whole: what it holds, whether it is sound, and a copy of it.

use std::path::{Path, PathBuf};

use rsr_base::ByteSize;

use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::sql::{Row, params};
use crate::store::Store;

/// What a database holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatabaseStatus {
    /// Where it is.
    pub path: PathBuf,
    /// Its schema version.
    pub schema_version: i64,
    /// The size of its file, and of the log of what was written last.
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
            path: self.path().to_owned(),
            schema_version: db.number("PRAGMA user_version", params![])?,
            size: size_of(self.path()) + size_of(&beside(self.path(), "-wal")),
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
        let mut complaints = db.rows(
            &format!("PRAGMA integrity_check({COMPLAINTS_MAX})"),
            params![],
            |row| row.string(0),
        )?;
        complaints.retain(|complaint| complaint != "ok");
        let broken_links = db.rows("PRAGMA foreign_key_check", params![], |row: &dyn Row| {
            Ok(format!(
                "row {} of {} refers to a row of {} that is not there",
                row.int(1)?,
                row.text(0)?,
                row.text(2)?
            ))
        })?;
        complaints.extend(broken_links);
        complaints.extend(misplaced(&snapshot)?);
        complaints.truncate(COMPLAINTS_MAX);
        Ok(complaints)
    }

    /// Writes a copy of the database as it is at this moment, while others read and write it.
    ///
    /// The copy is written beside its target and then renamed, so that nothing half-written stands under its name.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where there is a file already, [`Error::DiskFull`], [`Error::Io`].
    pub fn backup(&self, target: &Path) -> Result<(), Error> {
        if target.exists() {
            return Err(Error::Invalid {
                field: "target",
                reason: format!("{} exists already", target.display()),
            });
        }
        let partial = beside(target, ".partial");
        let io = |error: std::io::Error| Error::Io {
            reason: format!("{}: {error}", partial.display()),
        };
        if partial.exists() {
            std::fs::remove_file(&partial).map_err(io)?;
        }
        let text = partial.to_str().ok_or_else(|| Error::Invalid {
            field: "target",
            reason: format!("{} is not UTF-8", target.display()),
        })?;
        // Copying reads one moment and keeps nobody from writing; pooled readers may not write, not even another file.
        let copied = self
            .connection_apart()?
            .execute("VACUUM INTO ?1", params![text]);
        if let Err(error) = copied {
            // What is left of a copy that failed is of no use; that it cannot be removed either changes nothing.
            drop(std::fs::remove_file(&partial));
            return Err(error);
        }
        let synced = std::fs::File::open(&partial).and_then(|file| file.sync_all());
        synced.map_err(io)?;
        std::fs::rename(&partial, target).map_err(io)
    }
}

/// Projects whose derived position is wrong, as complaints.
fn misplaced(snapshot: &Snapshot) -> Result<Vec<String>, Error> {
    let misplaced = snapshot.position_disagreements(None, COMPLAINTS_MAX)?;
    let complaint = |id| format!("the position of project {id} is not what the parent links say");
    Ok(misplaced.into_iter().map(complaint).collect())
}

fn size_of(path: &Path) -> ByteSize {
    ByteSize::from_bytes(std::fs::metadata(path).map_or(0, |metadata| metadata.len()))
}

/// The path with something added to its file name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
