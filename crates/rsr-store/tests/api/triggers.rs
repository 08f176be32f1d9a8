//! What puts periods into the queue (aggregation rules 31 to 36).

use rsr_base::{DimensionNameId, IndicatorId, PeriodId};
use rsr_store::{
    Conflict, Error, IndicatorEdit, JobFilter, PeriodEdit, ProjectEdit, Tx, UpdateEdit,
    UpdateStatus,
};

use super::climbs::{settle, values_of};
use super::example::{Example, disaggregations, number};

/// An example whose periods were all computed once, so that they have their rows.
fn computed(
    parents: &[Option<usize>],
    measure: &str,
    is_cumulative: bool,
    n_periods: usize,
) -> Example {
    let example = Example::with(parents, measure, is_cumulative, n_periods);
    example.roll_up();
    example
}

/// The periods that wait after a change, when none did before.
#[track_caller]
fn queued<T>(example: &Example, work: impl FnOnce(&mut Tx) -> Result<T, Error>) -> Vec<PeriodId> {
    settle(example);
    example.write(work);
    example.jobs("scheduled")
}

#[track_caller]
fn is_inherited<T: std::fmt::Debug>(answer: Result<T, Error>) {
    assert!(
        matches!(answer, Err(Error::Conflict(Conflict::Inherited { .. }))),
        "{answer:?}"
    );
}

fn indicator(example: &Example, place: usize) -> IndicatorId {
    let snapshot = example.test.store.snapshot().unwrap();
    let results = snapshot.results(example.projects[place], None, 1).unwrap();
    results[0].indicators[0].id
}

fn periods(example: &Example, place: usize) -> Vec<PeriodId> {
    let snapshot = example.test.store.snapshot().unwrap();
    let results = snapshot.results(example.projects[place], None, 1).unwrap();
    let indicator = &results[0].indicators[0];
    indicator.periods.iter().map(|period| period.id).collect()
}

fn status(status: UpdateStatus) -> UpdateEdit {
    UpdateEdit {
        status: Some(status),
        ..UpdateEdit::default()
    }
}

#[test]
fn rule_32_whatever_changes_an_approved_update_queues_its_period() {
    let example = computed(&[None, Some(0)], "1", false, 1);
    let gender = values_of(&example, example.projects[1])[0];
    let period = example.period(1).id;
    let update = example.update(period, UpdateStatus::Draft, number(1), &[]);
    let edit = |edit: UpdateEdit| move |tx: &mut Tx| tx.edit_update(update, &edit);
    let numbers = UpdateEdit {
        numbers: Some(number(2)),
        ..UpdateEdit::default()
    };
    let parts = |parts: &[_]| UpdateEdit {
        disaggregations: Some(disaggregations(parts)),
        ..UpdateEdit::default()
    };
    assert_eq!(queued(&example, edit(status(UpdateStatus::Pending))), []);
    assert_eq!(queued(&example, edit(numbers.clone())), []);
    assert_eq!(
        queued(&example, edit(status(UpdateStatus::Approved))),
        [period]
    );
    assert_eq!(queued(&example, edit(numbers)), [period]);
    assert_eq!(queued(&example, edit(parts(&[(gender, 2)]))), [period]);
    assert_eq!(queued(&example, edit(parts(&[]))), [period]);
    assert_eq!(
        queued(&example, edit(status(UpdateStatus::Returned))),
        [period]
    );
    assert_eq!(queued(&example, edit(parts(&[(gender, 2)]))), []);
    assert_eq!(
        queued(&example, edit(status(UpdateStatus::Approved))),
        [period]
    );
    assert_eq!(queued(&example, |tx| tx.delete_update(update)), [period]);
    settle(&example);
    example.check(0, "- (-, -)");
}

#[test]
fn rule_33_a_switch_queues_the_periods_above_it_and_only_when_it_changes() {
    let example = computed(&[None, Some(0), Some(1)], "1", false, 1);
    example.report(2, number(4), &[]);
    let switch = |place: usize, up: Option<bool>, down: Option<bool>| {
        let edit = ProjectEdit {
            aggregate_to_parent: up,
            aggregate_children: down,
            ..ProjectEdit::default()
        };
        let project = example.projects[place];
        move |tx: &mut Tx| tx.edit_project(project, &edit)
    };
    let [top, middle] = [0, 1].map(|place| example.period(place).id);
    assert_eq!(queued(&example, switch(1, Some(true), Some(true))), []);
    assert_eq!(queued(&example, switch(2, Some(false), None)), [middle]);
    settle(&example);
    example.check(0, "- (-, -)");
    assert_eq!(queued(&example, switch(2, Some(true), None)), [middle]);
    assert_eq!(queued(&example, switch(0, None, Some(false))), [top]);
    settle(&example);
    example.check(1, "4.00 (-, -)");
    example.check(0, "- (-, -)");
    assert_eq!(queued(&example, switch(2, None, Some(false))), []);
}

