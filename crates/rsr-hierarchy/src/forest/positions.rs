//! Places in depth-first order, as a store keeps them beside the parent links.

use super::{Forest, NodeId};

/// Where a node stands below its root. "Everything below x" is the places after `place` up to `last_place` of the same
/// root, in depth-first order, children newest id first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position<I> {
    /// The node.
    pub id: I,
    /// The root above it; itself for a root.
    pub root: I,
    /// Levels below the root; 0 for a root.
    pub depth: u32,
    /// Its place; a root's is the gap. Only the order of places of one root means anything.
    pub place: i64,
    /// The place of the last node of its branch; its own for a leaf.
    pub last_place: i64,
}

impl<I: NodeId> Forest<I> {
    /// The position of every node, in depth-first order, `gap` places from one to the next of the same root, so that
    /// new nodes find room. Takes O(n) time and 4 bytes a node.
    ///
    /// ```
    /// use rsr_base::ProjectId;
    /// use rsr_hierarchy::Forest;
    ///
    /// let (forest, _) = Forest::build([(ProjectId(1), None), (ProjectId(2), Some(ProjectId(1)))])?;
    /// let child = forest.positions(1024).last().unwrap();
    /// assert_eq!((child.root, child.depth, child.place), (ProjectId(1), 1, 2048));
    /// # Ok::<(), rsr_hierarchy::TooManyNodes>(())
    /// ```
    pub fn positions(&self, gap: u32) -> impl Iterator<Item = Position<I>> {
        let depths = self.order.depths();
        let mut root = 0;
        (0_u32..).zip(depths).map(move |(index, depth)| {
            if depth == 0 {
                root = index;
            }
            let place = |at: u32| i64::from(at - root + 1) * i64::from(gap);
            Position {
                id: self.order.ids[index as usize],
                root: self.order.ids[root as usize],
                depth,
                place: place(index),
                last_place: place(self.ends[index as usize] - 1),
            }
        })
    }
}
