//! From pairs of ids to a forest, in O(n) where ids are spread as a database spreads them.

use super::buckets::Buckets;
use super::{BrokenLinks, Forest, NONE, NodeId, Order};

/// Most nodes: the numbers above serve as marks.
const COUNT_MAX: u32 = NONE - 2;

/// More nodes than indices of 32 bits can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {limit} nodes", limit = COUNT_MAX)]
pub struct TooManyNodes;

/// One node while the forest is built, by rank of its id. Side by side, since a step needs all of its parent's.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// The rank of its parent.
    parent: u32,
    /// Nodes of its branch.
    size: u32,
    /// Its index, once it has one.
    index: u32,
    /// Where the next older of its children must end.
    free_end: u32,
}

impl<I: NodeId> Forest<I> {
    /// Builds the forest of these nodes, each with its parent, in any order; and says what was broken.
    ///
    /// A node whose parent is not there becomes a root. Nodes on a cycle, and what hangs on them, are left out. Of an id
    /// that comes twice the first is taken. Takes O(n) time where ids are sorted or spread evenly, O(n log n) else; at its
    /// peak some 60 bytes a node besides the forest. No step waits for a chain of others, so a tree without locality costs little more.
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
        let nodes = by_rising_id(nodes, &mut broken);
        let ids: Vec<I> = nodes.iter().map(|&(id, _)| id).collect();
        let mut links = resolve_parents(&nodes, &ids, &mut broken);
        drop(nodes);
        // A child is mostly younger than its parent; ranks are then an order from the top down already.
        let is_top_down = (0_u32..)
            .zip(&links)
            .all(|(rank, link)| link.parent == NONE || link.parent < rank);
        let forest = if is_top_down {
            place(&ids, &mut links, || {
                0..u32::try_from(ids.len()).unwrap_or(NONE)
            })
        } else {
            let order = top_down(&links);
            place(&ids, &mut links, || order.iter().copied())
        };
        if forest.order.len() < ids.len() {
            broken.find_cycles(&ids, |rank| {
                let link = links[rank as usize];
                (link.index == NONE).then_some(link.parent)
            });
        }
        Ok((forest, broken))
    }
}

/// Sorted, each id once.
fn by_rising_id<I: NodeId>(
    nodes: Vec<(I, Option<I>)>,
    broken: &mut BrokenLinks<I>,
) -> Vec<(I, Option<I>)> {
    if nodes.is_sorted_by(|a, b| a.0 < b.0) {
        return nodes;
    }
    let order = Buckets::sort(&nodes);
    let mut sorted: Vec<(I, Option<I>)> = Vec::with_capacity(nodes.len());
    for input in order {
        let node = nodes[input as usize];
        if sorted.last().is_some_and(|last| last.0 == node.0) {
            broken.repeated.push(node.0);
        } else {
            sorted.push(node);
        }
    }
    sorted
}

/// Finds the rank of each parent.
fn resolve_parents<I: NodeId>(
    nodes: &[(I, Option<I>)],
    ids: &[I],
    broken: &mut BrokenLinks<I>,
) -> Vec<Link> {
    let Some(buckets) = Buckets::of_sorted(ids) else {
        return Vec::new();
    };
    let link = |&(id, parent): &(I, Option<I>)| {
        let rank = parent.and_then(|parent| {
            let rank = buckets.rank(parent, ids);
            if rank.is_none() {
                broken.orphans.push((id, parent));
            }
            rank
        });
        Link {
            parent: rank.unwrap_or(NONE),
            size: 1,
            index: NONE,
            free_end: NONE,
        }
    };
    nodes.iter().map(link).collect()
}

/// Ranks from the top down: by depth, then by rising id. Leaves out what has no root above it.
fn top_down(links: &[Link]) -> Vec<u32> {
    const UNKNOWN: u32 = NONE;
    const ON_THE_WAY: u32 = NONE - 1;
    const LOST: u32 = NONE - 2;
    let mut depths = vec![UNKNOWN; links.len()];
    for start in 0..links.len() {
        // Up to the first node whose depth is known; then the same way again, to tell each its own.
        let mut n_above = 0;
        let mut at = start;
        let known = loop {
            match depths[at] {
                UNKNOWN => depths[at] = ON_THE_WAY,
                ON_THE_WAY | LOST => break LOST,
                depth => break depth,
            }
            n_above += 1;
            match links[at].parent {
                NONE => break NONE,
                parent => at = parent as usize,
            }
        };
        let mut at = start;
        while depths[at] == ON_THE_WAY {
            n_above -= 1;
            depths[at] = match known {
                LOST => LOST,
                NONE => n_above,
                depth => depth + 1 + n_above,
            };
            match links[at].parent {
                NONE => break,
                parent => at = parent as usize,
            }
        }
    }
    // Counted, then each put where those of smaller depth end.
    let mut starts: Vec<u32> = Vec::new();
    for &depth in depths.iter().filter(|&&depth| depth != LOST) {
        let next = depth as usize + 1;
        if starts.len() <= next {
            starts.resize(next + 1, 0);
        }
        starts[next] += 1;
    }
    for depth in 1..starts.len() {
        starts[depth] += starts[depth - 1];
    }
    let n_placed = starts.last().copied().unwrap_or(0);
    let mut order = vec![0; n_placed as usize];
    for (rank, &depth) in (0_u32..).zip(&depths) {
        if depth != LOST {
            let start = &mut starts[depth as usize];
            order[*start as usize] = rank;
            *start += 1;
        }
    }
    order
}

/// Gives each branch its piece of the order: sizes from the bottom up, then places from the top down. Children come in
/// rising order of ids and take their room from the end, so the newest comes first.
fn place<I, R>(sorted: &[I], links: &mut [Link], top_down: impl Fn() -> R) -> Forest<I>
where
    I: NodeId,
    R: DoubleEndedIterator<Item = u32>,
{
    let mut n_placed = 0_usize;
    for rank in top_down().rev() {
        let Link { parent, size, .. } = links[rank as usize];
        if parent != NONE {
            links[parent as usize].size += size;
        }
        n_placed += 1;
    }
    let mut free_end = u32::try_from(n_placed).unwrap_or(NONE);
    let mut ids = sorted
        .first()
        .map_or(Vec::new(), |&any| vec![any; n_placed]);
    let mut parents = vec![NONE; n_placed];
    let mut ends = vec![0; n_placed];
    for rank in top_down() {
        let Link { parent, size, .. } = links[rank as usize];
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
        let link = &mut links[rank as usize];
        link.index = index;
        link.free_end = end;
        ids[index as usize] = sorted[rank as usize];
        parents[index as usize] = above;
        ends[index as usize] = end;
    }
    let mut by_id = Vec::with_capacity(n_placed);
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
