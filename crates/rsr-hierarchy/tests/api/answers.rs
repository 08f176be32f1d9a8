//! The children endpoint's answer: the table of hierarchy.md section 3, row by row, and the rules around it.

use std::num::{NonZeroU32, NonZeroUsize};

use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use rsr_base::ProjectId;
use rsr_hierarchy::{
    Children, ChildrenRequest, Head, Limits, Mode, Node, OpenError, Sort, SortField, Viewer,
};

use crate::memory::Tree;

fn of_1() -> ChildrenRequest {
    ChildrenRequest::new(ProjectId(1), Viewer::Anonymous)
}

fn answer(tree: &mut Tree, request: &ChildrenRequest, limits: Limits) -> (Head, Vec<Node<String>>) {
    let children = Children::open(tree, request, &limits).unwrap();
    let head = children.head().clone();
    (head, children.map(Result::unwrap).collect())
}

#[derive(Debug, PartialEq, Eq)]
struct Row {
    mode: Mode,
    processed: u64,
    children_counts: Vec<u64>,
    is_truncated: bool,
}

#[track_caller]
fn check(mut tree: Tree, limit: usize, chunk: usize, expected: &Row) {
    let (head, nodes) = answer(&mut tree, &of_1(), Limits::new(limit, chunk));
    assert_eq!(head.children_count, nodes.len());
    let row = Row {
        mode: head.mode,
        processed: head.total_processed,
        children_counts: nodes.iter().map(|node| node.children_count).collect(),
        is_truncated: head.is_truncated(),
    };
    assert_eq!(&row, expected);
    let rows_read: usize = tree.asked.children.iter().sum();
    assert_eq!(rows_read, head.children_count, "no row is read for nothing");
    let most = *tree.asked.children.iter().max().unwrap_or(&0);
    assert!(most <= chunk, "{most} rows at once");
}

fn row(mode: Mode, processed: u64, counts: &[u64], is_truncated: bool) -> Row {
    Row {
        mode,
        processed,
        children_counts: counts.to_vec(),
        is_truncated,
    }
}

#[test]
fn row_1_a_leaf_has_an_empty_array() {
    check(Tree::fan(0), 1000, 500, &row(Mode::Standard, 0, &[], false));
}

#[test]
fn row_2_two_children() {
    check(
        Tree::fan(2),
        1000,
        500,
        &row(Mode::Standard, 2, &[0, 0], false),
    );
}

#[test]
fn row_3_a_child_with_a_grandchild() {
    check(
        Tree::chain(3),
        1000,
        500,
        &row(Mode::Standard, 2, &[1], false),
    );
}

#[test]
fn row_4_five_children_the_first_with_a_grandchild() {
    let mut links: Vec<_> = (2..=6).map(|id| (id, Some(1))).collect();
    links.extend([(1, None), (7, Some(6))]);
    let expected = row(Mode::Standard, 6, &[1, 0, 0, 0, 0], false);
    check(Tree::new(links), 1000, 500, &expected);
}

#[test]
fn row_5_four_children_past_a_limit_of_two() {
    check(Tree::fan(4), 2, 1, &row(Mode::Chunked, 2, &[0, 0], true));
}

#[test]
fn row_6_exactly_the_limit_is_not_truncated() {
    for chunk in 1..=4 {
        let expected = row(Mode::Standard, 3, &[0, 0, 0], false);
        check(Tree::fan(3), 3, chunk, &expected);
    }
}

fn three_with_ten_grandchildren() -> Tree {
    let children = (2..=4).map(|id| (id, Some(1)));
    let grandchildren = (5..=14).map(|id| (id, Some(2 + id % 3)));
    Tree::new(children.chain(grandchildren).chain([(1, None)]))
}

#[test]
fn row_7_grandchildren_make_it_chunked_but_cut_nothing() {
    check(
        three_with_ten_grandchildren(),
        3,
        2,
        &row(Mode::Chunked, 13, &[4, 3, 3], false),
    );
}

#[test]
fn row_8_one_more_than_the_limit() {
    let expected = row(Mode::Chunked, 1000, &[0; 1000], true);
    check(Tree::fan(1001), 1000, 500, &expected);
}

