//! Positions compared with the parent links.

use rsr_base::ProjectId;

use super::WAITING;
use crate::error::Error;
use crate::sql::{Session, params};

/// Projects with ids above `after` whose position is not what the parent links say, by id, `n` at most.
///
/// The conditions are local, to the parent and the siblings next to it, and hold everywhere only where every tree is
/// numbered depth first, newest children first. What an import has stored and not linked yet stands behind all branches.
pub(crate) fn disagreements(
    db: &dyn Session,
    after: Option<ProjectId>,
    n: i64,
) -> Result<Vec<ProjectId>, Error> {
    db.rows(
        "SELECT p.id FROM projects p
         LEFT JOIN positions o ON o.project_id = p.id
         LEFT JOIN projects u ON u.id = p.parent_id
         LEFT JOIN positions a ON a.project_id = u.id
         WHERE p.id > ?1 AND (/*! p.root_id <> coalesce(o.root_id, 0) OR */ CASE
             WHEN u.id IS NULL AND o.place >= ?3 THEN false
             WHEN u.id IS NULL THEN o.project_id IS NULL OR o.root_id <> p.id OR o.depth <> 0
             WHEN a.project_id IS NULL THEN o.project_id IS NOT NULL
             ELSE o.project_id IS NULL OR o.root_id <> a.root_id OR o.depth <> a.depth + 1
                 OR o.place <= a.place OR o.last_place > a.last_place END
             OR coalesce(o.last_place <> coalesce(
                 (SELECT x.last_place FROM projects c JOIN positions x ON x.project_id = c.id
                  WHERE c.parent_id = p.id ORDER BY c.id LIMIT 1), o.place), false)
             OR coalesce(o.last_place >= (SELECT x.place FROM projects c JOIN positions x ON x.project_id = c.id
                  WHERE c.parent_id = p.parent_id AND c.id < p.id ORDER BY c.id DESC LIMIT 1), false))
         ORDER BY p.id LIMIT ?2",
        params![after.map_or(i64::MIN, |id| id.0), n, WAITING],
        |row| Ok(ProjectId(row.int(0)?)),
    )
}