#[test]
fn rule_33_a_move_and_a_deletion_queue_the_old_parents_periods() {
    let example = computed(&[None, Some(0), Some(0), Some(2)], "1", false, 1);
    example.report(1, number(3), &[]);
    example.report(3, number(4), &[]);
    let top = example.period(0).id;
    let moved = example.projects[2];
    assert_eq!(
        queued(&example, |tx| tx.move_project(moved, None, true)),
        [top]
    );
    assert_eq!(example.work(), []);
    example.check(0, "3.00 (-, -)");
    example.check(2, "4.00 (-, -)");
    let gone = example.projects[1];
    example.write(|tx| tx.delete_project(gone));
    assert_eq!(example.jobs("scheduled"), [top]);
    assert_eq!(example.work(), []);
    example.check(0, "- (-, -)");
}

#[test]
fn rule_33_how_an_indicator_counts_queues_its_periods_and_those_of_its_copies() {
    let example = computed(&[None, Some(0)], "1", false, 2);
    let user = example.user;
    let reports = periods(&example, 1);
    for (period, value) in reports.iter().zip([2, 3]) {
        example.update(*period, UpdateStatus::Approved, number(value), &[]);
    }
    let mut all = periods(&example, 0);
    all.extend(&reports);
    all.sort_unstable();
    let original = indicator(&example, 0);
    let edits = [
        IndicatorEdit {
            is_cumulative: Some(true),
            ..IndicatorEdit::default()
        },
        IndicatorEdit {
            measure: Some("2".to_owned()),
            ..IndicatorEdit::default()
        },
        IndicatorEdit {
            is_qualitative: Some(true),
            ..IndicatorEdit::default()
        },
    ];
    for edit in edits {
        let mut now = queued(&example, |tx| tx.edit_indicator(original, &edit));
        now.sort_unstable();
        assert_eq!(now, all, "{edit:?}");
        assert_eq!(
            queued(&example, |tx| tx.edit_indicator(original, &edit)),
            [],
            "nothing changed"
        );
        let copy = indicator(&example, 1);
        let other = IndicatorEdit {
            is_cumulative: Some(false),
            is_qualitative: Some(false),
            measure: Some("1".to_owned()),
            ..edit
        };
        is_inherited(
            example
                .test
                .store
                .write(|tx| tx.edit_indicator(copy, &other)),
        );
    }
    example.check(0, "- (-, -)");
    let renamed = IndicatorEdit {
        title: Some("own words".to_owned()),
        ..IndicatorEdit::default()
    };
    let copy = indicator(&example, 1);
    assert_eq!(
        queued(&example, |tx| tx.edit_indicator(copy, &renamed)),
        [],
        "a title counts nothing; user {user} may change it"
    );
}

#[test]
fn rule_33_dates_follow_the_original_and_queue_where_totals_run_on() {
    let example = computed(&[None, Some(0)], "1", true, 3);
    let (ours, theirs) = (periods(&example, 0), periods(&example, 1));
    for (period, value) in theirs.iter().zip([1, 5]) {
        example.update(*period, UpdateStatus::Approved, number(value), &[]);
    }
    settle(&example);
    let last = |example: &Example| example.period_of_year(0, 2).numbers.value;
    assert_eq!(last(&example), number(5).value);
    // The first year becomes the last: what was reported for it comes after the rest.
    let later = PeriodEdit {
        start: Some(Some("2027-01-01".to_owned())),
        end: Some(Some("2027-12-31".to_owned())),
        ..PeriodEdit::default()
    };
    let first = ours[0];
    let mut now = queued(&example, |tx| tx.edit_period(first, &later));
    now.sort_unstable();
    let mut all: Vec<_> = ours.iter().chain(&theirs).copied().collect();
    all.sort_unstable();
    assert_eq!(now, all);
    settle(&example);
    let copy = example.period_of_year(1, 0);
    assert_eq!(copy.end.as_deref(), Some("2027-12-31"));
    assert_eq!(copy.numbers, number(1));
    let none = PeriodEdit {
        start: Some(None),
        end: Some(None),
        ..PeriodEdit::default()
    };
    assert!(!queued(&example, |tx| tx.edit_period(first, &none)).is_empty());
    settle(&example);
    assert_eq!(
        queued(&example, |tx| tx.edit_period(first, &none)),
        [],
        "nothing changed"
    );
    is_inherited(
        example
            .test
            .store
            .write(|tx| tx.edit_period(theirs[1], &none)),
    );
    let wrong = PeriodEdit {
        end: Some(Some("2027-13-31".to_owned())),
        ..PeriodEdit::default()
    };
    let refused = example.test.store.write(|tx| tx.edit_period(first, &wrong));
    assert!(
        matches!(refused, Err(Error::Invalid { field: "end", .. })),
        "{refused:?}"
    );
}

