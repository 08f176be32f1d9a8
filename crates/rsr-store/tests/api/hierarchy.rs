//! What the store answers about the tree is what a walk over plain lists answers.

use std::num::NonZeroU32;

use proptest::prelude::*;
use rsr_base::ProjectId;
use rsr_hierarchy::{
    BranchNode, Children, ChildrenRequest, Descendants, Filter, Key, Limits, NodeSource, OpenError,
    Scope, Sort, Viewer, Waypoint,
};
use rsr_store::{ChildRow, NewProject, ProjectEdit, Role, Snapshot, Store};

use super::support::TestStore;

#[derive(Clone, Debug)]
struct Plain {
    id: ProjectId,
    parent: Option<ProjectId>,
    title: String,
    is_public: bool,
}

type Spec = Vec<(usize, bool, char)>;

fn specs() -> impl Strategy<Value = Spec> {
    let node = (
        0..12_usize,
        prop::bool::weighted(0.8),
        prop::char::range('a', 'd'),
    );
    proptest::collection::vec(node, 1..30)
}

fn build(store: &Store, spec: &Spec) -> Vec<Plain> {
    let mut plain: Vec<Plain> = Vec::new();
    store
        .write(|tx| {
            for (above, is_public, letter) in spec {
                let parent = plain.len().checked_sub(above + 1).map(|nth| plain[nth].id);
                let title = letter.to_string();
                let id = tx.create_project(&NewProject {
                    parent,
                    title: title.clone(),
                    is_published: true,
                    is_private: !is_public,
                    ..NewProject::default()
                })?;
                plain.push(Plain {
                    id,
                    parent,
                    title,
                    is_public: *is_public,
                });
            }
            Ok::<_, rsr_store::Error>(())
        })
        .unwrap();
    plain
}

/// Children that exist for the question, newest first.
fn children(all: &[Plain], parent: ProjectId, is_within: &dyn Fn(&Plain) -> bool) -> Vec<Plain> {
    let mut found: Vec<Plain> = all
        .iter()
        .filter(|node| node.parent == Some(parent) && is_within(node))
        .cloned()
        .collect();
    found.reverse();
    found
}

fn branch(
    all: &[Plain],
    of: ProjectId,
    depth: u32,
    depth_max: u32,
    is_within: &dyn Fn(&Plain) -> bool,
    found: &mut Vec<(ProjectId, ProjectId, u32, u64)>,
) {
    if depth > depth_max {
        return;
    }
    for child in children(all, of, is_within) {
        let count = children(all, child.id, is_within).len() as u64;
        found.push((child.id, of, depth, count));
        branch(all, child.id, depth + 1, depth_max, is_within, found);
    }
}

fn flat(node: &rsr_hierarchy::Node<ChildRow>) -> (ProjectId, ProjectId, u32, u64) {
    (node.id, node.parent, node.depth, node.children_count)
}

