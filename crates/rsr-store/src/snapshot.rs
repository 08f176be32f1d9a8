//! Reading at one moment.

use std::cell::Cell;

use rsr_base::ProjectId;

use crate::error::Error;
use crate::pool::Pooled;
use crate::rows::Project;
use crate::sql::{Root, Session, Work, params};

/// The data at one moment: whatever is written meanwhile, a snapshot answers the same.
///
/// It holds one pooled connection until it is dropped, so it should be short-lived or counted on. It may move to another thread,
/// and is used by one thread at a time.
#[derive(Debug)]
pub struct Snapshot {
    db: Pooled,
    /// The project whose root was asked for last, and the root: where nothing can move meanwhile.
    last_root: Option<Cell<Option<(ProjectId, Root)>>>,
}

impl Snapshot {
    pub(crate) fn new(db: Pooled) -> Self {
        Self {
            db,
            last_root: Some(Cell::default()),
        }
    }

    /// What a transaction that writes reads: trees may change under it.
    pub(crate) fn of_writer(db: Pooled) -> Self {
        Self {
            db,
            last_root: None,
        }
    }

    /// The root of a project's tree. Asked for once where the questions that follow are about the same project.
    pub(crate) fn root_of(&self, project: ProjectId) -> Result<Root, Error> {
        let Some(last) = &self.last_root else {
            return Root::of_project(self.db(), project);
        };
        if let Some((known, root)) = last.get()
            && known == project
        {
            return Ok(root);
        }
        let root = Root::of_project(self.db(), project)?;
        last.set(Some((project, root)));
        Ok(root)
    }

    pub(crate) fn db(&self) -> &dyn Session {
        &*self.db
    }

    /// Whether somebody waits for its connection.
    pub(crate) fn is_wanted(&self) -> bool {
        self.db.is_wanted()
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
                    "SELECT {} FROM projects p WHERE p.id = ?1 /*! AND p.root_id = ?root */",
                    Project::COLUMNS
                ),
                params![id, self.root_of(id)?],
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
