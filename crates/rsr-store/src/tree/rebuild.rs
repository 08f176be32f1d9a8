//! Positions numbered anew from the parent links, depth first.
//!
//! Children are read by key, many at a time, and what was numbered is gathered in a temporary table, from where one
//! statement takes what differs. So a million projects are some ten thousands of statements, not millions, and memory holds
//! the way down and the siblings that are still to be visited, up to a bound.

use std::collections::VecDeque;

use rsr_base::ProjectId;

use super::{GAP, WAITING};
use crate::error::Error;
use crate::sql::{Session, Table, params};

/// Most roots read at once.
const ROOTS_PER_CHUNK: i64 = 1_000;
/// Most children read at once.
const CHILDREN_PER_CHUNK: usize = 1_000;
/// Siblings that are held on all levels together before chunks become small: one megabyte.
const HELD_MAX: usize = 1 << 16;
/// Children read at once where so many are held.
const CHILDREN_WHERE_MANY_ARE_HELD: usize = 8;
/// Positions written at once that plans should take note of.
const MANY: usize = 1_000;
/// Positions that are gathered before they are taken over.
const GATHERED_MAX: usize = 200_000;

/// Numbers every tree anew. Only rows that change are written; what no root leads to has no position afterwards.
///
/// O(n) rows, each found by an index. A project whose parent is not stored counts as a root.
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
    let mut numbering = Numbering::begin(db)?;
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
            numbering.tree(root)?;
        }
    }
    numbering.end()?;
    drop_unreached(db)
}

/// Takes positions away from the projects that no root leads to any more.
fn drop_unreached(db: &dyn Session) -> Result<(), Error> {
    // Each tree was numbered, so a row is stale where its parent's row is missing or does not hold it, and so is
    // everything below: going once round a circle of parents, some row disagrees with the one above it.
    db.execute(
        "WITH RECURSIVE gone(id) AS (
             SELECT o.project_id FROM positions o JOIN projects p ON p.id = o.project_id
             WHERE o.root_id <> o.project_id AND (o.place < ?1 OR p.parent_id IS NOT NULL) AND NOT EXISTS (
                 SELECT 1 FROM positions a WHERE a.project_id = p.parent_id AND a.root_id = o.root_id
                 AND a.depth = o.depth - 1 AND a.place < o.place AND o.last_place <= a.last_place)
             UNION
             SELECT c.id FROM gone JOIN projects c ON c.parent_id = gone.id)
         DELETE FROM positions WHERE project_id IN (SELECT id FROM gone)",
        params![WAITING],
    )?;
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

/// Numbers the tree of one root.
pub(crate) fn tree(db: &dyn Session, root: i64) -> Result<(), Error> {
    let mut numbering = Numbering::begin(db)?;
    numbering.tree(root)?;
    numbering.end()
}

/// What was numbered and is not taken over yet.
const ANEW: Table = Table {
    name: "positions_anew",
    level: 1,
    columns: &["project_id", "root_id", "depth", "place", "last_place"],
};

/// A project that is to be visited.
#[derive(Clone, Copy)]
struct Child {
    id: i64,
    has_children: bool,
}

/// A project on the way down.
struct Level {
    id: i64,
    place: i64,
    /// Children that were read and not visited yet, newest first.
    children: VecDeque<Child>,
    /// The child read last: the next ones have smaller ids.
    last: i64,
    /// Whether children may follow that were not read.
    more: bool,
}

impl Level {
    fn new(child: Child, place: i64) -> Self {
        Self {
            id: child.id,
            place,
            children: VecDeque::new(),
            last: i64::MAX,
            more: child.has_children,
        }
    }
}

struct Numbering<'a> {
    db: &'a dyn Session,
    /// Siblings that wait on all levels.
    n_held: usize,
    n_gathered: usize,
    n_written: usize,
}

impl<'a> Numbering<'a> {
    fn begin(db: &'a dyn Session) -> Result<Self, Error> {
        db.script(
            "CREATE TEMPORARY TABLE IF NOT EXISTS positions_anew (project_id BIGINT NOT NULL, root_id BIGINT NOT NULL,
                 depth BIGINT NOT NULL, place BIGINT NOT NULL, last_place BIGINT NOT NULL);
             DELETE FROM positions_anew",
        )?;
        Ok(Self {
            db,
            n_held: 0,
            n_gathered: 0,
            n_written: 0,
        })
    }

    fn tree(&mut self, root: i64) -> Result<(), Error> {
        let mut place = GAP;
        let top = Child {
            id: root,
            has_children: true,
        };
        let mut levels = vec![Level::new(top, place)];
        while let Some(level) = levels.last_mut() {
            if level.children.is_empty() && level.more {
                self.read(level)?;
            }
            if let Some(child) = level.children.pop_front() {
                self.n_held -= 1;
                place += GAP;
                levels.push(Level::new(child, place));
            } else {
                let depth = i64::try_from(levels.len() - 1).unwrap_or(i64::MAX);
                let Some(done) = levels.pop() else { break };
                self.put(&[done.id, root, depth, done.place, place])?;
            }
        }
        Ok(())
    }

    /// Reads the next children, with whether each has any itself: those without are not asked about again.
    fn read(&mut self, level: &mut Level) -> Result<(), Error> {
        let room = HELD_MAX.saturating_sub(self.n_held);
        let n = room.clamp(CHILDREN_WHERE_MANY_ARE_HELD, CHILDREN_PER_CHUNK);
        // Not EXISTS: a planner that expects many children would look through all projects at once to answer it.
        let found = self.db.rows(
            "SELECT c.id, coalesce((SELECT 1 FROM projects b WHERE b.parent_id = c.id LIMIT 1), 0)
             FROM projects c WHERE c.parent_id = ?1 AND c.id < ?2 ORDER BY c.id DESC LIMIT ?3",
            params![level.id, level.last, i64::try_from(n).unwrap_or(i64::MAX)],
            |row| {
                Ok(Child {
                    id: row.int(0)?,
                    has_children: row.flag(1)?,
                })
            },
        )?;
        level.more = found.len() == n;
        if let Some(last) = found.last() {
            level.last = last.id;
        }
        self.n_held += found.len();
        level.children = found.into();
        Ok(())
    }

    fn put(&mut self, position: &[i64; 5]) -> Result<(), Error> {
        self.db.put(&ANEW, &position.map(Into::into))?;
        self.n_gathered += 1;
        if self.n_gathered >= GATHERED_MAX {
            self.take_over()?;
        }
        Ok(())
    }

    /// Writes the positions that differ from the stored ones.
    fn take_over(&mut self) -> Result<(), Error> {
        // Some planners take what follows ON for a join where there is no condition before it.
        self.n_written += self.db.execute(
            "INSERT INTO positions (project_id, root_id, depth, place, last_place)
             SELECT project_id, root_id, depth, place, last_place FROM positions_anew WHERE true
             ON CONFLICT (project_id) DO UPDATE SET root_id = excluded.root_id, depth = excluded.depth,
                 place = excluded.place, last_place = excluded.last_place
             WHERE positions.root_id <> excluded.root_id OR positions.depth <> excluded.depth
                 OR positions.place <> excluded.place OR positions.last_place <> excluded.last_place",
            params![],
        )?;
        self.db.execute("DELETE FROM positions_anew", params![])?;
        self.n_gathered = 0;
        Ok(())
    }

    fn end(mut self) -> Result<(), Error> {
        self.take_over()?;
        if self.n_written >= MANY {
            // A planner that knows nothing of them sorts a whole tree for the first of its rows.
            self.db.note_bulk(&["projects", "positions"])?;
        }
        Ok(())
    }
}
