//! From pairs of ids to a forest, in O(n) after one sort.

use super::{BrokenLinks, Forest, NONE, NodeId, Order};

/// More nodes than indices of 32 bits can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {limit} nodes", limit = NONE - 1)]
pub struct TooManyNodes;

/// The links of one node while the forest is built, by rank of its id. Side by side, since the walk needs all of them.
#[derive(Clone, Copy, Debug)]
struct Links {
    parent: u32,
    first_child: u32,
    next_sibling: u32,
    /// Its index, once it has one.
    index: u32,
}

impl<I: NodeId> Forest<I> {
    /// Builds the forest of these nodes, each with its parent, in any order; and says what was broken.
    ///
    /// A node whose parent is not there becomes a root. Nodes on a cycle, and what hangs on them, are left out. Of an id
    /// that comes twice the first is taken. Takes O(n) where ids come sorted, O(n log n) else, and at its peak 60 bytes
    /// a node besides the forest.
    ///
    /// # Errors
    ///
    /// [`TooManyNodes`] past 2^32 - 2.
    pub fn build(
        nodes: impl IntoIterator<Item = (I, Option<I>)>,
    ) -> Result<(Self, BrokenLinks<I>), TooManyNodes> {
        let mut nodes: Vec<(I, Option<I>)> = nodes.into_iter().collect();
        let mut broken = BrokenLinks::default();
        if !nodes.is_sorted_by(|a, b| a.0 < b.0) {
            nodes.sort_by_key(|&(id, _)| id);
            nodes.dedup_by(|again, first| {
                let is_repeated = again.0 == first.0;
                if is_repeated {
                    broken.repeated.push(again.0);
                }
                is_repeated
            });
        }
        let count = u32::try_from(nodes.len()).map_err(|_too_many| TooManyNodes)?;
        if count == NONE {
            return Err(TooManyNodes);
        }
        let mut links = resolve_parents(&nodes, count, &mut broken);
        // Each child goes in front, so that lists fall while ids rise.
        for rank in 0..count {
            let parent = links[rank as usize].parent;
            if parent != NONE {
                links[rank as usize].next_sibling = links[parent as usize].first_child;
                links[parent as usize].first_child = rank;
            }
        }
        let ids: Vec<I> = nodes.into_iter().map(|(id, _)| id).collect();
        let forest = place(&ids, count, &mut links);
        if forest.order.len() < ids.len() {
            broken.find_cycles(&ids, |rank| {
                let links = links[rank as usize];
                (links.index == NONE).then_some(links.parent)
            });
        }
        Ok((forest, broken))
    }
}

/// Ranks of parents, without searching for each: by a table where ids are dense, as a database gives them out, else by
/// sorting the parents too and going through both lists at once.
fn resolve_parents<I: NodeId>(
    nodes: &[(I, Option<I>)],
    count: u32,
    broken: &mut BrokenLinks<I>,
) -> Vec<Links> {
    let alone = Links {
        parent: NONE,
        first_child: NONE,
        next_sibling: NONE,
        index: NONE,
    };
    let mut links = vec![alone; nodes.len()];
    let (Some(&(first, _)), Some(&(last, _))) = (nodes.first(), nodes.last()) else {
        return links;
    };
    let offset = |id: I| -> Option<usize> {
        let from: i64 = first.into();
        let to: i64 = id.into();
        usize::try_from(to.checked_sub(from)?).ok()
    };
    let table_len = offset(last)
        .map(|span| span.saturating_add(1))
        .filter(|&span| span <= nodes.len().saturating_mul(4));
    if let Some(table_len) = table_len {
        let mut ranks = Vec::new();
        // Without a gap a rank is its own table.
        if table_len > nodes.len() {
            ranks.resize(table_len, NONE);
            for (rank, &(id, _)) in (0..count).zip(nodes) {
                if let Some(place) = offset(id) {
                    ranks[place] = rank;
                }
            }
        }
        for (link, &(id, parent)) in links.iter_mut().zip(nodes) {
            let Some(parent) = parent else { continue };
            let rank = offset(parent).and_then(|place| {
                if ranks.is_empty() {
                    u32::try_from(place).ok().filter(|&rank| rank < count)
                } else {
                    ranks.get(place).copied().filter(|&rank| rank != NONE)
                }
            });
            match rank {
                Some(rank) => link.parent = rank,
                None => broken.orphans.push((id, parent)),
            }
        }
        return links;
    }
    let mut wanted: Vec<(I, u32)> = (0..count)
        .zip(nodes)
        .filter_map(|(rank, &(_, parent))| Some((parent?, rank)))
        .collect();
    wanted.sort_unstable();
    let mut at = 0_u32;
    for (parent, child) in wanted {
        while at < count && nodes[at as usize].0 < parent {
            at += 1;
        }
        if at < count && nodes[at as usize].0 == parent {
            links[child as usize].parent = at;
        } else {
            broken.orphans.push((nodes[child as usize].0, parent));
        }
    }
    broken.orphans.sort_unstable();
    links
}

/// Goes through every tree, down by first children, on by siblings, up by parents; nothing is kept of the way.
fn place<I: NodeId>(sorted: &[I], count: u32, links: &mut [Links]) -> Forest<I> {
    let mut ids = Vec::with_capacity(sorted.len());
    let mut parents = Vec::with_capacity(sorted.len());
    let mut ends = vec![0_u32; sorted.len()];
    let mut n_placed = 0_u32;
    for root in (0..count).rev() {
        if links[root as usize].parent != NONE {
            continue;
        }
        let mut at = root;
        let mut above = NONE;
        'tree: loop {
            let here = &mut links[at as usize];
            here.index = n_placed;
            ids.push(sorted[at as usize]);
            parents.push(above);
            n_placed += 1;
            if here.first_child != NONE {
                above = here.index;
                at = here.first_child;
                continue;
            }
            loop {
                let here = links[at as usize];
                ends[here.index as usize] = n_placed;
                if at == root {
                    break 'tree;
                }
                if here.next_sibling != NONE {
                    at = here.next_sibling;
                    above = links[here.parent as usize].index;
                    break;
                }
                at = here.parent;
            }
        }
    }
    ends.truncate(ids.len());
    if ids.len() < sorted.len() {
        ids.shrink_to_fit();
        parents.shrink_to_fit();
        ends.shrink_to_fit();
    }
    let mut by_id = Vec::with_capacity(ids.len());
    by_id.extend(links.iter().map(|link| link.index).filter(|&i| i != NONE));
    Forest {
        order: Order {
            ids,
            parents,
            by_id,
        },
        ends,
    }
}
