//! What lies below some siblings, depth first, along the places of their tree.
//!
//! Siblings that follow each other in the tree are read as one range, so that an answer in the usual order is one scan
//! whatever the number of siblings. Another order splits them into more ranges, one query each.

use std::collections::HashMap;
use std::num::NonZeroU32;

use rsr_base::ProjectId;
use rsr_hierarchy::{BranchNode, Node, Scope, Waypoint};

use super::row::{ChildRow, children_counts, rows};
use super::scope::Query;
use crate::error::Error;
use crate::rows::Project;
use crate::sql::{IDS, Root, Roots, Session, id_list, params};
use crate::tree::positions::{self, Position};

/// Where reading branches stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    nth: usize,
    place: i64,
}

/// A node found in a range.
struct Found {
    nth: usize,
    depth: u32,
    project: Project,
}

/// A row of a range.
struct Scanned {
    project: Project,
    depth: i64,
    place: i64,
    last_place: i64,
    is_within: bool,
}

pub(super) fn read(
    db: &dyn Session,
    scope: &Scope<'_>,
    of: &[ProjectId],
    depth_max: Option<NonZeroU32>,
    resume: Option<Resume>,
    n: usize,
    nodes: &mut Vec<BranchNode<ChildRow>>,
) -> Result<Option<Resume>, Error> {
    let tops = places_of(db, of)?;
    let mut walk = Walk {
        db,
        scope,
        of,
        tops: &tops,
        depth_max,
        n,
        found: Vec::with_capacity(n.min(1_024)),
    };
    let next = walk.run(resume)?;
    let found = walk.found;
    let roots = tops.iter().flatten().map(|top| top.root).collect();
    fill(db, scope, found, nodes, &Roots::from_ids(roots))?;
    Ok(next)
}

fn places_of(db: &dyn Session, of: &[ProjectId]) -> Result<Vec<Option<Position>>, Error> {
    let sql = format!(
        "SELECT project_id, root_id, depth, place, last_place FROM positions WHERE project_id IN {IDS}"
    );
    let ids = id_list(of.iter().map(|id| id.0));
    let found = db.rows(&sql, params![&ids], |row| {
        let position = Position {
            root: row.int(1)?,
            depth: row.int(2)?,
            place: row.int(3)?,
            last_place: row.int(4)?,
        };
        Ok((row.int(0)?, position))
    })?;
    let by_id: HashMap<i64, Position> = found.into_iter().collect();
    Ok(of.iter().map(|id| by_id.get(&id.0).copied()).collect())
}

struct Walk<'a> {
    db: &'a dyn Session,
    scope: &'a Scope<'a>,
    of: &'a [ProjectId],
    tops: &'a [Option<Position>],
    depth_max: Option<NonZeroU32>,
    n: usize,
    found: Vec<Found>,
}

impl Walk<'_> {
    fn run(&mut self, resume: Option<Resume>) -> Result<Option<Resume>, Error> {
        let (mut nth, mut from) = match resume {
            Some(resume) => (resume.nth, Some(resume.place)),
            None => (0, None),
        };
        while nth < self.of.len() {
            // What no root leads to has no places: nothing is read below it, and nothing goes round.
            let Some(top) = self.tops.get(nth).copied().flatten() else {
                nth += 1;
                continue;
            };
            let end = self.run_end(nth, top);
            let to = match self.tops.get(end - 1).copied().flatten() {
                Some(last) => last.last_place,
                None => top.last_place,
            };
            let start = from.take().unwrap_or(top.place);
            if let Some(stopped) = self.range(nth, end, top, start, to)? {
                return Ok(Some(stopped));
            }
            nth = end;
        }
        Ok(None)
    }

    /// The end of the siblings from `nth` on that lie one behind the other.
    fn run_end(&self, nth: usize, top: Position) -> usize {
        let mut last = top;
        let mut end = nth + 1;
        while let Some(Some(next)) = self.tops.get(end) {
            if next.root != top.root || next.depth != top.depth || next.place <= last.last_place {
                break;
            }
            last = *next;
            end += 1;
        }
        end
    }

    /// Reads the range `from` < place ≤ `to` of the siblings `nth` to `end`. Answers where it stopped, `None` at its end.
    fn range(
        &mut self,
        nth: usize,
        end: usize,
        top: Position,
        from: i64,
        to: i64,
    ) -> Result<Option<Resume>, Error> {
        let tops: HashMap<i64, usize> = (nth..end)
            .filter_map(|nth| self.of.get(nth).map(|id| (id.0, nth)))
            .collect();
        let (mut nth, mut from) = (nth, from);
        while from < to {
            let scanned = self.scan(top, from, to)?;
            let is_last = scanned.len() <= self.n;
            for row in scanned {
                if row.place <= from {
                    continue; // below a hidden node
                }
                let before = std::mem::replace(&mut from, row.place);
                if row.depth == top.depth {
                    match tops.get(&row.project.id.0) {
                        Some(next) => nth = *next,
                        None => from = row.last_place,
                    }
                } else if row.is_within {
                    if self.found.len() >= self.n {
                        return Ok(Some(Resume { nth, place: before }));
                    }
                    self.found.push(Found {
                        nth,
                        depth: u32::try_from(row.depth - top.depth).unwrap_or(u32::MAX),
                        project: row.project,
                    });
                } else {
                    from = row.last_place;
                }
            }
            if is_last {
                break;
            }
        }
        Ok(None)
    }

    fn scan(&self, top: Position, from: i64, to: i64) -> Result<Vec<Scanned>, Error> {
        let mut query = Query::default();
        let (root, from, to) = (query.int(top.root), query.int(from), query.int(to));
        let depth_max = match self.depth_max {
            Some(depth) => top.depth.saturating_add(i64::from(depth.get())),
            None => i64::MAX,
        };
        let depth_max = query.int(depth_max);
        let within = query.within(self.scope);
        // One more than wanted tells whether there is more. Written out, so that a planner sees that few are wanted.
        let n = self.n.saturating_add(1);
        let sql = format!(
            "SELECT {}, o.depth, o.place, o.last_place, {within}
             FROM positions o JOIN projects p ON p.id = o.project_id /*! AND p.root_id = o.root_id */
             WHERE o.root_id = {root} AND o.place > {from} AND o.place <= {to} AND o.depth <= {depth_max}
             ORDER BY o.place LIMIT {n}",
            Project::COLUMNS
        );
        let own = Project::N_COLUMNS;
        self.db.rows(&sql, &query.params(), |row| {
            Ok(Scanned {
                project: Project::read(row)?,
                depth: row.int(own)?,
                place: row.int(own + 1)?,
                last_place: row.int(own + 2)?,
                is_within: row.flag(own + 3)?,
            })
        })
    }
}

