//! From pairs of ids to a forest, in O(n) where ids are spread as a database spreads them.

use super::buckets::Buckets;
use super::{BrokenLinks, Forest, NONE, NodeId, Order};

/// Most nodes: the numbers above serve as marks.
const COUNT_MAX: u32 = NONE - 2;

/// More nodes than indices of 32 bits can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {limit} nodes", limit = COUNT_MAX)]
pub struct TooManyNodes;

/// One node while its piece of the order is looked for. Side by side, since a step needs all of its parent's.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// Where its parent is in the list.
    parent: u32,
    /// Nodes of its branch.
    size: u32,
    /// Its index, once it has one.
    index: u32,
    /// Where the next older of its children must end.
    free_end: u32,
}

/// One node of the order, by index. Side by side, since they are written in no order: one wait for memory instead of three.
#[derive(Clone, Copy, Debug)]
struct Placed<I> {
    id: I,
    parent: u32,
    end: u32,
}

impl<I: NodeId> Forest<I> {
    /// Builds the forest of these nodes, each with its parent, in any order; and says what was broken.
    ///
    /// A node whose parent is not there becomes a root. Nodes on a cycle, and what hangs on them, are left out. Of an id
    /// that comes twice the first is taken. Takes O(n) time where ids are sorted or spread evenly, O(n log n) else; at its
    /// peak some 60 bytes a node besides the forest.
    ///
    /// # Errors
    ///
    /// [`TooManyNodes`] past 2^32 - 3.
    pub fn build(
        nodes: impl IntoIterator<Item = (I, Option<I>)>,
    ) -> Result<(Self, BrokenLinks<I>), TooManyNodes> {
        let nodes: Vec<(I, Option<I>)> = nodes.into_iter().collect();
        let mut broken = BrokenLinks::default();
        let count = u32::try_from(nodes.len()).map_err(|_too_many| TooManyNodes)?;
        if count > COUNT_MAX {
            return Err(TooManyNodes);
        }
        let is_sorted = nodes.is_sorted_by(|a, b| a.0 < b.0);
        let nodes = if is_sorted {
            nodes
        } else {
            by_rising_id(nodes, &mut broken)
        };
        let ids: Vec<I> = nodes.iter().map(|&(id, _)| id).collect();
        let parents = resolve_parents(&nodes, &ids, is_sorted, &mut broken);
        drop(nodes);
        // A child is mostly younger than its parent; ranks are then an order from the top down already.
        let is_top_down = (0_u32..)
            .zip(&parents)
            .all(|(rank, &parent)| parent == NONE || parent < rank);
        let (placed, mut by_id) = if is_top_down {
            place(&parents, |rank| ids[rank])
        } else {
            descend(&parents, &ids)
        };
        if placed.len() < ids.len() {
            broken.find_cycles(&ids, |rank| {
                (by_id[rank as usize] == NONE).then_some(parents[rank as usize])
            });
            by_id.retain(|&index| index != NONE);
            by_id.shrink_to_fit();
        }
        drop(parents);
        let forest = Self {
            order: Order {
                ids: placed.iter().map(|node| node.id).collect(),
                parents: placed.iter().map(|node| node.parent).collect(),
                by_id,
            },
            ends: placed.iter().map(|node| node.end).collect(),
        };
        Ok((forest, broken))
    }
}

/// Sorted, each id once: the one that came first.
fn by_rising_id<I: NodeId>(
    nodes: Vec<(I, Option<I>)>,
    broken: &mut BrokenLinks<I>,
) -> Vec<(I, Option<I>)> {
    let mut sorted = Buckets::sort(nodes);
    sorted.dedup_by(|node, before| {
        let is_repeated = node.0 == before.0;
        if is_repeated {
            broken.repeated.push(node.0);
        }
        is_repeated
    });
    sorted
}

/// Finds the rank of each parent. `is_local` says that parents are likely near their children, so that one by one is
/// quickest.
fn resolve_parents<I: NodeId>(
    nodes: &[(I, Option<I>)],
    ids: &[I],
    is_local: bool,
    broken: &mut BrokenLinks<I>,
) -> Vec<u32> {
    let Some(buckets) = Buckets::of_sorted(ids) else {
        return Vec::new();
    };
    if is_local || buckets.is_gapless(ids) {
        let parent_of = |&(id, parent): &(I, Option<I>)| {
            let Some(parent) = parent else {
                return NONE;
            };
            buckets.rank(parent, ids).unwrap_or_else(|| {
                broken.orphans.push((id, parent));
                NONE
            })
        };
        return nodes.iter().map(parent_of).collect();
    }
    let mut parents = vec![NONE; nodes.len()];
    let wanted = (0..NONE).zip(nodes);
    let wanted = wanted.filter_map(|(rank, &(_, parent))| Some((rank, parent?)));
    buckets.ranks(wanted, ids, |child, parent, rank| match rank {
        Some(rank) => parents[child as usize] = rank,
        None => broken.orphans.push((ids[child as usize], parent)),
    });
    broken.orphans.sort_unstable();
    parents
}

