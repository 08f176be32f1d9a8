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
        let mut links = resolve_parents(&nodes, &ids, is_sorted, &mut broken);
        drop(nodes);
        // A child is mostly younger than its parent; ranks are then an order from the top down already.
        let is_top_down = (0_u32..)
            .zip(&links)
            .all(|(rank, link)| link.parent == NONE || link.parent < rank);
        let forest = if is_top_down {
            place(&ids, &mut links)
        } else {
            descend(&ids, &mut links)
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
) -> Vec<Link> {
    let Some(buckets) = Buckets::of_sorted(ids) else {
        return Vec::new();
    };
    let new = |parent: Option<u32>| Link {
        parent: parent.unwrap_or(NONE),
        size: 1,
        index: NONE,
        free_end: NONE,
    };
    if is_local || buckets.is_gapless(ids) {
        let link = |&(id, parent): &(I, Option<I>)| {
            let rank = parent.and_then(|parent| {
                let rank = buckets.rank(parent, ids);
                if rank.is_none() {
                    broken.orphans.push((id, parent));
                }
                rank
            });
            new(rank)
        };
        return nodes.iter().map(link).collect();
    }
    let mut links = vec![new(None); nodes.len()];
    let wanted = (0..NONE).zip(nodes);
    let wanted = wanted.filter_map(|(rank, &(_, parent))| Some((rank, parent?)));
    buckets.ranks(wanted, ids, |child, parent, rank| match rank {
        Some(rank) => links[child as usize].parent = rank,
        None => broken.orphans.push((ids[child as usize], parent)),
    });
    broken.orphans.sort_unstable();
    links
}

/// The forest where ids say nothing of depth: each node's children side by side, then down from every root. What has no
/// root above it is left out.
fn descend<I: NodeId>(sorted: &[I], links: &mut [Link]) -> Forest<I> {
    // Counted, then each put where its parent's children are, in rising order of ids.
    let mut starts = vec![0_u32; sorted.len() + 2];
    let mut roots = Vec::new();
    for (rank, link) in (0_u32..).zip(&*links) {
        match link.parent {
            NONE => roots.push(rank),
            parent => starts[parent as usize + 2] += 1,
        }
    }
    for rank in 2..starts.len() {
        starts[rank] += starts[rank - 1];
    }
    let mut children = vec![0_u32; sorted.len() - roots.len()];
    for (rank, link) in (0_u32..).zip(&*links) {
        if link.parent != NONE {
            let start = &mut starts[link.parent as usize + 1];
            children[*start as usize] = rank;
            *start += 1;
        }
    }
    // The newest is taken off first. A rank is given its index in an array of its own: four times as many lie close.
    let mut indices = vec![NONE; sorted.len()];
    let mut ids = Vec::with_capacity(sorted.len());
    let mut parents = Vec::with_capacity(sorted.len());
    let mut waiting: Vec<(u32, u32)> = roots.into_iter().map(|root| (root, NONE)).collect();
    while let Some((rank, above)) = waiting.pop() {
        let index = u32::try_from(ids.len()).unwrap_or(NONE);
        ids.push(sorted[rank as usize]);
        parents.push(above);
        indices[rank as usize] = index;
        let (start, end) = (starts[rank as usize], starts[rank as usize + 1]);
        let below = &children[start as usize..end as usize];
        waiting.extend(below.iter().map(|&child| (child, index)));
    }
    for (link, &index) in links.iter_mut().zip(&indices) {
        link.index = index;
    }
    let mut ends: Vec<u32> = (1..).take(ids.len()).collect();
    for index in (0..ids.len()).rev() {
        let end = ends[index];
        if let Some(above) = ends.get_mut(parents[index] as usize) {
            *above = end.max(*above);
        }
    }
    indices.retain(|&index| index != NONE);
    ids.shrink_to_fit();
    parents.shrink_to_fit();
    indices.shrink_to_fit();
    Forest {
        order: Order {
            ids,
            parents,
            by_id: indices,
        },
        ends,
    }
}

/// The forest where parents have smaller ids than their children: each branch gets its piece of the order, by sizes from
/// the bottom up, then places from the top down. Children come in rising order of ids and take their room from the end, so
/// the newest comes first.
fn place<I: NodeId>(sorted: &[I], links: &mut [Link]) -> Forest<I> {
    let n_placed = sorted.len();
    for rank in (0..n_placed).rev() {
        let Link { parent, size, .. } = links[rank];
        if parent != NONE {
            links[parent as usize].size += size;
        }
    }
    let mut free_end = u32::try_from(n_placed).unwrap_or(NONE);
    let mut ids = sorted
        .first()
        .map_or(Vec::new(), |&any| vec![any; n_placed]);
    let mut parents = vec![NONE; n_placed];
    let mut ends = vec![0; n_placed];
    for rank in 0..n_placed {
        let Link { parent, size, .. } = links[rank];
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
        let link = &mut links[rank];
        link.index = index;
        link.free_end = end;
        ids[index as usize] = sorted[rank];
        parents[index as usize] = above;
        ends[index as usize] = end;
    }
    let by_id = links.iter().map(|link| link.index).collect();
    Forest {
        order: Order {
            ids,
            parents,
            by_id,
        },
        ends,
    }
}
