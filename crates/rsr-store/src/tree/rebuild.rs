//! Positions numbered anew from the parent links, depth first, in memory that grows with the depth alone.

use rsr_base::ProjectId;

use super::GAP;
use crate::error::Error;
use crate::sql::{Session, params};

/// Most roots read at once.
const ROOTS_PER_CHUNK: i64 = 1_000;

/// Numbers every tree anew. Only rows that change are written; what no root leads to has no position afterwards.
///
/// O(n log n) time. A project whose parent is not stored counts as a root.
pub(crate) fn all(db: &dyn Session) -> Result<(), Error> {
    // In one statement each: what became a root, what is none any more, and the many roots without children.
    db.execute(
        "DELETE FROM positions WHERE root_id <> project_id
         AND project_id IN (SELECT p.id FROM projects p WHERE p.parent_id IS NULL)",
        params![],
    )?;
    db.execute(
        "DELETE FROM positions WHERE root_id = project_id
         AND project_id IN (SELECT p.id FROM projects p JOIN projects u ON u.id = p.parent_id)",
        params![],
    )?;
    db.execute(
        "INSERT INTO positions (project_id, root_id, depth, place, last_place)
         SELECT p.id, p.id, 0, ?1, ?1 FROM projects p WHERE p.parent_id IS NULL
         AND NOT EXISTS (SELECT 1 FROM positions o WHERE o.project_id = p.id)",
        params![GAP],
    )?;
    let mut after = i64::MIN;
    loop {
        let roots = db.rows(
            "SELECT p.id FROM projects p WHERE p.id > ?1
             AND (p.parent_id IS NULL OR NOT EXISTS (SELECT 1 FROM projects u WHERE u.id = p.parent_id))
             AND (EXISTS (SELECT 1 FROM projects c WHERE c.parent_id = p.id)
                  OR NOT EXISTS (SELECT 1 FROM positions o WHERE o.project_id = p.id AND o.root_id = p.id
                                 AND o.depth = 0 AND o.last_place = o.place))
             ORDER BY p.id LIMIT ?2",
            params![after, ROOTS_PER_CHUNK],
            |row| row.int(0),
        )?;
        let Some(last) = roots.last() else { break };
        after = *last;
        for root in roots {
            tree(db, root)?;
        }
    }
    drop_unreached(db)
}

/// Takes positions away from the projects that no root leads to any more.
fn drop_unreached(db: &dyn Session) -> Result<(), Error> {
    // Each tree was walked, so a row is stale exactly where its parent's row is missing or of another tree.
    while db.execute(
        "DELETE FROM positions WHERE project_id IN (
             SELECT o.project_id FROM positions o JOIN projects p ON p.id = o.project_id
             WHERE o.root_id <> o.project_id AND NOT EXISTS (
                 SELECT 1 FROM positions a WHERE a.project_id = p.parent_id AND a.root_id = o.root_id
                 AND a.depth = o.depth - 1 AND a.place < o.place AND o.last_place <= a.last_place))",
        params![],
    )? > 0
    {}
    Ok(())
}

/// Numbers the tree that a project is in, by its parent links; takes the positions away where they go round in a cycle.
pub(crate) fn tree_of(db: &dyn Session, id: ProjectId) -> Result<(), Error> {
    let top = db.row(
        "WITH RECURSIVE up(id, parent) AS (
             SELECT p.id, p.parent_id FROM projects p WHERE p.id = ?1
             UNION SELECT p.id, p.parent_id FROM up JOIN projects p ON p.id = up.parent)
         SELECT up.id FROM up WHERE up.parent IS NULL
             OR NOT EXISTS (SELECT 1 FROM projects u WHERE u.id = up.parent)",
        params![id],
        |row| row.int(0),
    )?;
    match top {
        Some(root) => tree(db, root),
        None => drop_unreached(db),
    }
}

/// A project on the way down.
struct Level {
    id: i64,
    place: i64,
    /// The child visited last: the next one has a smaller id.
    child: i64,
}

/// Numbers the tree of one root.
pub(crate) fn tree(db: &dyn Session, root: i64) -> Result<(), Error> {
    let mut place = GAP;
    let mut levels = vec![Level {
        id: root,
        place,
        child: i64::MAX,
    }];
    while let Some(level) = levels.last_mut() {
        let next = db.row(
            "SELECT id FROM projects WHERE parent_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT 1",
            params![level.id, level.child],
            |row| row.int(0),
        )?;
        if let Some(child) = next {
            level.child = child;
            place += GAP;
            levels.push(Level {
                id: child,
                place,
                child: i64::MAX,
            });
        } else {
            let depth = i64::try_from(levels.len() - 1).unwrap_or(i64::MAX);
            let Some(done) = levels.pop() else { break };
            write(db, &done, root, depth, place)?;
        }
    }
    Ok(())
}

/// Writes a position where it differs from the stored one.
fn write(
    db: &dyn Session,
    done: &Level,
    root: i64,
    depth: i64,
    last_place: i64,
) -> Result<(), Error> {
    db.execute(
        "INSERT INTO positions (project_id, root_id, depth, place, last_place) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (project_id) DO UPDATE SET root_id = excluded.root_id, depth = excluded.depth,
             place = excluded.place, last_place = excluded.last_place
         WHERE positions.root_id <> excluded.root_id OR positions.depth <> excluded.depth
             OR positions.place <> excluded.place OR positions.last_place <> excluded.last_place",
        params![done.id, root, depth, done.place, last_place],
    )?;
    Ok(())
}
