//! Forests in memory: order, broken links, positions, size.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, proptest};
use rsr_hierarchy::{Forest, Position};

#[test]
fn a_chain_of_a_million_is_built_without_recursion() {
    let n = 1_000_000_i64;
    let (forest, broken) = Forest::build((0..n).map(|id| (id, (id > 0).then(|| id - 1)))).unwrap();
    assert!(broken.is_empty());
    assert_eq!(forest.order().depths().last(), Some(&999_999));
    assert_eq!(forest.branch(0), 0..1_000_000);
    assert_eq!(
        forest.order().too_deep(999_998).collect::<Vec<_>>(),
        [(999_999, 999_999)]
    );
    assert!(forest.bytes() <= 20 * 1_000_000, "{} bytes", forest.bytes());
    assert!(forest.into_order().bytes() <= 16 * 1_000_000);
}

#[test]
fn a_cycle_of_a_million_is_reported_once() {
    let n = 1_000_000_i64;
    let (forest, broken) = Forest::build((0..n).map(|id| (id, Some((id + 1) % n)))).unwrap();
    assert!(forest.order().is_empty());
    assert_eq!(broken.cycles.len(), 1);
    assert_eq!(broken.cycles[0].len(), 1_000_000);
}

#[test]
fn broken_links_are_named() {
    let links = [
        (5_i64, Some(5)),
        (1, Some(2)),
        (2, Some(3)),
        (3, Some(1)),
        (4, Some(1)),
        (6, Some(4)),
        (7, Some(99)),
        (8, Some(7)),
        (8, None),
    ];
    let (forest, broken) = Forest::build(links).unwrap();
    assert_eq!(broken.cycles, [vec![1, 2, 3], vec![5]]);
    assert_eq!(broken.below_cycles, [4, 6]);
    assert_eq!(broken.orphans, [(7, 99)]);
    assert_eq!(broken.repeated, [8]);
    assert_eq!(forest.order().ids(), [7, 8]);
    assert_eq!(forest.order().find(1), None);
}

#[test]
fn far_apart_ids_are_found() {
    let links = [
        (i64::MIN, None),
        (0, Some(i64::MIN)),
        (i64::MAX, Some(0)),
        (7, Some(8)),
    ];
    let (forest, broken) = Forest::build(links).unwrap();
    assert_eq!(forest.order().ids(), [7, i64::MIN, 0, i64::MAX]);
    assert_eq!(broken.orphans, [(7, 8)]);
    assert_eq!(forest.order().find(i64::MAX), Some(3));
}

type Links = BTreeMap<i64, Option<i64>>;

/// Any links at all: forests, cycles, orphans; with dense and with scattered ids.
fn links() -> impl Strategy<Value = Vec<(i64, Option<i64>)>> {
    let one = (0_i64..40, proptest::option::of(0_i64..45));
    (
        proptest::collection::vec(one, 0..40),
        proptest::sample::select(vec![1_i64, 2, 1_000_003]),
    )
        .prop_map(|(links, factor)| {
            links
                .into_iter()
                .map(|(id, parent)| (id * factor, parent.map(|p| p * factor)))
                .collect()
        })
}