#[test]
fn chunks_are_full_but_the_last_and_never_empty() {
    for n in [1, 7, 8, 9, 24] {
        for chunk in [1, n - 1, n, n + 1].into_iter().filter(|&c| c > 0) {
            let mut tree = Tree::fan(i64::try_from(n).unwrap());
            let (_, nodes) = answer(&mut tree, &of_1(), Limits::new(1000, chunk));
            assert_eq!(nodes.len(), n);
            let reads = &tree.asked.children;
            assert_eq!(reads.len(), n.div_ceil(chunk), "{n} by {chunk}");
            let (last, full) = reads.split_last().unwrap();
            assert!(full.iter().all(|&rows| rows == chunk) && *last > 0);
        }
    }
}

#[test]
fn the_clients_limit_lowers_and_never_raises() {
    let with_limit = |limit| ChildrenRequest {
        limit: NonZeroUsize::new(limit),
        ..of_1()
    };
    let (head, _) = answer(&mut Tree::fan(5), &with_limit(2), Limits::new(10, 3));
    assert_eq!((head.mode, head.children_count), (Mode::Standard, 2));
    assert_eq!((head.total_processed, head.is_truncated()), (2, true));
    let (head, _) = answer(&mut Tree::fan(5), &with_limit(99), Limits::new(3, 3));
    assert_eq!((head.mode, head.children_count), (Mode::Chunked, 3));
}

#[test]
fn both_modes_give_the_same_array() {
    let whole = answer(
        &mut three_with_ten_grandchildren(),
        &of_1(),
        Limits::new(13, 500),
    );
    let chunked = answer(
        &mut three_with_ten_grandchildren(),
        &of_1(),
        Limits::new(12, 1),
    );
    assert_eq!(whole.0.mode, Mode::Standard);
    assert_eq!(chunked.0.mode, Mode::Chunked);
    assert_eq!(whole.1, chunked.1);
}

#[test]
fn hidden_nodes_are_in_no_number_and_hide_what_is_below() {
    let mut tree = three_with_ten_grandchildren();
    tree.projects.get_mut(&3).unwrap().is_hidden = true;
    tree.projects.get_mut(&5).unwrap().is_hidden = true;
    let (head, nodes) = answer(&mut tree, &of_1(), Limits::default());
    assert_eq!(head.total_processed, 2 + 3 + 3);
    let counts: Vec<_> = nodes.iter().map(|n| (n.id.0, n.children_count)).collect();
    assert_eq!(counts, [(4, 3), (2, 3)]);

    let administrator = ChildrenRequest {
        viewer: Viewer::Administrator,
        ..of_1()
    };
    assert_eq!(
        answer(&mut tree, &administrator, Limits::default())
            .0
            .total_processed,
        13
    );
}

#[test]
fn a_filter_narrows_elements_and_counts() {
    let mut request = of_1();
    request.filter.add("title", "p1").unwrap();
    let mut tree = three_with_ten_grandchildren();
    tree.projects.get_mut(&2).unwrap().title = Some("p1 too".to_owned());
    let (head, nodes) = answer(&mut tree, &request, Limits::default());
    assert_eq!((head.children_count, head.total_processed), (1, 2));
    assert_eq!(
        nodes[0].children_count, 1,
        "12 alone: 6 and 9 are filtered out"
    );
}

#[test]
fn unknown_and_hidden_projects_are_the_same() {
    let mut tree = Tree::fan(1);
    tree.projects.get_mut(&2).unwrap().is_hidden = true;
    for id in [2, 99] {
        let request = ChildrenRequest::new(ProjectId(id), Viewer::Anonymous);
        let refused = Children::open(&mut tree, &request, &Limits::default()).err();
        assert_eq!(refused, Some(OpenError::UnknownProject(ProjectId(id))));
    }
}

