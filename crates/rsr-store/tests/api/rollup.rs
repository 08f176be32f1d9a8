//! Totals of whole trees, on the worked examples of the aggregation rules.

use rsr_base::{ByteSize, MemoryBudget};
use rsr_store::{Error, ProjectEdit, RollUpError, UpdateEdit, UpdateStatus, WorkBudgets};

use super::audit::findings;
use super::example::{Example, number, pair};

/// lead ← L1 ← {L2a, L2b}.
const LEAD: [Option<usize>; 4] = [None, Some(0), Some(1), Some(1)];

#[test]
fn values_and_parts_climb_to_the_top_and_a_second_run_writes_nothing() {
    let example = Example::new(&LEAD, "1");
    example.roll_up();
    let (a, b) = (example.genders(2), example.genders(3));
    example.report(2, number(2), &[(a[0], 1), (a[1], 1)]);
    let second = example.report(3, number(3), &[(b[0], 2), (b[1], 1)]);
    example.check(0, "- (-, -)");

    let written = example.roll_up();
    assert_eq!(
        written[..2],
        [4, 2],
        "four periods, words at the two that were reported on"
    );
    example.check(2, "2.00 (1.00, 1.00)");
    example.check(3, "3.00 (2.00, 1.00)");
    example.check(1, "5.00 (3.00, 2.00)");
    example.check(0, "5.00 (3.00, 2.00)");
    let top = example.period(1);
    let contributions = &top.disaggregations[0].contributions;
    assert_eq!(
        contributions[..],
        [
            (example.projects[2], number(1)),
            (example.projects[3], number(2))
        ]
    );
    assert!(
        example
            .period(2)
            .comment
            .ends_with(&format!(": for {}", example.period(2).id)),
        "{}",
        example.period(2).comment
    );
    assert_eq!(example.roll_up(), [0; 4]);

    example
        .test
        .store
        .write(|tx| tx.delete_update(second))
        .unwrap();
    example.roll_up();
    example.check(3, "- (-, -)");
    example.check(1, "2.00 (1.00, 1.00)");
    example.check(0, "2.00 (1.00, 1.00)");
    assert_eq!(example.period(3).comment, "");
}

#[test]
fn a_branch_that_is_switched_off_counts_no_more() {
    let example = Example::new(&[None, Some(0), Some(0)], "1");
    example.report(1, number(5), &[]);
    example.report(2, number(5), &[]);
    example.roll_up();
    example.check(0, "10.00 (-, -)");
    let edit = ProjectEdit {
        aggregate_to_parent: Some(false),
        ..ProjectEdit::default()
    };
    example
        .test
        .store
        .write(|tx| tx.edit_project(example.projects[2], &edit))
        .unwrap();
    example.roll_up();
    example.check(0, "5.00 (-, -)");
    example.check(2, "5.00 (-, -)");
}

#[test]
fn percentages_are_summed_as_pairs() {
    let example = Example::new(&[None, Some(0), Some(0)], "2");
    example.report(1, pair(6, 10), &[]);
    example.report(2, pair(1, 3), &[]);
    example.roll_up();
    example.check(1, "60.00 (-, -)");
    example.check(2, "33.33 (-, -)");
    example.check(0, "53.85 (-, -)");
    assert_eq!(example.period(0).numbers.numerator, pair(7, 13).numerator);
}

#[test]
fn a_manual_value_stands_until_something_else_does() {
    let example = Example::new(&[None, Some(0)], "1");
    let top = example.period(0).id;
    example
        .test
        .store
        .write(|tx| tx.set_manual_value(top, Some("5"), None))
        .unwrap();
    example.roll_up();
    assert!(example.period(0).is_manual);
    example.check(0, "5.00 (-, -)");
    let update = example.report(1, number(10), &[]);
    example.roll_up();
    example.check(0, "10.00 (-, -)");
    let edit = UpdateEdit {
        status: Some(UpdateStatus::Pending),
        ..UpdateEdit::default()
    };
    example
        .test
        .store
        .write(|tx| tx.edit_update(update, &edit))
        .unwrap();
    example.roll_up();
    example.check(0, "5.00 (-, -)");
    example.check(1, "- (-, -)");
}

