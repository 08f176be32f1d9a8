//! The tree as it is stored.

use rsr_base::ProjectId;

use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::sql::params;
use crate::tree::{check, positions};

/// Where a project stands in its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The topmost project.
    pub root: ProjectId,
    /// Levels below it.
    pub depth: u64,
}

impl Snapshot {
    /// Where a project stands; `None` for what no root leads to, which is in a cycle or below one.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn place(&self, id: ProjectId) -> Result<Option<Place>, Error> {
        Ok(positions::of(self.db(), id)?.map(|position| Place {
            root: ProjectId(position.root),
            depth: position.depth.unsigned_abs(),
        }))
    }

    /// A project and those above it, each once, in no particular order; none where it is not stored. Of a chain longer
    /// than `n` the nearest.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn with_ancestors(&self, id: ProjectId, n: usize) -> Result<Vec<ProjectId>, Error> {
        self.db().rows(
            "WITH RECURSIVE up(id) AS (
                 SELECT id FROM projects WHERE id = ?1 /*! AND root_id = ?root */
                 UNION
                 SELECT p.parent_id FROM up JOIN projects p ON p.id = up.id /*! AND p.root_id = ?root */ WHERE p.parent_id IS NOT NULL)
             SELECT id FROM up LIMIT ?2",
            params![id, i64::try_from(n).unwrap_or(i64::MAX), self.root_of(id)?],
            |row| Ok(ProjectId(row.int(0)?)),
        )
    }

    /// Everything below a project, depth first, newest children first, with its depth below the project; `n` at most,
    /// from the one after `after` on.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn branch(
        &self,
        id: ProjectId,
        after: Option<ProjectId>,
        n: usize,
    ) -> Result<Vec<(ProjectId, u64)>, Error> {
        self.db().rows(
            "SELECT o.project_id, o.depth - top.depth FROM positions top
             JOIN positions o ON o.root_id = top.root_id AND o.place <= top.last_place
                 AND o.place > coalesce((SELECT place FROM positions WHERE project_id = ?2), top.place)
             WHERE top.project_id = ?1 ORDER BY o.place LIMIT ?3",
            params![id, after, i64::try_from(n).unwrap_or(i64::MAX)],
            |row| Ok((ProjectId(row.int(0)?), row.int(1)?.unsigned_abs())),
        )
    }

    /// Projects with ids above `after` whose derived position is not what the parent links say, by id, `n` at most.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn position_disagreements(
        &self,
        after: Option<ProjectId>,
        n: usize,
    ) -> Result<Vec<ProjectId>, Error> {
        check::disagreements(self.db(), after, i64::try_from(n).unwrap_or(i64::MAX))
    }

    /// Parent links as they are stored, of the projects with ids above `after`, by id, `n` at most.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn parent_links(
        &self,
        after: Option<ProjectId>,
        n: usize,
    ) -> Result<Vec<(ProjectId, Option<ProjectId>)>, Error> {
        self.db().rows(
            "SELECT id, parent_id FROM projects WHERE id > ?1 ORDER BY id LIMIT ?2",
            params![
                after.map_or(i64::MIN, |id| id.0),
                i64::try_from(n).unwrap_or(i64::MAX)
            ],
            |row| Ok((ProjectId(row.int(0)?), row.opt_int(1)?.map(ProjectId))),
        )
    }
}
