//! Jobs worked off one climb at a time, on the worked examples of the aggregation rules that concern what is stored.

use rsr_base::{DimensionValueId, ProjectId};
use rsr_store::{ProjectEdit, UpdateEdit, UpdateStatus};

use super::audit::findings;
use super::example::{Example, disaggregations, number, pair};

fn switch_off(example: &Example, place: usize) {
    let edit = ProjectEdit {
        aggregate_to_parent: Some(false),
        ..ProjectEdit::default()
    };
    example.write(|tx| tx.edit_project(example.projects[place], &edit));
}

/// Works off what waits; then a computation of the whole finds nothing to write, and an audit nothing to say.
#[track_caller]
pub(crate) fn settle(example: &Example) {
    assert_eq!(example.work(), []);
    assert_eq!(findings(example, None), "");
    assert_eq!(example.roll_up(), [0; 4]);
}

#[test]
fn example_7_a_child_that_opts_out_counts_no_more_whatever_is_computed_next() {
    let example = Example::new(&[None, Some(0), Some(0)], "1");
    example.report(1, number(5), &[]);
    let second = example.report(2, number(5), &[]);
    settle(&example);
    example.check(0, "10.00 (-, -)");
    switch_off(&example, 2);
    settle(&example);
    example.check(0, "5.00 (-, -)");
    // A climb from the one that opted out, and one from the other, leave it so.
    let edit = UpdateEdit {
        numbers: Some(number(6)),
        ..UpdateEdit::default()
    };
    example.write(|tx| tx.edit_update(second, &edit));
    settle(&example);
    example.check(2, "6.00 (-, -)");
    example.check(0, "5.00 (-, -)");
    example.report(1, number(1), &[]);
    settle(&example);
    example.check(0, "6.00 (-, -)");
}

#[test]
fn example_9_a_childs_percentage_replaces_the_manual_one() {
    let example = Example::new(&[None, Some(0)], "2");
    example.roll_up();
    let top = example.period(0).id;
    let halves = pair(5, 10);
    let typed = halves.numerator.zip(halves.denominator);
    example.write(|tx| tx.set_manual_value(top, None, typed));
    settle(&example);
    example.check(0, "50.00 (-, -)");
    example.report(1, pair(6, 10), &[]);
    settle(&example);
    example.check(0, "60.00 (-, -)");
    assert_eq!(example.period(0).numbers.numerator, pair(6, 10).numerator);
    assert_eq!(
        example.period(0).numbers.denominator,
        pair(6, 10).denominator
    );
}

#[test]
fn example_10_percentages_sum_as_pairs_until_one_is_cut_off() {
    let example = Example::new(&[None, Some(0), Some(0)], "2");
    example.report(1, pair(6, 10), &[]);
    example.report(2, pair(6, 10), &[]);
    settle(&example);
    example.check(0, "60.00 (-, -)");
    assert_eq!(example.period(0).numbers.numerator, pair(12, 20).numerator);
    switch_off(&example, 2);
    settle(&example);
    example.check(0, "60.00 (-, -)");
    assert_eq!(
        example.period(0).numbers.denominator,
        pair(6, 10).denominator
    );
}

#[test]
fn example_26_a_pending_update_leaves_rows_without_values() {
    let example = Example::new(&[None, Some(0)], "1");
    let child = example.period(1).id;
    let values = values_of(&example, example.projects[1]);
    let parts = [(values[0], 20), (values[1], 30)];
    example.update(child, UpdateStatus::Pending, number(50), &parts);
    assert_eq!(example.jobs("scheduled"), []);
    example.write(|tx| tx.queue_period(child));
    settle(&example);
    example.check(1, "- (-, -)");
    example.check(0, "- (-, -)");
    assert_eq!(example.period(0).disaggregations.len(), 2);
}

#[test]
fn example_29_contributions_follow_their_child_and_stay_as_rows_without_values() {
    let example = Example::new(&[None, Some(0), Some(0)], "1");
    let (one, two) = (
        values_of(&example, example.projects[1])[0],
        values_of(&example, example.projects[2])[0],
    );
    example.report(1, number(20), &[(one, 20)]);
    let second = example.report(2, number(15), &[(two, 15)]);
    let given = |example: &Example| {
        let top = example.period(0);
        let contributions = &top.disaggregations[0].contributions;
        let text: Vec<String> = contributions
            .iter()
            .map(|(_, numbers)| {
                numbers
                    .value
                    .map_or("-".to_owned(), |value| value.to_string())
            })
            .collect();
        text.join(" ")
    };
    settle(&example);
    assert_eq!(given(&example), "20.00 15.00");
    let edit = UpdateEdit {
        numbers: Some(number(30)),
        disaggregations: Some(disaggregations(&[(two, 30)])),
        ..UpdateEdit::default()
    };
    example.write(|tx| tx.edit_update(second, &edit));
    settle(&example);
    assert_eq!(given(&example), "20.00 30.00");
    example.write(|tx| tx.delete_update(second));
    settle(&example);
    assert_eq!(given(&example), "20.00 -");
}

/// The dimension values of a project, through a period of it that was computed.
pub(crate) fn values_of(example: &Example, project: ProjectId) -> Vec<DimensionValueId> {
    let place = example.projects.iter().position(|id| *id == project);
    let place = place.unwrap();
    let period = example.period(place).id;
    example.write(|tx| tx.queue_period(period));
    assert_eq!(example.work(), []);
    example.genders(place)
}
