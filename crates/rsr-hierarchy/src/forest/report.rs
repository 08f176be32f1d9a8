//! What is wrong with parent links that came from elsewhere.

use std::collections::HashMap;

use super::{NodeId, Order};

/// The links that no forest can have (rule 7). Holds the broken nodes alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenLinks<I> {
    /// Each cycle once: its ids along the parent links, from the smallest one on. A node that is its own parent is a
    /// cycle of one. In order of their smallest ids.
    pub cycles: Vec<Vec<I>>,
    /// Nodes that hang below a cycle, by rising id.
    pub below_cycles: Vec<I>,
    /// Nodes whose parent is not there, with that parent, by rising id. They count as roots.
    pub orphans: Vec<(I, I)>,
    /// Ids that came again; once for each time.
    pub repeated: Vec<I>,
}

impl<I> Default for BrokenLinks<I> {
    fn default() -> Self {
        Self {
            cycles: Vec::new(),
            below_cycles: Vec::new(),
            orphans: Vec::new(),
            repeated: Vec::new(),
        }
    }
}

impl<I: NodeId> BrokenLinks<I> {
    /// Whether nothing is broken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cycles.is_empty()
            && self.below_cycles.is_empty()
            && self.orphans.is_empty()
            && self.repeated.is_empty()
    }

    /// Sorts the nodes that have no root above them into cycles and what hangs below. `lost` gives such a node's
    /// parent, `None` for every other node. Each is visited twice at most.
    ///
    /// Every node has one parent, so a walk up that meets itself is the cycle; a general search for strongly connected
    /// components would need the links as a graph of its own first. The tests compare with one.
    pub(super) fn find_cycles(&mut self, ids: &[I], lost: impl Fn(u32) -> Option<u32>) {
        let mut walk_of: HashMap<u32, u32> = HashMap::new();
        let mut on_cycle: Vec<u32> = Vec::new();
        for start in (0_u32..).take(ids.len()) {
            let mut at = start;
            while let Some(parent) = lost(at) {
                match walk_of.get(&at) {
                    None => {
                        walk_of.insert(at, start);
                        at = parent;
                    }
                    Some(&walk) => {
                        if walk == start {
                            let cycle = cycle_from(at, &lost);
                            self.cycles
                                .push(cycle.iter().map(|&rank| ids[rank as usize]).collect());
                            on_cycle.extend(cycle);
                        }
                        break;
                    }
                }
            }
        }
        self.cycles.sort_unstable();
        on_cycle.sort_unstable();
        self.below_cycles = (0_u32..)
            .zip(ids)
            .filter(|&(rank, _)| lost(rank).is_some() && on_cycle.binary_search(&rank).is_err())
            .map(|(_, &id)| id)
            .collect();
    }
}

/// The cycle through `start`, turned so that the smallest comes first.
fn cycle_from(start: u32, parent: impl Fn(u32) -> Option<u32>) -> Vec<u32> {
    let mut cycle = vec![start];
    let mut at = parent(start);
    while let Some(next) = at
        && next != start
    {
        cycle.push(next);
        at = parent(next);
    }
    let smallest = (0..cycle.len())
        .min_by_key(|&nth| cycle[nth])
        .unwrap_or_default();
    cycle.rotate_left(smallest);
    cycle
}

impl<I: NodeId> Order<I> {
    /// Nodes more than `depth_max` levels below their root, with their depth, in depth-first order.
    pub fn too_deep(&self, depth_max: u32) -> impl Iterator<Item = (I, u32)> {
        self.depths()
            .into_iter()
            .zip(self.ids())
            .filter(move |&(depth, _)| depth > depth_max)
            .map(|(depth, &id)| (id, depth))
    }
}
