//! Positions always say what the parent links say.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rsr_base::ProjectId;
use rsr_store::{Conflict, Error, NewProject, Store};

use super::support::TestStore;

#[derive(Clone, Debug)]
enum Step {
    Create(usize),
    Move(usize, usize),
    Delete(usize),
    Rebuild,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..30_usize).prop_map(Step::Create),
        5 => (0..30_usize, 0..30_usize).prop_map(|(a, b)| Step::Move(a, b)),
        1 => (0..30_usize).prop_map(Step::Delete),
        1 => Just(Step::Rebuild),
    ];
    proptest::collection::vec(step, 1..40)
}

/// The tree as a map from child to parent.
#[derive(Default)]
struct Model(BTreeMap<i64, Option<i64>>);

impl Model {
    fn nth(&self, n: usize) -> Option<i64> {
        self.0.keys().nth(n % (self.0.len() + 1)).copied()
    }

    fn is_above(&self, id: i64, below: i64) -> bool {
        std::iter::successors(Some(below), |at| self.0.get(at).copied().flatten())
            .any(|at| at == id)
    }

    /// Depth first, newest first.
    fn branch(&self, id: i64, depth: u64, found: &mut Vec<(ProjectId, u64)>) {
        let children = self
            .0
            .iter()
            .rev()
            .filter(|(_, parent)| **parent == Some(id));
        for (child, _) in children {
            found.push((ProjectId(*child), depth));
            self.branch(*child, depth + 1, found);
        }
    }
}

fn apply(store: &Store, model: &mut Model, step: &Step) {
    match step {
        Step::Create(parent) => {
            let parent = model.nth(*parent);
            let new = NewProject {
                parent: parent.map(ProjectId),
                ..NewProject::default()
            };
            let id = store.write(|tx| tx.create_project(&new)).unwrap();
            model.0.insert(id.0, parent);
        }
        Step::Move(project, parent) => {
            let Some(project) = model.nth(*project) else {
                return;
            };
            let parent = model.nth(*parent);
            let moved =
                store.write(|tx| tx.move_project(ProjectId(project), parent.map(ProjectId), false));
            let expected = match parent {
                None => Ok(()),
                Some(parent) if parent == project => Err(Conflict::SameNode(project)),
                Some(parent) if model.0[&project] == Some(parent) => {
                    Err(Conflict::SameParent(project))
                }
                Some(parent) if model.is_above(project, parent) => {
                    Err(Conflict::WouldBreakTree { project, parent })
                }
                Some(_) => Ok(()),
            };
            match (moved, expected) {
                (Ok(()), Ok(())) => {
                    model.0.insert(project, parent);
                }
                (Err(Error::Conflict(found)), Err(expected)) => assert_eq!(found, expected),
                (found, expected) => panic!("found {found:?}, expected {expected:?}"),
            }
        }
        Step::Delete(project) => {
            let Some(project) = model.nth(*project) else {
                return;
            };
            let mut gone = vec![(ProjectId(project), 0)];
            model.branch(project, 1, &mut gone);
            let n = store
                .write(|tx| tx.delete_project(ProjectId(project)))
                .unwrap();
            assert_eq!(n, gone.len());
            for (id, _) in gone {
                model.0.remove(&id.0);
            }
        }
        Step::Rebuild => store.write(|tx| tx.rebuild_positions()).unwrap(),
    }
}

fn check(store: &Store, model: &Model) {
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.position_disagreements(None, 10).unwrap(), []);
    for id in model.0.keys() {
        let mut expected = Vec::new();
        model.branch(*id, 1, &mut expected);
        assert_eq!(
            snapshot.branch(ProjectId(*id), None, 100).unwrap(),
            expected,
            "below {id}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn positions_follow_the_parent_links(steps in steps()) {
        let test = TestStore::new();
        let mut model = Model::default();
        for step in &steps {
            apply(&test.store, &mut model, step);
        }
        check(&test.store, &model);
    }
}

#[test]
fn a_used_up_gap_is_numbered_anew() {
    let test = TestStore::new();
    let top = test.project("top", None);
    let child = test.project("child", Some(top));
    // Each goes between the top and the one before, and something below each of them.
    for _ in 0..40 {
        let next = test.project("next", Some(top));
        test.project("below", Some(next));
        test.project("below", Some(child));
    }
    let snapshot = test.store.snapshot().unwrap();
    assert_eq!(snapshot.position_disagreements(None, 10).unwrap(), []);
    assert_eq!(snapshot.branch(top, None, 1_000).unwrap().len(), 121);
}

#[test]
fn a_deep_chain_moves_in_one_piece() {
    let test = TestStore::new();
    let top = test.project("top", None);
    let mut at = top;
    for _ in 0..200 {
        at = test.project("level", Some(at));
    }
    let other = test.project("other", None);
    test.store
        .write(|tx| tx.move_project(top, Some(other), false))
        .unwrap();
    let snapshot = test.store.snapshot().unwrap();
    assert_eq!(snapshot.place(at).unwrap().unwrap().depth, 201);
    assert_eq!(snapshot.place(at).unwrap().unwrap().root, other);
    assert_eq!(snapshot.position_disagreements(None, 10).unwrap(), []);
}

