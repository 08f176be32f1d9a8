//! Whole trees in memory: a few numbers a node, no recursion, no allocation for each.

mod buckets;
mod build;
mod positions;
mod report;

use std::ops::Range;

pub use build::TooManyNodes;
pub use positions::Position;
pub use report::BrokenLinks;

/// Marks a root among parents.
const NONE: u32 = u32::MAX;

/// What can name a node of a [`Forest`]: a small number with an order.
pub trait NodeId: Copy + Ord + Into<i64> {}

impl<I: Copy + Ord + Into<i64>> NodeId for I {}

/// Nodes in depth-first order, parents before children, each branch in one piece; children, and roots, newest id
/// first. Immutable. 16 bytes a node for ids of eight bytes.
///
/// A node's index is its place in that order, from 0.
#[derive(Clone, Debug)]
pub struct Order<I> {
    ids: Vec<I>,
    parents: Vec<u32>,
    /// Indices by rising id.
    by_id: Vec<u32>,
}

impl<I: NodeId> Order<I> {
    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The ids, by index.
    #[must_use]
    pub fn ids(&self) -> &[I] {
        &self.ids
    }

    /// The index of a node's parent, always smaller than its own; `None` for a root.
    ///
    /// # Panics
    ///
    /// Where there is no such index.
    #[must_use]
    pub fn parent(&self, index: u32) -> Option<u32> {
        let parent = self.parents[index as usize];
        (parent != NONE).then_some(parent)
    }

    /// The indices of parents, by index; `u32::MAX` for a root.
    #[must_use]
    pub fn raw_parents(&self) -> &[u32] {
        &self.parents
    }

    /// The index of an id; `None` where the id was not put in, or hangs on a cycle. O(log n).
    #[must_use]
    pub fn find(&self, id: I) -> Option<u32> {
        let rank = self.rank(id).ok()?;
        Some(self.by_id[rank])
    }

    /// As [`Order::find`], fast for ids that are asked for in rising order.
    #[must_use]
    pub fn finder(&self) -> Finder<'_, I> {
        Finder {
            order: self,
            next_rank: 0,
        }
    }

    /// The indices of a node's ancestors, nearest first.
    pub fn ancestors(&self, index: u32) -> impl Iterator<Item = u32> {
        std::iter::successors(self.parent(index), |&above| self.parent(above))
    }

    /// Levels below its root, by index. O(n), 4 bytes a node.
    #[must_use]
    pub fn depths(&self) -> Vec<u32> {
        let mut depths = Vec::with_capacity(self.len());
        for &parent in &self.parents {
            let depth = if parent == NONE {
                0
            } else {
                depths[parent as usize] + 1
            };
            depths.push(depth);
        }
        depths
    }

    /// Heap bytes it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.ids.capacity() * size_of::<I>()
            + (self.parents.capacity() + self.by_id.capacity()) * size_of::<u32>()
    }

    fn rank(&self, id: I) -> Result<usize, usize> {
        self.by_id
            .binary_search_by(|&index| self.ids[index as usize].cmp(&id))
    }
}

/// Finds one index after the other. Remembers where the last one was.
#[derive(Clone, Debug)]
pub struct Finder<'o, I> {
    order: &'o Order<I>,
    next_rank: usize,
}

impl<I: NodeId> Finder<'_, I> {
    /// The index of an id. O(1) where it is the same as the last one or the next in order, else O(log n).
    pub fn find(&mut self, id: I) -> Option<u32> {
        let order = self.order;
        for rank in [self.next_rank, self.next_rank.wrapping_sub(1)] {
            if let Some(&index) = order.by_id.get(rank)
                && order.ids[index as usize] == id
            {
                self.next_rank = rank + 1;
                return Some(index);
            }
        }
        let rank = order.rank(id).ok()?;
        self.next_rank = rank + 1;
        Some(order.by_id[rank])
    }
}

/// An [`Order`] that also knows where each branch ends: 20 bytes a node for ids of eight bytes.
///
/// ```
/// use rsr_base::ProjectId;
/// use rsr_hierarchy::Forest;
///
/// let links = [(1, None), (2, Some(1)), (3, Some(1)), (4, Some(2)), (7, Some(8)), (8, Some(7))];
/// let links = links.map(|(id, parent)| (ProjectId(id), parent.map(ProjectId)));
/// let (forest, broken) = Forest::build(links)?;
///
/// let order: Vec<i64> = forest.order().ids().iter().map(|id| id.0).collect();
/// assert_eq!(order, [1, 3, 2, 4], "newest first, each branch in one piece");
/// assert_eq!(forest.branch(2), 2..4);
/// assert_eq!(broken.cycles, [[ProjectId(7), ProjectId(8)]]);
/// # Ok::<(), rsr_hierarchy::TooManyNodes>(())
/// ```
#[derive(Clone, Debug)]
pub struct Forest<I> {
    order: Order<I>,
    /// One past the last index of the branch, by index.
    ends: Vec<u32>,
}

impl<I: NodeId> Forest<I> {
    /// The order alone.
    #[must_use]
    pub fn order(&self) -> &Order<I> {
        &self.order
    }

    /// Lets go of the ends of branches.
    #[must_use]
    pub fn into_order(self) -> Order<I> {
        self.order
    }

    /// The indices of a node and everything below it.
    ///
    /// # Panics
    ///
    /// Where there is no such index.
    #[must_use]
    pub fn branch(&self, index: u32) -> Range<u32> {
        index..self.ends[index as usize]
    }

    /// The indices of a node's children, newest id first. O(children).
    ///
    /// # Panics
    ///
    /// Where there is no such index.
    pub fn children(&self, index: u32) -> impl Iterator<Item = u32> {
        self.siblings(index + 1..self.ends[index as usize])
    }

    /// The indices of the roots, newest id first. O(roots).
    pub fn roots(&self) -> impl Iterator<Item = u32> {
        let all = u32::try_from(self.ends.len()).unwrap_or(NONE);
        self.siblings(0..all)
    }

    /// Heap bytes it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.order.bytes() + self.ends.capacity() * size_of::<u32>()
    }

    /// Nodes that begin at the start of a range and then each where the one before ends.
    fn siblings(&self, range: Range<u32>) -> impl Iterator<Item = u32> {
        let mut at = range.start;
        std::iter::from_fn(move || {
            if at >= range.end {
                return None;
            }
            let here = at;
            at = self.ends[here as usize];
            Some(here)
        })
    }
}