#[test]
fn rule_33_a_deleted_period_queues_what_it_ran_on_into() {
    let example = computed(&[None, Some(0)], "1", true, 2);
    let (ours, theirs) = (periods(&example, 0), periods(&example, 1));
    example.update(ours[0], UpdateStatus::Approved, number(7), &[]);
    settle(&example);
    assert_eq!(
        example.period_of_year(0, 1).numbers,
        number(7),
        "carried over"
    );
    is_inherited(example.test.store.write(|tx| tx.delete_period(theirs[0])));
    assert_eq!(queued(&example, |tx| tx.delete_period(ours[0])), [ours[1]]);
    settle(&example);
    assert_eq!(example.period(0).numbers.value, None);
    assert_eq!(
        periods(&example, 1),
        theirs,
        "the copy is the project's own now"
    );
    example.write(|tx| tx.delete_period(theirs[0]));
}

#[test]
fn rule_31_a_dimension_value_goes_with_its_copies_and_queues_what_used_it() {
    let example = computed(&[None, Some(0), Some(0)], "1", false, 1);
    let genders = [0, 1, 2].map(|place| values_of(&example, example.projects[place]));
    example.report(1, number(5), &[(genders[1][0], 2), (genders[1][1], 3)]);
    settle(&example);
    example.check(0, "5.00 (2.00, 3.00)");
    let store = &example.test.store;
    is_inherited(store.write(|tx| tx.delete_dimension_value(genders[1][0])));
    let top = genders[0][0];
    let reported = example.period(1).id;
    assert_eq!(
        queued(&example, |tx| tx.delete_dimension_value(top)),
        [reported]
    );
    settle(&example);
    example.check(1, "5.00 (3.00)");
    example.check(0, "5.00 (3.00)");
    let marks = |example: &Example| {
        let snapshot = example.test.store.snapshot().unwrap();
        let updates = snapshot.updates(reported).unwrap();
        let parts = updates[0].disaggregations.iter();
        parts
            .map(|(_, is_incomplete)| *is_incomplete)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        marks(&example),
        [Some(true)],
        "rule 29: 3 of 5 do not add up any more"
    );
    let name = example.gender;
    let copy = DimensionNameId(name.0 + 1);
    is_inherited(store.write(|tx| tx.delete_dimension_name(copy)));
    assert_eq!(
        queued(&example, |tx| tx.delete_dimension_name(name)),
        [reported]
    );
    settle(&example);
    example.check(0, "5.00 ()");
}

#[test]
fn a_branch_that_comes_later_inherits_what_is_above_it_at_every_level() {
    let mut example = computed(&[None, Some(0)], "1", false, 2);
    let [first, second] = ["later", "below it"].map(|title| {
        let parent = example.projects.last().copied();
        let made = example.test.project(title, parent);
        example.projects.push(made);
        made
    });
    assert_eq!(example.write(|tx| tx.inherit_results(first)), 1);
    assert_eq!(example.write(|tx| tx.inherit_results(first)), 0, "once");
    let above = periods(&example, 2);
    let below = periods(&example, 3);
    assert_eq!((above.len(), below.len()), (2, 2), "of {second}");
    example.roll_up();
    let values = values_of(&example, second);
    example.report(3, number(5), &[(values[0], 2), (values[1], 3)]);
    settle(&example);
    for place in 0..4 {
        example.check(place, "5.00 (2.00, 3.00)");
    }
}

#[test]
fn rule_26_a_dimension_attached_later_queues_its_indicators_periods() {
    let example = computed(&[None, Some(0)], "1", false, 1);
    let original = indicator(&example, 0);
    let age = example.write(|tx| {
        let age = tx.create_dimension_name(example.projects[0], "Age")?;
        tx.create_dimension_value(age, "young")?;
        Ok(age)
    });
    let both = [0, 1].map(|place| example.period(place).id);
    assert_eq!(
        queued(&example, |tx| tx.attach_dimension(original, age)),
        both
    );
    settle(&example);
    example.check(0, "- (-, -, -)");
    example.check(1, "- (-, -, -)");
}

#[test]
fn rule_34_a_period_without_an_end_follows_from_every_change() {
    let example = computed(&[None], "1", true, 3);
    let all = periods(&example, 0);
    let open = PeriodEdit {
        end: Some(None),
        ..PeriodEdit::default()
    };
    settle(&example);
    example.write(|tx| tx.edit_period(all[0], &open));
    settle(&example);
    let changed = queued(&example, |tx| tx.queue_changed_period(all[2]));
    assert_eq!(changed, [all[0], all[2]]);
    let changed = queued(&example, |tx| tx.queue_changed_period(all[1]));
    assert_eq!(changed, all, "in order of start");
}

#[test]
fn rule_36_a_job_records_the_topmost_period_above_it() {
    let example = computed(&[None, Some(0), Some(1)], "1", false, 1);
    settle(&example);
    example.report(2, number(1), &[]);
    let snapshot = example.test.store.snapshot().unwrap();
    let job = &snapshot.jobs(Some("scheduled"), 9).unwrap()[0];
    assert_eq!(job.root_period, example.period(0).id);
    let under = |root| {
        let filter = JobFilter {
            root_period: Some(root),
            state: Some("scheduled"),
        };
        let viewer = rsr_hierarchy::Viewer::Administrator;
        snapshot.jobs_seen_by(viewer, filter, 9).unwrap().len()
    };
    assert_eq!(under(job.root_period), 1);
    assert_eq!(under(job.period), 0);
}
