//! Ways up, moves, and what breaks them.

use rsr_base::ProjectId;
use rsr_hierarchy::{Ancestors, ClimbError, MoveError, check_move, root_of};

use crate::memory::Tree;

fn up(tree: &mut Tree, from: i64) -> Vec<Result<i64, String>> {
    Ancestors::of(tree, ProjectId(from))
        .unwrap()
        .map(|step| step.map(|id| id.0).map_err(|error| error.to_string()))
        .collect()
}

#[test]
fn ancestors_come_nearest_first_at_any_depth() {
    let mut tree = Tree::chain(10_000);
    let found: Vec<i64> = up(&mut tree, 10_000)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let expected: Vec<i64> = (1..10_000).rev().collect();
    assert_eq!(found, expected);
    assert_eq!(root_of(&mut tree, ProjectId(10_000)), Ok(ProjectId(1)));
    assert_eq!(root_of(&mut tree, ProjectId(1)), Ok(ProjectId(1)));
    assert_eq!(up(&mut tree, 1), []);
}

#[test]
fn a_cycle_ends_the_climb_and_says_so() {
    for length in 1..40 {
        // A tail of five below a cycle.
        let cycle = (1..=length).map(|id| (id, Some(if id == 1 { length } else { id - 1 })));
        let tail = (length + 1..=length + 5).map(|id| (id, Some(id - 1)));
        let mut tree = Tree::new(cycle.chain(tail));
        let steps = up(&mut tree, length + 5);
        let bound = usize::try_from(5 + 3 * length + 3).unwrap();
        assert!(steps.len() <= bound.max(20), "{} steps", steps.len());
        let (last, before) = steps.split_last().unwrap();
        assert!(
            last.as_ref()
                .is_err_and(|e| e.contains("is its own ancestor"))
        );
        assert!(before.iter().all(Result::is_ok));
    }
}

#[test]
fn a_parent_that_is_not_stored_is_nobodys_ancestor() {
    let mut tree = Tree::new([(2, Some(77)), (3, Some(2))]);
    assert_eq!(up(&mut tree, 3), [Ok(2)]);
    let unknown = Ancestors::of(&mut tree, ProjectId(77)).err();
    assert_eq!(unknown, Some(ClimbError::Unknown(ProjectId(77))));
}

#[test]
fn moves_are_refused_for_the_reason_that_holds() {
    let mut tree = Tree::chain(5);
    tree.projects.insert(9, crate::memory::Project::default());
    let mut moved =
        |node, parent, force| check_move(&mut tree, ProjectId(node), ProjectId(parent), force);
    assert_eq!(moved(3, 9, false), Ok(Some(ProjectId(2))));
    assert_eq!(moved(9, 5, false), Ok(None));
    assert_eq!(moved(3, 77, true), Err(MoveError::Unknown(ProjectId(77))));
    assert_eq!(moved(77, 3, true), Err(MoveError::Unknown(ProjectId(77))));
    assert_eq!(moved(3, 3, true), Err(MoveError::SameNode(ProjectId(3))));
    assert_eq!(moved(3, 2, true), Err(MoveError::SameParent(ProjectId(3))));
    let below = MoveError::WouldBreakTree {
        node: ProjectId(2),
        parent: ProjectId(5),
    };
    assert!(below.to_string().starts_with("would break the tree"));
    assert_eq!(moved(2, 5, true), Err(below));
}

#[test]
fn inherited_results_hold_a_node_unless_forced() {
    let mut tree = Tree::chain(3);
    tree.projects.insert(9, crate::memory::Project::default());
    tree.projects.get_mut(&3).unwrap().has_inherited_results = true;
    let held = check_move(&mut tree, ProjectId(3), ProjectId(9), false);
    assert_eq!(held, Err(MoveError::HasInheritedResults(ProjectId(3))));
    let forced = check_move(&mut tree, ProjectId(3), ProjectId(9), true);
    assert_eq!(forced, Ok(Some(ProjectId(2))));
}
