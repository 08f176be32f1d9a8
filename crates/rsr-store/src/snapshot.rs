//! Reading at one moment.

use rsr_base::ProjectId;

use crate::error::Error;
use crate::pool::Pooled;
use crate::rows::Project;
use crate::sql::{Session, Work, params};

/// The data at one moment: whatever is written meanwhile, a snapshot answers the same.
///
/// It holds one pooled connection until it is dropped, so it should be short-lived or counted on. It may move to another thread,
/// and is used by one thread at a time.
#[derive(Debug)]
pub struct Snapshot {
    db: Pooled,
}

impl Snapshot {
    pub(crate) fn new(db: Pooled) -> Self {
        Self { db }
    }

    pub(crate) fn db(&self) -> &dyn Session {
        &*self.db
    }

    /// What reading through its connection has cost since that was opened: the difference between two of these is the
    /// work in between.
    #[must_use]
    pub fn work(&self) -> Work {
        self.db().work()
    }

    /// A project's own columns.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn project(&self, id: ProjectId) -> Result<Project, Error> {
        self.db()
            .row(
                &format!(
                    "SELECT {} FROM projects p WHERE p.id = ?1",
                    Project::COLUMNS
                ),
                params![id],
                Project::read,
            )?
            .ok_or_else(|| Error::not_found("project", id))
    }

    /// The project that has this IATI identifier.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn project_by_identifier(&self, identifier: &str) -> Result<Option<ProjectId>, Error> {
        self.db().row(
            "SELECT id FROM projects WHERE iati_identifier = ?1",
            params![identifier],
            |row| Ok(ProjectId(row.int(0)?)),
        )
    }
}