#[test]
fn jobs_that_waited_are_done_and_trees_are_found_by_their_tops() {
    let example = Example::new(&LEAD, "1");
    let other = example.test.project("without results", None);
    example.report(2, number(2), &[]);
    let done = example.test.store.roll_up(example.projects[0]).unwrap();
    assert_eq!(done.n_jobs_finished, 1);
    assert_eq!(
        example
            .test
            .store
            .roll_up(example.projects[0])
            .unwrap()
            .n_jobs_finished,
        0
    );
    let snapshot = example.test.store.snapshot().unwrap();
    assert_eq!(
        snapshot.roots_with_periods(None, 10).unwrap(),
        [example.projects[0]]
    );
    assert_eq!(
        snapshot
            .roots_with_periods(Some(example.projects[0]), 10)
            .unwrap(),
        []
    );
    assert_eq!(
        example.test.store.roll_up(other).unwrap().periods.n_periods,
        0
    );
}

#[test]
fn many_changes_go_together_and_come_out_as_few_do() {
    const CHILDREN: usize = 40;
    let parents: Vec<Option<usize>> = std::iter::once(None)
        .chain(std::iter::repeat_n(Some(0), CHILDREN))
        .collect();
    let example = Example::new(&parents, "1");
    let periods = CHILDREN as u64 + 1;
    let rows = example.roll_up();
    assert_eq!(
        rows,
        [0, 0, 2 * periods, 2 * (periods - 1)],
        "rows of no value"
    );
    let updates: Vec<_> = (1..=CHILDREN)
        .map(|place| {
            let genders = example.genders(place);
            example.report(place, number(3), &[(genders[0], 1), (genders[1], 2)])
        })
        .collect();
    let written = example.roll_up();
    assert_eq!(
        written,
        [periods, periods - 1, 2 * periods, 2 * (periods - 1)]
    );
    example.check(0, "120.00 (40.00, 80.00)");
    example.check(CHILDREN, "3.00 (1.00, 2.00)");
    let contributions = &example.period(0).disaggregations[1].contributions;
    assert!(
        contributions
            .iter()
            .all(|(_, numbers)| *numbers == number(2))
    );
    assert_eq!(contributions.len(), CHILDREN);
    assert!(example.period(7).comment.contains("for "), "words too");
    assert_eq!(example.roll_up(), [0; 4]);
    assert_eq!(findings(&example, None), "");

    // All change again, and what children added goes: the same rooms are filled anew.
    let edit = ProjectEdit {
        aggregate_children: Some(false),
        ..ProjectEdit::default()
    };
    example.write(|tx| tx.edit_project(example.projects[0], &edit));
    let less = UpdateEdit {
        numbers: Some(number(2)),
        text: Some(String::new()),
        ..UpdateEdit::default()
    };
    example.write(|tx| updates.iter().try_for_each(|id| tx.edit_update(*id, &less)));
    let written = example.roll_up();
    assert_eq!(written, [periods, periods - 1, 2, 2 * (periods - 1)]);
    example.check(0, "- (-, -)");
    example.check(1, "2.00 (1.00, 2.00)");
    assert_eq!(example.period(0).disaggregations[0].contributions, []);
    assert_eq!(example.period(7).comment, "");
    assert_eq!(example.roll_up(), [0; 4]);
    assert_eq!(findings(&example, None), "");

    // Made anew, twice in one transaction.
    let top = example.projects[0];
    let anew = example.test.store.rebuild_disaggregations(top).unwrap();
    assert_eq!(anew.periods.n_disaggregations_written, 2 * periods);
    example.check(1, "2.00 (1.00, 2.00)");
    assert_eq!(findings(&example, None), "");
}

#[test]
fn a_tree_for_which_no_memory_is_left_is_left_as_it_is() {
    let example = Example::new(&LEAD, "1");
    example.roll_up();
    example.report(2, number(2), &[]);
    let budget = MemoryBudget::root("process", ByteSize::from_kib(300));
    let tight = example
        .test
        .store
        .clone()
        .within(WorkBudgets::below(&budget));
    let root = example.projects[0];
    let refused = tight.roll_up(root).unwrap_err();
    assert!(
        matches!(refused, RollUpError::Store(Error::OverBudget(_))),
        "{refused}"
    );
    assert_eq!(budget.used(), ByteSize::ZERO, "all is given back");
    example.check(0, "- (-, -)");
    budget.set_limit(ByteSize::from_mib(1));
    tight.roll_up(root).unwrap();
    example.check(0, "2.00 (-, -)");
    assert_eq!(budget.used(), ByteSize::ZERO, "all is given back");
}
