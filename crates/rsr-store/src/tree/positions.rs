//! Positions kept current on every insert, move and delete.
//!
//! A tree's places are numbers with gaps. A new child is the newest and so the first of its siblings: it goes right
//! behind its parent. Where a gap is used up, that one tree is numbered anew.

use rsr_base::ProjectId;

use super::rebuild;
use super::{GAP, STEP, WAITING};
use crate::error::Error;
use crate::sql::{Root, Session, Table, params};

const POSITIONS: Table = Table {
    name: "positions",
    level: 2,
    columns: &["project_id", "root_id", "depth", "place", "last_place"],
};

/// Where a project stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) root: i64,
    pub(crate) depth: i64,
    pub(crate) place: i64,
    pub(crate) last_place: i64,
}

/// The position of a project. `None` for what no root leads to: a cycle and what hangs below it.
pub(crate) fn of(db: &dyn Session, id: ProjectId) -> Result<Option<Position>, Error> {
    db.row(
        "SELECT root_id, depth, place, last_place FROM positions WHERE project_id = ?1",
        params![id],
        |row| {
            Ok(Position {
                root: row.int(0)?,
                depth: row.int(1)?,
                place: row.int(2)?,
                last_place: row.int(3)?,
            })
        },
    )
}

/// Positions a project that was just stored and has nothing below it.
pub(crate) fn insert(
    db: &dyn Session,
    id: ProjectId,
    parent: Option<ProjectId>,
) -> Result<(), Error> {
    db.put(&POSITIONS, params![id, id, 0_i64, GAP, GAP])?;
    match parent {
        Some(parent) => attach(db, id, parent),
        None => Ok(()),
    }
}

/// Positions an activity that is stored for the first time, and has no parent until the end of its import: in the tree that
/// it will be in, where that is known, so that its rows need not go there later. It waits there behind all branches.
/// Answers its root.
pub(crate) fn insert_waiting(
    db: &dyn Session,
    id: ProjectId,
    root: Option<Root>,
) -> Result<Root, Error> {
    let Some(root) = root else {
        insert(db, id, None)?;
        return Ok(Root(id.0));
    };
    let place = id.0.saturating_mul(STEP).saturating_add(2 * WAITING);
    db.put(&POSITIONS, params![id, root.0, 0_i64, place, place])?;
    Ok(root)
}

/// Brings the positions of a branch up to date after its top got another parent.
pub(crate) fn relocate(
    db: &dyn Session,
    id: ProjectId,
    from: Option<ProjectId>,
    to: Option<ProjectId>,
) -> Result<(), Error> {
    let before = Root::of_project(db, id)?;
    if !detach(db, id, from)? {
        rebuild::tree_of(db, id)?;
    } else if let Some(parent) = to {
        attach(db, id, parent)?;
    }
    settle(db, id, before)
}

/// Brings the roots of a branch's rows up to date with the positions that this transaction gave it.
fn settle(db: &dyn Session, id: ProjectId, before: Root) -> Result<(), Error> {
    if !db.has_roots() {
        return Ok(());
    }
    if let Some(top) = of(db, id)?
        && Root(top.root) != before
    {
        // The whole branch at once. A server that cannot take a row to another tree refuses this, and with it the move.
        db.execute(
            "UPDATE projects SET root_id = ?1 FROM positions o
             WHERE o.project_id = projects.id AND o.root_id = ?1 AND o.place BETWEEN ?2 AND ?3 AND projects.root_id <> ?1",
            params![top.root, top.place, top.last_place],
        )?;
    }
    // What else got another place: a tree that was numbered anew, or what a circle holds.
    db.settle_roots()
}

/// Makes a branch a tree of its own. Answers `false` where it has no positions.
pub(crate) fn detach(
    db: &dyn Session,
    id: ProjectId,
    parent: Option<ProjectId>,
) -> Result<bool, Error> {
    let Some(top) = of(db, id)? else {
        return Ok(false);
    };
    if top.root == id.0 {
        return Ok(true);
    }
    if let Some(parent) = parent {
        let before = db.number(
            "SELECT max(place) FROM positions WHERE root_id = ?1 AND place < ?2",
            params![top.root, top.place],
        )?;
        end_branches(db, (Root(top.root), parent), top.last_place, before)?;
    }
    db.execute(
        "UPDATE positions SET root_id = ?4, depth = depth - ?5
         WHERE root_id = ?1 AND place BETWEEN ?2 AND ?3",
        params![top.root, top.place, top.last_place, id, top.depth],
    )?;
    Ok(true)
}

/// Puts a tree below `parent`, where its top's id belongs among the siblings.
fn attach(db: &dyn Session, id: ProjectId, parent: ProjectId) -> Result<(), Error> {
    let (Some(top), Some(above)) = (of(db, id)?, of(db, parent)?) else {
        // Below a cycle nothing has a position.
        db.execute("DELETE FROM positions WHERE root_id = ?1", params![id])?;
        return Ok(());
    };
    let sibling_end = db.row(
        "SELECT o.last_place FROM projects p JOIN positions o ON o.project_id = p.id
         WHERE p.parent_id = ?1 /*! AND p.root_id = ?root */ AND p.id > ?2 ORDER BY p.id LIMIT 1",
        params![parent, id, Root(above.root)],
        |row| row.int(0),
    )?;
    let behind = sibling_end.unwrap_or(above.place);
    // What waits is in nobody's way.
    let end = if behind < WAITING { WAITING } else { i64::MAX };
    let next = db.row(
        "SELECT place FROM positions WHERE root_id = ?1 AND place > ?2 AND place < ?3 ORDER BY place LIMIT 1",
        params![above.root, behind, end],
        |row| row.int(0),
    )?;
    let Some(first) = room(behind, next, top.last_place - top.place) else {
        return rebuild::tree(db, above.root);
    };
    let shift = first - top.place;
    db.execute(
        "UPDATE positions SET root_id = ?2, depth = depth + ?3, place = place + ?4, last_place = last_place + ?4
         WHERE root_id = ?1",
        params![id, above.root, above.depth + 1, shift],
    )?;
    if above.last_place == behind {
        end_branches(
            db,
            (Root(above.root), parent),
            behind,
            top.last_place + shift,
        )?;
    }
    Ok(())
}

/// The place from which a branch of this `span` fits between two places.
fn room(behind: i64, next: Option<i64>, span: i64) -> Option<i64> {
    let Some(next) = next else {
        let first = behind.checked_add(GAP)?;
        return first.checked_add(span).map(|_last| first);
    };
    let spare = (next - behind - 1).checked_sub(span)?;
    // Close to what follows, so that the room behind the parent lasts for many newer siblings.
    (spare > 0).then(|| next - span - STEP.min(spare / 2).max(1))
}

/// Gives the branches that ended at `old` the end `new`: `from` and those above it, up to the first that ends elsewhere.
fn end_branches(
    db: &dyn Session,
    (root, from): (Root, ProjectId),
    old: i64,
    new: i64,
) -> Result<(), Error> {
    db.execute(
        "WITH RECURSIVE up(id, parent) AS (
             SELECT p.id, p.parent_id FROM projects p JOIN positions o ON o.project_id = p.id
             WHERE p.id = ?1 /*! AND p.root_id = ?root */ AND o.last_place = ?2
             UNION
             SELECT p.id, p.parent_id FROM up JOIN projects p ON p.id = up.parent /*! AND p.root_id = ?root */
             JOIN positions o ON o.project_id = p.id WHERE o.last_place = ?2)
         UPDATE positions SET last_place = ?3 WHERE project_id IN (SELECT id FROM up)",
        params![from, old, new, root],
    )?;
    Ok(())
}