fn check(snapshot: &mut Snapshot, all: &[Plain], viewer: Viewer, filter: &Filter, chunk: usize) {
    let is_within = |node: &Plain| {
        (viewer == Viewer::Administrator || node.is_public)
            && (filter.is_empty() || node.title.contains('a'))
    };
    let scope = Scope {
        viewer,
        filter,
        sort: Sort::default(),
    };
    for node in all
        .iter()
        .filter(|node| viewer == Viewer::Administrator || node.is_public)
    {
        for depth_max in [1, 2, 100] {
            let mut expected = Vec::new();
            branch(all, node.id, 1, depth_max, &is_within, &mut expected);
            let depth = NonZeroU32::new(depth_max);
            let limits = Limits::new(1_000, chunk);
            let found: Vec<_> = Descendants::open(&mut *snapshot, scope, node.id, depth, &limits)
                .unwrap()
                .map(|node| flat(&node.unwrap()))
                .collect();
            assert_eq!(found, expected, "below {} to {depth_max}", node.id);
            let counted = snapshot
                .count_descendants(&scope, node.id, depth, 7)
                .unwrap();
            assert_eq!(counted, expected.len().min(7) as u64);
        }
        for sort in ["-id", "id", "title", "-title"] {
            check_children(snapshot, all, viewer, filter, chunk, node, sort, &is_within);
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "one case of a table")]
fn check_children(
    snapshot: &mut Snapshot,
    all: &[Plain],
    viewer: Viewer,
    filter: &Filter,
    chunk: usize,
    node: &Plain,
    sort: &str,
    is_within: &dyn Fn(&Plain) -> bool,
) {
    let mut request = ChildrenRequest::new(node.id, viewer);
    request.filter = filter.clone();
    request.sort = Sort::parse(sort).unwrap();
    request.nested = true;
    request.depth_max = NonZeroU32::new(3).unwrap();
    let mut expected = Vec::new();
    let mut level = children(all, node.id, is_within);
    level.sort_by(|a, b| {
        let key = |node: &Plain| Key::new(Some(&node.title), node.id);
        request.sort.compare(&key(a), &key(b))
    });
    for child in level {
        let count = children(all, child.id, is_within).len() as u64;
        expected.push((child.id, node.id, 1, count));
        branch(all, child.id, 2, 3, is_within, &mut expected);
    }
    // Page by page, two elements at a time.
    let mut found = Vec::new();
    let limits = Limits::new(2, chunk);
    loop {
        let answer = Children::open(&mut *snapshot, &request, &limits).unwrap();
        let next = answer.head().next.clone();
        found.extend(answer.map(|node| flat(&node.unwrap())));
        if next.is_none() {
            break;
        }
        request.after = next;
    }
    assert_eq!(found, expected, "children of {} by {sort}", node.id);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn answers_are_those_of_plain_lists(spec in specs(), chunk in 1..6_usize) {
        let test = TestStore::new();
        let all = build(&test.store, &spec);
        let mut snapshot = test.store.snapshot().unwrap();
        let mut filter = Filter::default();
        check(&mut snapshot, &all, Viewer::Administrator, &filter, chunk);
        check(&mut snapshot, &all, Viewer::Anonymous, &filter, chunk);
        filter.add("title", "A").unwrap();
        check(&mut snapshot, &all, Viewer::Anonymous, &filter, chunk);
    }
}

#[test]
fn a_role_opens_a_private_project_and_its_edit() {
    let test = TestStore::new();
    let (top, hidden, user) = test
        .store
        .write(|tx| {
            let top = tx.create_project(&NewProject {
                is_published: true,
                ..NewProject::default()
            })?;
            let hidden = tx.create_project(&NewProject {
                parent: Some(top),
                is_private: true,
                ..NewProject::default()
            })?;
            let user = tx.create_user("Ada", None, false)?;
            tx.grant_project_role(user, hidden, Role::Editor)?;
            Ok::<_, rsr_store::Error>((top, hidden, user))
        })
        .unwrap();
    let mut snapshot = test.store.snapshot().unwrap();
    assert!(!snapshot.is_visible(hidden, Viewer::Anonymous).unwrap());
    assert!(snapshot.is_visible(hidden, Viewer::User(user)).unwrap());
    let filter = Filter::default();
    let scope = Scope {
        viewer: Viewer::User(user),
        filter: &filter,
        sort: Sort::default(),
    };
    let mut nodes: Vec<BranchNode<ChildRow>> = Vec::new();
    let next = snapshot
        .branches(&scope, &[top], None, None, 1, &mut nodes)
        .unwrap();
    assert_eq!(next, None, "what fits exactly has nothing after it");
    assert!(nodes[0].node.row.is_editable);
    assert_eq!(nodes[0].node.row.roles[0].name, "Ada");
}

/// The stream of everything below `top`, from behind a node or from its start.
fn stream(
    store: &Store,
    viewer: Viewer,
    top: ProjectId,
    last: Option<Waypoint>,
) -> Result<Vec<Waypoint>, OpenError<rsr_store::Error>> {
    let mut snapshot = store.snapshot().unwrap();
    let filter = Filter::default();
    let scope = Scope {
        viewer,
        filter: &filter,
        sort: Sort::default(),
    };
    let limits = Limits::new(1_000, 3);
    let nodes = match last {
        None => Descendants::open(&mut snapshot, scope, top, None, &limits),
        Some(last) => Descendants::open_after(&mut snapshot, scope, top, None, &limits, &last),
    };
    let waypoint = |node: rsr_hierarchy::Node<ChildRow>| Waypoint {
        id: node.id,
        parent: node.parent,
    };
    Ok(nodes?.map(|node| waypoint(node.unwrap())).collect())
}

/// A root with three branches of a chain and two leaves each.
fn three_branches(test: &TestStore) -> (ProjectId, Vec<Waypoint>) {
    let root = test.project("root", None);
    for branch in ["a", "b", "c"] {
        let top = test.project(branch, Some(root));
        let below = test.project("below", Some(top));
        test.project("leaf", Some(below));
        test.project("leaf", Some(top));
    }
    let all = stream(&test.store, Viewer::Anonymous, root, None).unwrap();
    assert_eq!(all.len(), 12);
    (root, all)
}

#[test]
fn a_stream_goes_on_behind_any_of_its_nodes() {
    let test = TestStore::new();
    let (root, all) = three_branches(&test);
    for (nth, last) in all.iter().enumerate() {
        let rest = stream(&test.store, Viewer::Anonymous, root, Some(*last)).unwrap();
        assert_eq!(rest, all[nth + 1..], "after the {nth}th");
    }
}

#[test]
fn a_stream_goes_on_where_its_last_node_was_removed_or_moved() {
    for (nth, is_moved) in (0..12).flat_map(|nth| [(nth, false), (nth, true)]) {
        let test = TestStore::new();
        let (root, all) = three_branches(&test);
        let last = all[nth];
        let change = test.store.write(|tx| {
            if is_moved {
                tx.move_project(last.id, None, false)
            } else {
                tx.delete_project(last.id).map(|_n| ())
            }
        });
        change.unwrap();
        let now = stream(&test.store, Viewer::Anonymous, root, None).unwrap();
        // What was still to come and is still there: nothing else is missing, nothing comes twice.
        let expected: Vec<_> = all[nth + 1..]
            .iter()
            .filter(|node| now.contains(node))
            .collect();
        let rest = stream(&test.store, Viewer::Anonymous, root, Some(last)).unwrap();
        assert_eq!(
            rest.iter().collect::<Vec<_>>(),
            expected,
            "{nth} {is_moved}"
        );
    }
}

#[test]
fn a_stream_that_goes_on_shows_nothing_below_what_was_hidden_meanwhile() {
    let test = TestStore::new();
    let (root, all) = three_branches(&test);
    // The second branch: its top, the leaf, the chain's upper and lower node.
    let (top, in_the_branch) = (all[4], all[6]);
    let hide = ProjectEdit {
        is_public: Some(false),
        ..ProjectEdit::default()
    };
    test.store
        .write(|tx| tx.edit_project(top.id, &hide))
        .unwrap();
    let rest = stream(&test.store, Viewer::Anonymous, root, Some(in_the_branch)).unwrap();
    assert_eq!(rest, all[8..]);
    let rest = stream(
        &test.store,
        Viewer::Administrator,
        root,
        Some(in_the_branch),
    )
    .unwrap();
    assert_eq!(rest, all[7..]);
}

#[test]
fn a_stream_whose_place_left_the_branch_starts_again() {
    let test = TestStore::new();
    let (root, all) = three_branches(&test);
    let (top, in_the_branch) = (all[4], all[6]);
    test.store
        .write(|tx| tx.move_project(top.id, None, false))
        .unwrap();
    let refused = stream(&test.store, Viewer::Anonymous, root, Some(in_the_branch));
    assert!(matches!(refused, Err(OpenError::Moved(_))), "{refused:?}");
}

/// `n` children of a root of their own, half of them with the same title; none has a date.
fn children_of_two_titles(test: &TestStore, n: usize) -> ProjectId {
    let root = test.project("root", None);
    let children = test.store.write(|tx| {
        for nth in 0..n {
            tx.create_project(&NewProject {
                parent: Some(root),
                title: if nth % 2 == 0 {
                    "same".to_owned()
                } else {
                    format!("title {}", nth * 7919 % n)
                },
                is_published: true,
                ..NewProject::default()
            })?;
        }
        Ok::<_, rsr_store::Error>(())
    });
    children.unwrap();
    root
}

/// Steps of SQLite's machine, or rows where the engine counts no steps, for all pages of 50.
fn cost_of_pages(store: &Store, root: ProjectId, sort: &str) -> u64 {
    let mut snapshot = store.snapshot().unwrap();
    let before = snapshot.work();
    let mut request = ChildrenRequest::new(root, Viewer::Anonymous);
    request.sort = Sort::parse(sort).unwrap();
    let limits = Limits::new(50, 25);
    loop {
        let answer = Children::open(&mut snapshot, &request, &limits).unwrap();
        let next = answer.head().next.clone();
        answer.for_each(|node| drop(node.unwrap()));
        if next.is_none() {
            break;
        }
        request.after = next;
    }
    let after = snapshot.work();
    match (before.n_steps, after.n_steps) {
        (Some(before), Some(after)) => after - before,
        _ => after.n_rows - before.n_rows,
    }
}

#[test]
fn pages_in_any_order_cost_what_they_hold() {
    let test = TestStore::new();
    let few = children_of_two_titles(&test, 300);
    let many = children_of_two_titles(&test, 1_200);
    for sort in [
        "-id",
        "id",
        "title",
        "-title",
        "planned_start",
        "-planned_start",
    ] {
        let few = cost_of_pages(&test.store, few, sort);
        let many = cost_of_pages(&test.store, many, sort);
        // An exponent of 1.05 for four times as many.
        assert!(many * 100 <= few * 429, "{sort}: from {few} to {many}");
    }
}

#[test]
fn counting_reads_no_further_than_the_limit() {
    let test = TestStore::new();
    let cost = |root: ProjectId| {
        let mut snapshot = test.store.snapshot().unwrap();
        let filter = Filter::default();
        let scope = Scope {
            viewer: Viewer::Anonymous,
            filter: &filter,
            sort: Sort::default(),
        };
        let depth_max = NonZeroU32::new(2);
        // Statements are prepared by the first.
        snapshot
            .count_descendants(&scope, root, depth_max, 11)
            .unwrap();
        let before = snapshot.work();
        let n = snapshot
            .count_descendants(&scope, root, depth_max, 11)
            .unwrap();
        assert_eq!(n, 11);
        let after = snapshot.work();
        (
            after.n_rows - before.n_rows,
            after
                .n_steps
                .zip(before.n_steps)
                .map(|(after, before)| after - before),
        )
    };
    let few = children_of_two_titles(&test, 20);
    let many = children_of_two_titles(&test, 500);
    assert_eq!(cost(few), cost(many));
}