#[test]
fn those_above_are_found_once_each_the_nearest_of_a_long_chain() {
    let test = TestStore::new();
    let top = test.project("top", None);
    let middle = test.project("middle", Some(top));
    let leaf = test.project("leaf", Some(middle));
    test.project("beside", Some(top));
    let above = |id, n| {
        let mut ids = test
            .store
            .snapshot()
            .unwrap()
            .with_ancestors(id, n)
            .unwrap();
        ids.sort();
        ids
    };
    assert_eq!(above(leaf, 10), [top, middle, leaf]);
    assert_eq!(above(leaf, 2), [middle, leaf]);
    assert_eq!(above(ProjectId(9_999), 10), []);
    test.meddle(&format!(
        "UPDATE projects SET parent_id = {leaf} WHERE id = {top}"
    ));
    assert_eq!(above(leaf, 10), [top, middle, leaf], "round in a circle");
}

#[test]
fn trees_wider_than_a_chunk_are_numbered_whole() {
    let test = TestStore::new();
    let top = test.project("top", None);
    let other = test.project("other", None);
    let made = test.store.write(|tx| {
        let mut ids = Vec::new();
        for nth in 0..2_100 {
            let parent = match nth % 7 {
                6 => *ids.last().unwrap_or(&top),
                _ => top,
            };
            ids.push(tx.create_project(&NewProject {
                parent: Some(parent),
                ..NewProject::default()
            })?);
        }
        Ok::<_, Error>(ids)
    });
    let n_made = made.unwrap().len();
    // Wrong in every way that rows can be.
    test.meddle(&format!(
        "UPDATE positions SET place = -place, depth = 7 WHERE root_id = {top};
         DELETE FROM positions WHERE project_id % 5 = 0"
    ));
    test.store.write(|tx| tx.rebuild_positions()).unwrap();
    let snapshot = test.store.snapshot().unwrap();
    assert_eq!(snapshot.position_disagreements(None, 10).unwrap(), []);
    assert_eq!(snapshot.branch(top, None, 9_999).unwrap().len(), n_made);
    assert_eq!(snapshot.place(other).unwrap().unwrap().root, other);
}

#[test]
fn what_hangs_below_a_circle_loses_its_places_at_once() {
    let test = TestStore::new();
    let top = test.project("top", None);
    let ring = test.project("ring", Some(top));
    let mut at = ring;
    for _ in 0..50 {
        at = test.project("level", Some(at));
    }
    test.meddle(&format!(
        "UPDATE projects SET parent_id = {} WHERE id = {ring}",
        ring.0 + 1
    ));
    test.store.write(|tx| tx.rebuild_positions()).unwrap();
    let snapshot = test.store.snapshot().unwrap();
    assert_eq!(snapshot.position_disagreements(None, 10).unwrap(), []);
    assert_eq!(snapshot.place(at).unwrap(), None);
    assert_eq!(snapshot.place(ring).unwrap(), None);
    assert_eq!(snapshot.branch(top, None, 10).unwrap(), []);
}

#[test]
fn values_of_many_projects_are_those_of_their_latest_periods() {
    let test = TestStore::new();
    let (one, two) = (test.project("one", None), test.project("two", None));
    test.meddle(&format!(
        "INSERT INTO results (id, project_id, place /*!, root_id */) VALUES (1, {one}, 0 /*!, {one} */);
         INSERT INTO indicators (id, result_id, project_id, place, title, kind /*!, root_id */) VALUES
             (1, 1, {one}, 0, 'a', 1 /*!, {one} */), (2, 1, {one}, 1, 'b', 2 /*!, {one} */),
             (3, 1, {one}, 2, 'c', 1 /*!, {one} */), (4, 1, {one}, 3, 'd', 1 /*!, {one} */);
         INSERT INTO periods (id, indicator_id, project_id, place, end_date, target_value, value /*!, root_id */) VALUES
             (1, 1, {one}, 0, '2024-12-31', '5', 300 /*!, {one} */), (2, 1, {one}, 1, '2025-12-31', '6', NULL /*!, {one} */),
             (3, 3, {one}, 0, '2024-12-31', '7', NULL /*!, {one} */), (4, 3, {one}, 1, '2025-12-31', '8', NULL /*!, {one} */)"
    ));
    let snapshot = test.store.snapshot().unwrap();
    let achieved = snapshot.achieved(&[one, two], 2).unwrap();
    assert!(!achieved.contains_key(&two));
    let one = &achieved[&one];
    assert_eq!(one.n_indicators, 3, "stories have no values");
    let first: Vec<_> = one
        .first
        .iter()
        .map(|value| {
            let number = value.numbers.value.map(|number| number.to_string());
            (value.title.as_str(), value.target_value.as_str(), number)
        })
        .collect();
    assert_eq!(
        first,
        [("a", "5", Some("3.00".to_owned())), ("c", "8", None)]
    );
}