#[test]
fn nested_branches_come_in_depth_first_order_within_two_chunks() {
    // 1 ← {2, 3}; 2 ← 4 ← 5 ← 6; 3 ← {7, 8}
    let links = [
        (1, None),
        (2, Some(1)),
        (3, Some(1)),
        (4, Some(2)),
        (5, Some(4)),
    ];
    let more = [(6, Some(5)), (7, Some(3)), (8, Some(3))];
    for chunk in 1..=9 {
        let mut tree = Tree::new(links.into_iter().chain(more));
        let request = ChildrenRequest {
            nested: true,
            depth_max: NonZeroU32::new(3).unwrap(),
            ..of_1()
        };
        let limits = Limits::new(100, chunk);
        let mut children = Children::open(&mut tree, &request, &limits).unwrap();
        let mut given = Vec::new();
        while let Some(node) = children.next() {
            let node = node.unwrap();
            assert!(children.buffered() <= 2 * chunk);
            given.push((node.id.0, node.depth, node.children_count));
        }
        let expected = [
            (3, 1, 2),
            (8, 2, 0),
            (7, 2, 0),
            (2, 1, 1),
            (4, 2, 1),
            (5, 3, 1),
        ];
        assert_eq!(given, expected, "chunks of {chunk}");
        assert!(tree.asked.branches.iter().all(|&rows| rows <= chunk));
    }
}

#[test]
fn a_thousand_leaves_cost_no_branch_reads() {
    let mut tree = Tree::fan(100);
    let request = ChildrenRequest {
        nested: true,
        ..of_1()
    };
    answer(&mut tree, &request, Limits::new(100, 10));
    assert_eq!(tree.asked.branches, []);
}

/// Follows cursors to the end, doing something to the tree between the answers.
fn follow(
    tree: &mut Tree,
    request: &ChildrenRequest,
    limits: Limits,
    mut between: impl FnMut(&mut Tree, usize),
) -> Vec<i64> {
    let mut request = request.clone();
    let mut seen = Vec::new();
    for nth in 0.. {
        let (head, nodes) = answer(tree, &request, limits);
        seen.extend(
            nodes
                .iter()
                .filter(|node| node.depth == 1)
                .map(|node| node.id.0),
        );
        let Some(next) = head.next else { break };
        assert!(!nodes.is_empty(), "a truncated answer holds something");
        request.after = Some(next);
        between(tree, nth);
    }
    seen
}

#[test]
fn children_added_and_removed_meanwhile_neither_hide_nor_double_others() {
    let seen = follow(
        &mut Tree::fan(20),
        &of_1(),
        Limits::new(3, 2),
        |tree, nth| {
            let new = 100 + i64::try_from(nth).unwrap();
            tree.projects.insert(new, tree.projects[&2].clone());
            // The one a cursor names, and one that comes later.
            tree.projects.remove(&19);
            tree.projects.remove(&10);
        },
    );
    let mut expected: Vec<i64> = (2..=21).rev().collect();
    expected.retain(|&id| id != 10);
    assert_eq!(seen, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_child_comes_exactly_once_in_order(
        parents in proptest::collection::vec(any::<u8>(), 0..60),
        titles in proptest::collection::vec(proptest::option::of("[ab]{0,2}"), 60),
        limit in 1_usize..8,
        chunk in 1_usize..9,
        depth in 1_u32..5,
        by_title in any::<bool>(),
        descending in any::<bool>(),
        nested in any::<bool>(),
    ) {
        let mut tree = Tree::new([(1, None)]);
        for (id, parent) in (2_i64..).zip(&parents) {
            let parent = 1 + i64::from(*parent) % (id - 1);
            tree.projects.insert(id, crate::memory::Project { parent: Some(parent), ..Default::default() });
        }
        for (project, title) in tree.projects.values_mut().zip(titles) {
            project.title = title;
        }
        let request = ChildrenRequest {
            sort: Sort { field: if by_title { SortField::Title } else { SortField::Id }, descending },
            depth_max: NonZeroU32::new(depth).unwrap(),
            nested,
            ..of_1()
        };
        let seen = follow(&mut tree, &request, Limits::new(limit, chunk), |_, _| ());
        let whole = answer(&mut tree, &request, Limits::new(1000, 1000));
        let expected: Vec<i64> = whole.1.iter().filter(|n| n.depth == 1).map(|n| n.id.0).collect();
        prop_assert_eq!(whole.0.children_count, expected.len());
        if nested {
            prop_assert_eq!(whole.0.total_processed, whole.1.len() as u64);
        }
        prop_assert!(!whole.0.is_truncated());
        prop_assert_eq!(seen, expected);
    }
}
