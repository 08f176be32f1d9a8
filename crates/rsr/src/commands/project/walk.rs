//! Down the parent links, with no use of positions: as far as is drawn, and also where links lead in a circle.

use rsr_base::ProjectId;
use rsr_hierarchy::{Key, Node, NodeSource as _, Scope};
use rsr_store::{Achieved, ChildRow, Error, Snapshot};

use super::values::{self, AllAchieved};

/// What lies below a project, parents before children, children newest first. Holds a chunk of children for each level.
///
/// A project has one parent, so of all projects only the top can come again; there the way ends.
pub(super) struct LinkWalk<'a> {
    snapshot: &'a mut Snapshot,
    scope: Scope<'a>,
    top: ProjectId,
    levels: Vec<Level>,
    depth_max: usize,
    /// Children of one project that are read.
    children_max: u64,
    chunk_size: usize,
}

/// The children of one project on the way.
struct Level {
    parent: ProjectId,
    chunk: std::vec::IntoIter<Node<ChildRow>>,
    achieved: AllAchieved,
    last: Option<Key>,
    /// Children that are still to come, read or not.
    left: u64,
    /// Of those, how many are still to be given.
    wanted: u64,
}

/// One step down or along.
pub(super) enum Step {
    /// A project, what it has achieved, and whether something follows it among its siblings.
    Node(Box<Node<ChildRow>>, Option<Achieved>, bool),
    /// This many siblings at this level are left out.
    More(usize, u64),
    /// The top comes again below itself, at this level.
    Circle(usize, bool),
}

impl<'a> LinkWalk<'a> {
    pub(super) fn new(
        snapshot: &'a mut Snapshot,
        scope: Scope<'a>,
        (top, n_children): (ProjectId, u64),
        depth_max: Option<u32>,
        children_max: u64,
        chunk_size: usize,
    ) -> Self {
        let depth_max = depth_max.filter(|depth| *depth > 0);
        let mut walk = Self {
            snapshot,
            scope,
            top,
            levels: Vec::new(),
            depth_max: depth_max.map_or(usize::MAX, |depth| depth as usize),
            children_max,
            chunk_size,
        };
        walk.descend(top, n_children);
        walk
    }

    fn descend(&mut self, parent: ProjectId, n_children: u64) {
        if n_children > 0 && self.levels.len() < self.depth_max {
            self.levels.push(Level {
                parent,
                chunk: Vec::new().into_iter(),
                achieved: AllAchieved::new(),
                last: None,
                left: n_children,
                wanted: n_children.min(self.children_max),
            });
        }
    }

    /// The next step; `None` at the end.
    pub(super) fn step(&mut self) -> Result<Option<Step>, Error> {
        loop {
            let depth = self.levels.len();
            let Some(level) = self.levels.last_mut() else {
                return Ok(None);
            };
            if level.wanted == 0 {
                let left = level.left;
                self.levels.pop();
                if left > 0 {
                    return Ok(Some(Step::More(depth, left)));
                }
                continue;
            }
            let Some(mut node) = level.chunk.next() else {
                let n = usize::try_from(level.wanted).unwrap_or(usize::MAX);
                let mut nodes = Vec::new();
                level.last = self.snapshot.children(
                    &self.scope,
                    level.parent,
                    level.last.as_ref(),
                    n.min(self.chunk_size),
                    &mut nodes,
                )?;
                if nodes.is_empty() {
                    self.levels.pop();
                    continue;
                }
                let ids: Vec<ProjectId> = nodes.iter().map(|node| node.id).collect();
                level.achieved = self.snapshot.achieved(&ids, values::DRAWN_MAX)?;
                level.chunk = nodes.into_iter();
                continue;
            };
            let achieved = level.achieved.remove(&node.id);
            if level.chunk.as_slice().is_empty() {
                // A long chain holds no room for rows that were given.
                level.chunk = Vec::new().into_iter();
                level.achieved = AllAchieved::new();
            }
            level.left -= 1;
            level.wanted -= 1;
            let more_follow = level.left > 0;
            node.depth = u32::try_from(depth).unwrap_or(u32::MAX);
            if node.id == self.top {
                return Ok(Some(Step::Circle(depth, more_follow)));
            }
            let (id, n_children) = (node.id, node.children_count);
            self.descend(id, n_children);
            return Ok(Some(Step::Node(Box::new(node), achieved, more_follow)));
        }
    }
}