/// The order where ids say nothing of depth: the nodes level by level, so that parents come first, and these placed. What has
/// no root above it is left out. Answers also each rank's index.
fn descend<I: NodeId>(parents: &[u32], ids: &[I]) -> (Vec<Placed<I>>, Vec<u32>) {
    let (levels, above) = levels(parents);
    let (placed, by_level) = place(&above, |nth| ids[levels[nth] as usize]);
    let mut by_id = vec![NONE; ids.len()];
    for (&rank, &index) in levels.iter().zip(&by_level) {
        by_id[rank as usize] = index;
    }
    (placed, by_id)
}

/// Ranks from the roots down, level by level, siblings side by side by rising rank; and for each where its parent is in that
/// list.
fn levels(parents: &[u32]) -> (Vec<u32>, Vec<u32>) {
    /// Nodes whose children are looked up together: the waits for memory overlap.
    const TOGETHER: usize = 64;

    // Children are counted, then each put where those of its parent are.
    let mut starts = vec![0_u32; parents.len() + 2];
    let mut ranks = Vec::with_capacity(parents.len());
    for (rank, &parent) in (0_u32..).zip(parents) {
        match parent {
            NONE => ranks.push(rank),
            parent => starts[parent as usize + 2] += 1,
        }
    }
    for rank in 2..starts.len() {
        starts[rank] += starts[rank - 1];
    }
    let mut children = vec![0_u32; parents.len() - ranks.len()];
    for (rank, &parent) in (0_u32..).zip(parents) {
        if parent != NONE {
            let start = &mut starts[parent as usize + 1];
            children[*start as usize] = rank;
            *start += 1;
        }
    }
    let mut above = vec![NONE; ranks.len()];
    above.reserve(children.len());
    let mut from = 0;
    while from < ranks.len() {
        let to = ranks.len().min(from + TOGETHER);
        let mut found = [(0_usize, 0_usize); TOGETHER];
        for (found, &rank) in found.iter_mut().zip(&ranks[from..to]) {
            let rank = rank as usize;
            *found = (starts[rank] as usize, starts[rank + 1] as usize);
        }
        for (nth, &(start, end)) in (from..to).zip(&found) {
            // They are few, as a rule: one by one is quicker than as a block.
            let nth = u32::try_from(nth).unwrap_or(NONE);
            for &child in &children[start..end] {
                ranks.push(child);
                above.push(nth);
            }
        }
        from = to;
    }
    (ranks, above)
}

/// The order of nodes that are listed with the place of each one's parent, parents before children, siblings by rising id:
/// each branch gets its piece by sizes from the bottom up, then places from the top down. Siblings take their room from the
/// end, so the newest comes first. Answers also the index of each in the list.
fn place<I: NodeId>(parents: &[u32], id: impl Fn(usize) -> I) -> (Vec<Placed<I>>, Vec<u32>) {
    let new = |&parent: &u32| Link {
        parent,
        size: 1,
        index: NONE,
        free_end: NONE,
    };
    let mut links: Vec<Link> = parents.iter().map(new).collect();
    for nth in (0..links.len()).rev() {
        let Link { parent, size, .. } = links[nth];
        if parent != NONE {
            links[parent as usize].size += size;
        }
    }
    if links.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let any = Placed {
        id: id(0),
        parent: NONE,
        end: 0,
    };
    let mut placed = vec![any; links.len()];
    let mut free_end = u32::try_from(links.len()).unwrap_or(NONE);
    for nth in 0..links.len() {
        let Link { parent, size, .. } = links[nth];
        let (end, above) = if parent == NONE {
            let end = free_end;
            free_end -= size;
            (end, NONE)
        } else {
            let above = &mut links[parent as usize];
            let end = above.free_end;
            above.free_end -= size;
            (end, above.index)
        };
        let index = end - size;
        let link = &mut links[nth];
        link.index = index;
        link.free_end = end;
        placed[index as usize] = Placed {
            id: id(nth),
            parent: above,
            end,
        };
    }
    (placed, links.iter().map(|link| link.index).collect())
}
