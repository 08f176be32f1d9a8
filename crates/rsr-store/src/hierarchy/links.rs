//! Parent links as they are stored.

use rsr_base::ProjectId;
use rsr_hierarchy::{MoveSource, Parent, ParentSource};

use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::sql::params;

impl ParentSource for Snapshot {
    type Error = Error;

    fn parent(&mut self, node: ProjectId) -> Result<Parent, Error> {
        let found = self.db().row(
            "SELECT parent_id FROM projects WHERE id = ?1 /*! AND root_id = ?root */",
            params![node, self.root_of(node)?],
            |row| row.opt_int(0),
        )?;
        Ok(match found {
            None => Parent::Unknown,
            Some(None) => Parent::Root,
            Some(Some(parent)) => Parent::Node(ProjectId(parent)),
        })
    }

    fn ancestors(
        &mut self,
        node: ProjectId,
        n: usize,
        ancestors: &mut Vec<ProjectId>,
    ) -> Result<(), Error> {
        let found = self.db().rows(
            "WITH RECURSIVE up(id, parent, nth) AS (
                 SELECT p.id, p.parent_id, CAST(0 AS BIGINT) FROM projects p
                 WHERE p.id = ?1 /*! AND p.root_id = ?root */
                 UNION ALL
                 SELECT p.id, p.parent_id, up.nth + 1
                 FROM up JOIN projects p ON p.id = up.parent /*! AND p.root_id = ?root */
                 WHERE up.nth < ?2)
             SELECT id FROM up WHERE nth > 0 ORDER BY nth",
            params![
                node,
                i64::try_from(n).unwrap_or(i64::MAX),
                self.root_of(node)?
            ],
            |row| Ok(ProjectId(row.int(0)?)),
        )?;
        ancestors.extend(found);
        Ok(())
    }
}

impl MoveSource for Snapshot {
    fn has_inherited_results(&mut self, node: ProjectId) -> Result<bool, Error> {
        let found = self.db().number(
            "SELECT EXISTS (SELECT 1 FROM results
                 WHERE project_id = ?1 /*! AND root_id = ?root */ AND parent_result_id IS NOT NULL)",
            params![node, self.root_of(node)?],
        )?;
        Ok(found != 0)
    }
}
