//! What the store answers about the tree is what a walk over plain lists answers.

use std::num::NonZeroU32;

use proptest::prelude::*;
use rsr_base::ProjectId;
use rsr_hierarchy::{
    BranchNode, Children, ChildrenRequest, Descendants, Filter, Key, Limits, NodeSource, Scope,
    Sort, Viewer,
};
use rsr_store::{ChildRow, NewProject, Role, Snapshot, Store};

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
