//! The stream of all descendants, and grouping.

use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};
use rsr_base::ProjectId;
use rsr_hierarchy::{
    Descendants, Filter, Grouping, Limits, OpenError, Scope, Sort, Viewer, Waypoint,
};

use crate::memory::Tree;

fn stream(tree: &mut Tree, chunk: usize) -> Vec<(i64, i64, u32)> {
    let filter = Filter::default();
    let scope = Scope {
        viewer: Viewer::Anonymous,
        filter: &filter,
        sort: Sort::default(),
    };
    let limits = Limits::new(1, chunk);
    Descendants::open(tree, scope, ProjectId(1), None, &limits)
        .unwrap()
        .map(|node| node.unwrap())
        .map(|node| (node.id.0, node.parent.0, node.depth))
        .collect()
}

#[test]
fn parents_come_before_children_and_children_newest_first() {
    let links = [
        (1, None),
        (2, Some(1)),
        (3, Some(1)),
        (4, Some(2)),
        (5, Some(2)),
    ];
    for chunk in 1..6 {
        let nodes = stream(&mut Tree::new(links), chunk);
        assert_eq!(nodes, [(3, 1, 1), (2, 1, 1), (5, 2, 2), (4, 2, 2)]);
    }
}

#[test]
fn every_chunk_is_full_but_the_last() {
    let mut tree = Tree::fan(10);
    stream(&mut tree, 4);
    assert_eq!(tree.asked.branches, [4, 4, 2]);
}

#[test]
fn a_stream_goes_on_behind_a_node_and_not_where_it_left() {
    let links = [
        (1, None),
        (2, Some(1)),
        (3, Some(1)),
        (4, Some(2)),
        (9, None),
    ];
    let mut tree = Tree::new(links);
    let filter = Filter::default();
    let scope = Scope {
        viewer: Viewer::Anonymous,
        filter: &filter,
        sort: Sort::default(),
    };
    let limits = Limits::new(1, 2);
    let mut after = |id, parent| {
        let last = Waypoint {
            id: ProjectId(id),
            parent: ProjectId(parent),
        };
        Descendants::open_after(&mut tree, scope, ProjectId(1), None, &limits, &last)
            .map(|all| all.map(|node| node.unwrap().id.0).collect::<Vec<_>>())
    };
    assert_eq!(after(3, 1), Ok(vec![2, 4]));
    assert_eq!(after(4, 2), Ok(vec![]));
    assert_eq!(after(9, 9), Err(OpenError::Moved(ProjectId(9))));
}

#[test]
fn grouping_shows_nothing_twice_and_ends_on_a_circle() {
    let mut grouping = Grouping::below(ProjectId(1));
    for (id, parent) in [(2, 1), (3, 2), (2, 3), (1, 3), (4, 99)] {
        grouping.add(ProjectId(id), Some(ProjectId(parent)), ());
    }
    let shown: Vec<_> = grouping
        .shown()
        .map(|(depth, id, ())| (depth, id.0))
        .collect();
    assert_eq!(shown, [(1, 2), (2, 3)]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn grouping_keeps_the_order_received_under_each_parent(
        parents in proptest::collection::vec(any::<u8>(), 1..50),
        order in proptest::collection::vec(any::<u16>(), 50),
    ) {
        let mut nodes: Vec<(u16, i64, i64)> = (2_i64..)
            .zip(&parents)
            .zip(&order)
            .map(|((id, &parent), &at)| (at, id, 1 + i64::from(parent) % (id - 1)))
            .collect();
        nodes.sort_unstable();
        let mut grouping = Grouping::below(ProjectId(1));
        for &(_, id, parent) in &nodes {
            grouping.add(ProjectId(id), Some(ProjectId(parent)), ());
        }
        prop_assert_eq!(grouping.shown().count(), nodes.len());
        for parent in 1..=51 {
            let expected: Vec<i64> = nodes.iter().filter(|n| n.2 == parent).map(|n| n.1).collect();
            let found: Vec<i64> = grouping.children_of(ProjectId(parent)).iter().map(|c| c.0.0).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