/// Reads what is shown of the nodes found, for all of them at once.
fn fill(
    db: &dyn Session,
    scope: &Scope<'_>,
    found: Vec<Found>,
    nodes: &mut Vec<BranchNode<ChildRow>>,
    roots: &Roots,
) -> Result<(), Error> {
    if found.is_empty() {
        return Ok(());
    }
    let ids: Vec<ProjectId> = found.iter().map(|found| found.project.id).collect();
    let counts = children_counts(db, scope, &ids, roots)?;
    let mut places = Vec::with_capacity(found.len());
    let mut projects = Vec::with_capacity(found.len());
    for found in found {
        places.push((found.nth, found.depth));
        projects.push(found.project);
    }
    let rows = rows(db, scope.viewer, projects, roots)?;
    for ((nth, depth), row) in places.into_iter().zip(rows) {
        let id = row.project.id;
        nodes.push(BranchNode {
            nth,
            node: Node {
                id,
                // What lies below another has a parent.
                parent: row.project.parent.unwrap_or(id),
                depth,
                children_count: counts.get(&id.0).copied().unwrap_or(0),
                row,
            },
        });
    }
    Ok(())
}

/// Where the branch of `top` goes on after `last`; `None` where the parent of that is not in the branch any more.
pub(super) fn resume_after(
    db: &dyn Session,
    scope: &Scope<'_>,
    top: ProjectId,
    last: &Waypoint,
) -> Result<Option<Resume>, Error> {
    let (Some(branch), Some(parent)) = (positions::of(db, top)?, positions::of(db, last.parent)?)
    else {
        return Ok(None);
    };
    let is_below =
        parent.root == branch.root && (branch.place..=branch.last_place).contains(&parent.place);
    if !is_below {
        return Ok(None);
    }
    // Behind the node itself; where it is gone, behind what stood before it: the next newer child's branch, or the parent.
    let place = db.row(
        "SELECT CASE WHEN p.id = ?2 THEN o.place ELSE o.last_place END
         FROM projects p JOIN positions o ON o.project_id = p.id
         WHERE p.parent_id = ?1 /*! AND p.root_id = ?root */ AND p.id >= ?2 ORDER BY p.id LIMIT 1",
        params![last.parent, last.id, Root(parent.root)],
        |row| row.int(0),
    )?;
    let place = place.unwrap_or(parent.place);
    Ok(Some(Resume {
        nth: 0,
        place: place.max(hidden_end(
            db,
            scope,
            (Root(branch.root), top),
            last.parent,
        )?),
    }))
}

/// Where the topmost branch ends that is above or at `node`, below `top`, and not in the scope; the smallest place where
/// all of them are.
fn hidden_end(
    db: &dyn Session,
    scope: &Scope<'_>,
    (root, top): (Root, ProjectId),
    node: ProjectId,
) -> Result<i64, Error> {
    let mut query = Query::default();
    query.root(root);
    let (top, node) = (query.int(top.0), query.int(node.0));
    let within = query.within(scope);
    let sql = format!(
        "WITH RECURSIVE up(id) AS (
             SELECT CAST({node} AS BIGINT) WHERE CAST({node} AS BIGINT) <> {top}
             UNION
             SELECT p.parent_id FROM up JOIN projects p ON p.id = up.id /*! AND p.root_id = ?root */
             WHERE p.parent_id <> {top})
         SELECT max(o.last_place) FROM up JOIN projects p ON p.id = up.id /*! AND p.root_id = ?root */ JOIN positions o ON o.project_id = p.id
         WHERE NOT {within}"
    );
    let end = db.row(&sql, &query.params(), |row| row.opt_int(0))?;
    Ok(end.flatten().unwrap_or(i64::MIN))
}