/// Depth first, newest first, by the plain definition.
fn naive_order(links: &Links) -> Vec<(i64, Option<i64>, u32)> {
    let mut order = Vec::new();
    let roots = links
        .iter()
        .filter(|(_, parent)| parent.is_none_or(|p| !links.contains_key(&p)));
    let mut open: Vec<_> = roots.map(|(&id, _)| (id, None, 0)).collect();
    while let Some((id, parent, depth)) = open.pop() {
        order.push((id, parent, depth));
        let children = links.iter().filter(|(_, parent)| **parent == Some(id));
        open.extend(children.map(|(&child, _)| (child, Some(id), depth + 1)));
    }
    order
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_and_links_are_those_of_the_definition(given in links()) {
        let mut first: Links = BTreeMap::new();
        for &(id, parent) in &given {
            first.entry(id).or_insert(parent);
        }
        let (forest, broken) = Forest::build(given.iter().copied()).unwrap();
        let order = forest.order();
        let parent_id = |at: u32| order.parent(at).map(|p| order.ids()[p as usize]);
        let found: Vec<_> = (0_u32..).zip(order.ids()).zip(order.depths())
            .map(|((at, &id), depth)| (id, parent_id(at), depth))
            .collect();
        prop_assert_eq!(&found, &naive_order(&first));
        prop_assert_eq!(broken.repeated.len(), given.len() - first.len());

        let mut finder = order.finder();
        for id in (-1..50).flat_map(|id| [id, id * 2, id * 1_000_003]) {
            let expected = found.iter().position(|node| node.0 == id);
            prop_assert_eq!(order.find(id).map(|at| at as usize), expected);
            prop_assert_eq!(finder.find(id).map(|at| at as usize), expected);
        }
        for (at, node) in (0_u32..).zip(&found) {
            let children: Vec<i64> = forest.children(at).map(|c| order.ids()[c as usize]).collect();
            let expected: Vec<i64> = found.iter().filter(|c| c.1 == Some(node.0)).map(|c| c.0).collect();
            prop_assert_eq!(children, expected);
            let branch = forest.branch(at);
            for other in 0..u32::try_from(found.len()).unwrap() {
                let is_below = other == at || order.ancestors(other).any(|above| above == at);
                prop_assert_eq!(branch.contains(&other), is_below);
            }
        }
        prop_assert_eq!(forest.roots().count(), found.iter().filter(|n| n.1.is_none()).count());
    }

    #[test]
    fn cycles_are_the_components_a_general_search_finds(given in links()) {
        let mut first: Links = BTreeMap::new();
        for &(id, parent) in &given {
            first.entry(id).or_insert(parent);
        }
        let mut graph = DiGraph::<i64, ()>::new();
        let nodes: BTreeMap<i64, _> = first.keys().map(|&id| (id, graph.add_node(id))).collect();
        for (id, parent) in &first {
            if let Some(to) = parent.and_then(|parent| nodes.get(&parent)) {
                graph.add_edge(nodes[id], *to, ());
            }
        }
        let expected: BTreeSet<BTreeSet<i64>> = kosaraju_scc(&graph)
            .into_iter()
            .filter(|ids| ids.len() > 1 || graph.contains_edge(ids[0], ids[0]))
            .map(|ids| ids.into_iter().map(|node| graph[node]).collect())
            .collect();
        let (forest, broken) = Forest::build(given).unwrap();
        let found: BTreeSet<BTreeSet<i64>> = broken.cycles.iter().map(|c| c.iter().copied().collect()).collect();
        prop_assert_eq!(found.len(), broken.cycles.len());
        prop_assert_eq!(found, expected);
        for cycle in &broken.cycles {
            let next = cycle.iter().cycle().skip(1);
            prop_assert!(cycle.iter().zip(next).all(|(id, parent)| first[id] == Some(*parent)));
            prop_assert_eq!(cycle.iter().min(), cycle.first());
        }
        let on_cycles: usize = broken.cycles.iter().map(Vec::len).sum();
        prop_assert_eq!(forest.order().len() + on_cycles + broken.below_cycles.len(), first.len());
    }

    #[test]
    fn positions_hold_each_branch_in_one_range(parents in proptest::collection::vec(any::<u8>(), 0..40), gap in 1_u32..1 << 31) {
        let links = (0_i64..).zip(&parents).map(|(id, &p)| {
            let parent = i64::from(p) % (id + 1);
            (id, (parent < id).then_some(parent))
        });
        let (forest, _) = Forest::build(links).unwrap();
        let positions: Vec<_> = forest.positions(gap).collect();
        let order = forest.order();
        for (a, x) in (0_u32..).zip(&positions) {
            let root = order.ancestors(a).last().unwrap_or(a);
            prop_assert_eq!(x.root, order.ids()[root as usize]);
            prop_assert_eq!(usize::try_from(x.depth).unwrap(), order.ancestors(a).count());
            for (b, y) in (0_u32..).zip(&positions) {
                let in_range = x.root == y.root && (x.place..=x.last_place).contains(&y.place);
                prop_assert_eq!(in_range, forest.branch(a).contains(&b));
            }
        }
    }
}

#[test]
fn positions_that_disagree_with_the_links_are_named() {
    // 1 ← {2 ← 4, 3}, and 9 alone: in order 9, 1, 3, 2, 4.
    let links = [
        (1, None),
        (2, Some(1)),
        (3, Some(1)),
        (4, Some(2)),
        (9, None),
    ];
    let (forest, _) = Forest::build(links).unwrap();
    let good: Vec<_> = forest.positions(10).collect();
    assert_eq!(forest.misplaced(good.iter().rev().copied()), []);
    // Any gaps are as good.
    let squeezed = good.iter().map(|&position| Position {
        place: position.place / 10,
        last_place: position.last_place / 10,
        ..position
    });
    assert_eq!(forest.misplaced(squeezed), []);

    let spoilt = |id: i64, spoil: fn(&mut Position<i64>)| {
        let mut positions = good.clone();
        spoil(
            positions
                .iter_mut()
                .find(|position| position.id == id)
                .unwrap(),
        );
        forest.misplaced(positions)
    };
    assert_eq!(spoilt(2, |p| p.depth = 2), [2]);
    assert_eq!(spoilt(4, |p| p.root = 9), [4]);
    assert_eq!(spoilt(2, |p| p.last_place = 99), [2]);
    assert_eq!(spoilt(2, |p| p.place = 15), [2], "before its older sibling");
    assert_eq!(spoilt(9, |p| p.id = 7), [9, 7]);
    assert_eq!(forest.misplaced([]), [9, 1, 3, 2, 4]);
}
