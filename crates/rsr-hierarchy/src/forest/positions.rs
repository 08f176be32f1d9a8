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

impl<I: NodeId> Forest<I> {
    /// Nodes whose stored position disagrees with the parent links, in depth-first order, then stored ones that are not
    /// in the forest. A position agrees where root and depth are right, its place comes after that of the node before it
    /// in its tree, and its last place is that of its branch's last node. Takes O(n) time and 40 bytes a node.
    ///
    /// A node that stands at the wrong place may make the ones after it look wrong too; the first of a tree is wrong for
    /// sure. `stored` may come in any order; of an id that comes twice the last counts.
    pub fn misplaced(&self, stored: impl IntoIterator<Item = Position<I>>) -> Vec<I> {
        let mut found: Vec<Option<Position<I>>> = vec![None; self.order.len()];
        let mut strangers = Vec::new();
        let mut finder = self.order.finder();
        for position in stored {
            match finder.find(position.id) {
                Some(index) => found[index as usize] = Some(position),
                None => strangers.push(position.id),
            }
        }
        let mut before: Option<i64> = None;
        let mut misplaced = Vec::new();
        for (index, expected) in self.positions(1).enumerate() {
            if expected.depth == 0 {
                before = None;
            }
            let last = self.ends[index] as usize - 1;
            let last_place = found[last].map(|position| position.place);
            let agrees = found[index].is_some_and(|position| {
                let follows = before.is_none_or(|before| before < position.place);
                before = Some(position.place);
                follows
                    && position.root == expected.root
                    && position.depth == expected.depth
                    && last_place == Some(position.last_place)
            });
            if !agrees {
                misplaced.push(expected.id);
            }
        }
        strangers.sort_unstable();
        misplaced.extend(strangers);
        misplaced
    }
}
