//! What lies below some siblings, depth first, along the places of their tree.
//!
//! Siblings that follow each other in the tree are read as one range, so that an answer in the usual order is one scan
//! whatever the number of siblings. Another order splits them into more ranges, one query each.

use std::collections::HashMap;
use std::num::NonZeroU32;

use rsr_base::ProjectId;
use rsr_hierarchy::{BranchNode, Node, Scope};

use super::nodes::projects_by_id;
use super::row::{ChildRow, children_counts, rows};
use super::scope::Query;
use crate::error::Error;
use crate::sql::{IDS, Session, id_list, params};
use crate::tree::positions::Position;

/// Where reading branches stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    nth: usize,
    place: i64,
}

/// A node found in a range.
struct Found {
    nth: usize,
    id: i64,
    parent: i64,
    depth: u32,
}

/// A row of a range.
struct Scanned {
    id: i64,
    parent: i64,
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
    let tops = positions(db, of)?;
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
    fill(db, scope, found, nodes)?;
    Ok(next)
}

fn positions(db: &dyn Session, of: &[ProjectId]) -> Result<Vec<Option<Position>>, Error> {
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
                    match tops.get(&row.id) {
                        Some(next) => nth = *next,
                        None => from = row.last_place,
                    }
                } else if row.is_within {
                    if self.found.len() >= self.n {
                        return Ok(Some(Resume { nth, place: before }));
                    }
                    self.found.push(Found {
                        nth,
                        id: row.id,
                        parent: row.parent,
                        depth: u32::try_from(row.depth - top.depth).unwrap_or(u32::MAX),
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
        // One more than wanted tells whether there is more.
        let n = query.int(i64::try_from(self.n).unwrap_or(i64::MAX).saturating_add(1));
        let sql = format!(
            "SELECT p.id, p.parent_id, o.depth, o.place, o.last_place, {within}
             FROM positions o JOIN projects p ON p.id = o.project_id
             WHERE o.root_id = {root} AND o.place > {from} AND o.place <= {to} AND o.depth <= {depth_max}
             ORDER BY o.place LIMIT {n}"
        );
        self.db.rows(&sql, &query.params(), |row| {
            Ok(Scanned {
                id: row.int(0)?,
                parent: row.int(1)?,
                depth: row.int(2)?,
                place: row.int(3)?,
                last_place: row.int(4)?,
                is_within: row.flag(5)?,
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
) -> Result<(), Error> {
    if found.is_empty() {
        return Ok(());
    }
    let ids: Vec<ProjectId> = found.iter().map(|found| ProjectId(found.id)).collect();
    let counts = children_counts(db, scope, &ids)?;
    let projects = projects_by_id(db, ids.iter().map(|id| id.0))?;
    let mut by_id: HashMap<i64, ChildRow> = rows(db, scope.viewer, projects)?
        .into_iter()
        .map(|row| (row.project.id.0, row))
        .collect();
    for found in found {
        let row = by_id
            .remove(&found.id)
            .ok_or_else(|| Error::not_found("project", found.id))?;
        nodes.push(BranchNode {
            nth: found.nth,
            node: Node {
                id: row.project.id,
                parent: ProjectId(found.parent),
                depth: found.depth,
                children_count: counts.get(&found.id).copied().unwrap_or(0),
                row,
            },
        });
    }
    Ok(())
}
