//! The worked examples of the aggregation rules, by their numbers, through jobs and stored rows. Those about what is
//! stored besides (7, 9, 10, 26, 29), the audit (32) and the queue (33 to 36) stand where these are tested.
//!
//! A period is shown as its value and, in brackets, its parts for the first and the second dimension value: `-` for no value,
//! `()` where there are no rows.

use rsr_aggregation::{Hundredths, Numbers};
use rsr_base::{DimensionValueId, UserId};
use rsr_store::{
    Conflict, Disaggregation, Error, NewUpdate, ProjectEdit, UpdateEdit, UpdateStatus,
};

use super::climbs::settle;
use super::example::{Example, disaggregations, number, pair};

/// lead ← L1 ← {L2a, L2b}.
const LEAD: [Option<usize>; 4] = [None, Some(0), Some(1), Some(1)];
/// A child and a grandchild.
const CHAIN: [Option<usize>; 3] = [None, Some(0), Some(1)];

fn decimal(text: &str) -> Option<Hundredths> {
    Hundredths::parse(text).unwrap()
}

fn shown(number: Option<Hundredths>) -> String {
    number.map_or("-".to_owned(), |number| number.to_string())
}

impl Example {
    /// The two dimension values of a project.
    fn gender_values(&self, place: usize) -> [DimensionValueId; 2] {
        let project = self.projects[place];
        let values = self.test.numbers(&format!(
            "SELECT v.id FROM dimension_values v JOIN dimension_names n ON n.id = v.name_id
             WHERE n.project_id = {project} ORDER BY v.id"
        ));
        [0, 1].map(|nth| DimensionValueId(values[nth]))
    }

    /// An approved update by the first user with parts for both dimension values.
    fn parts(
        &self,
        place: usize,
        year: usize,
        value: i128,
        parts: [i128; 2],
    ) -> rsr_base::UpdateId {
        self.parts_by(self.user, place, year, value, &parts)
    }

    fn parts_by(
        &self,
        user: UserId,
        place: usize,
        year: usize,
        value: i128,
        parts: &[i128],
    ) -> rsr_base::UpdateId {
        let values = self.gender_values(place);
        let parts: Vec<_> = values.into_iter().zip(parts.iter().copied()).collect();
        let new = NewUpdate {
            period: self.period_of_year(place, year).id,
            user,
            status: UpdateStatus::Approved,
            numbers: number(value),
            text: String::new(),
            narrative: String::new(),
            score: None,
            scores: Vec::new(),
            disaggregations: disaggregations(&parts),
        };
        self.write(|tx| tx.create_update(&new))
    }

    fn amend(&self, update: rsr_base::UpdateId, place: usize, parts: [i128; 2]) {
        let parts: Vec<_> = self.gender_values(place).into_iter().zip(parts).collect();
        let edit = UpdateEdit {
            disaggregations: Some(disaggregations(&parts)),
            ..UpdateEdit::default()
        };
        self.write(|tx| tx.edit_update(update, &edit));
    }

    #[track_caller]
    fn check_year(&self, place: usize, year: usize, expected: &str) {
        let period = self.period_of_year(place, year);
        let rows = &period.disaggregations;
        let parts: Vec<String> = rows.iter().map(|row| shown(row.numbers.value)).collect();
        let value = shown(period.numbers.value);
        let text = format!("{value} ({})", parts.join(", "));
        assert_eq!(text, expected, "project {place}, year {year}");
    }

    /// The parts alone, at each of these projects.
    #[track_caller]
    fn check_parts(&self, expected: &[(usize, &str)]) {
        for (place, expected) in expected {
            let rows = self.period(*place).disaggregations;
            let parts: Vec<String> = rows.iter().map(|row| shown(row.numbers.value)).collect();
            assert_eq!(parts.join("/"), *expected, "project {place}");
        }
    }
}

/// Examples 1 to 4: the set-up, no job run yet.
fn reported() -> (Example, rsr_base::UpdateId) {
    let example = Example::new(&LEAD, "1");
    example.parts(2, 0, 2, [1, 1]);
    let second = example.parts(3, 0, 3, [2, 1]);
    (example, second)
}

#[test]
fn example_1_nothing_stands_before_a_job_ran() {
    let (example, _) = reported();
    for place in 0..4 {
        example.check(place, "- ()");
    }
}

#[test]
fn example_2_jobs_climb_to_the_top() {
    let (example, _) = reported();
    settle(&example);
    example.check(2, "2.00 (1.00, 1.00)");
    example.check(3, "3.00 (2.00, 1.00)");
    example.check(1, "5.00 (3.00, 2.00)");
    example.check(0, "5.00 (3.00, 2.00)");
}

#[test]
fn example_3_what_waits_is_not_counted() {
    let (example, _) = reported();
    example.parts(1, 0, 3, [2, 1]);
    // The job of L2b has failed and waits.
    let waiting = example.period(3).id;
    example.test.meddle(&format!(
        "UPDATE jobs SET state = 'failed', run_after_ms = 9000000000000000 WHERE period_id = {waiting}"
    ));
    assert_eq!(example.work(), []);
    example.check(2, "2.00 (1.00, 1.00)");
    example.check(3, "- ()");
    example.check(1, "5.00 (3.00, 2.00)");
    example.check(0, "5.00 (3.00, 2.00)");
    assert_eq!(example.jobs("failed"), [waiting]);
}

#[test]
fn example_4_a_deleted_update_leaves_the_sums() {
    let (example, second) = reported();
    settle(&example);
    example.write(|tx| tx.delete_update(second));
    settle(&example);
    example.check(3, "- (-, -)");
    example.check(1, "2.00 (1.00, 1.00)");
    example.check(0, "2.00 (1.00, 1.00)");
}

/// What stands after these values were approved in one period.
fn one_period(values: &[&str]) -> String {
    let example = Example::new(&[None], "1");
    for text in values {
        let value = decimal(text).unwrap();
        example.report(0, Numbers::of_value(value), &[]);
    }
    settle(&example);
    shown(example.period(0).numbers.value)
}

#[test]
fn example_5_updates_of_one_period_are_summed() {
    assert_eq!(one_period(&["2", "2"]), "4.00");
    assert_eq!(one_period(&["5", "-2"]), "3.00");
}

#[test]
fn example_6_a_manual_value_stands_while_nothing_else_does() {
    let example = Example::new(&[None, Some(0)], "1");
    example.roll_up();
    let top = example.period(0).id;
    example.write(|tx| tx.set_manual_value(top, Some("5"), None));
    settle(&example);
    example.check(0, "5.00 (-, -)");
    example.report(1, number(10), &[]);
    settle(&example);
    example.check(0, "10.00 (-, -)");
    let edit = ProjectEdit {
        aggregate_children: Some(false),
        ..ProjectEdit::default()
    };
    example.write(|tx| tx.edit_project(example.projects[0], &edit));
    settle(&example);
    example.check(0, "5.00 (-, -)");
    example.check(1, "10.00 (-, -)");
}

#[test]
fn example_8_a_pair_replaces_the_value_typed_beside_it() {
    let example = Example::new(&[None], "2");
    let period = example.period(0).id;
    let typed = decimal("40").zip(decimal("100"));
    example.write(|tx| tx.set_manual_value(period, Some("8000"), typed));
    settle(&example);
    example.check(0, "40.00 (-, -)");
}

#[test]
fn example_11_percentages_round_once_and_ties_to_even() {
    for (numerator, denominator, expected) in [
        ("101", "200", "50.50"),
        ("1", "3", "33.33"),
        ("2", "3", "66.67"),
        ("1", "800", "0.12"),
        ("3", "800", "0.38"),
        ("0", "5", "0.00"),
        ("5", "0", "-"),
    ] {
        let example = Example::new(&[None], "2");
        let numbers = Numbers {
            value: None,
            numerator: decimal(numerator),
            denominator: decimal(denominator),
        };
        example.report(0, numbers, &[]);
        settle(&example);
        let stands = example.period(0).numbers;
        assert_eq!(shown(stands.value), expected, "{numerator}/{denominator}");
        assert_eq!(stands.numerator, decimal(numerator), "it is kept");
        assert_eq!(stands.denominator, decimal(denominator), "it is kept");
    }
}

#[test]
fn example_12_zero_is_a_value_and_contributes() {
    assert_eq!(one_period(&["0"]), "0.00");
    assert_eq!(one_period(&["5", "-5"]), "0.00");
    let example = Example::new(&[None, Some(0)], "1");
    example.report(1, number(0), &[]);
    settle(&example);
    example.check(0, "0.00 (-, -)");
}

#[test]
fn example_13_a_second_percentage_update_is_refused() {
    let example = Example::new(&[None], "2");
    example.report(0, pair(1, 3), &[]);
    let period = example.period(0).id;
    let second = NewUpdate {
        period,
        user: example.user,
        status: UpdateStatus::Draft,
        numbers: pair(2, 3),
        text: String::new(),
        narrative: String::new(),
        score: None,
        scores: Vec::new(),
        disaggregations: Vec::new(),
    };
    let refused = example.test.store.write(|tx| tx.create_update(&second));
    let is_that = |error: &Error| matches!(error, Error::Conflict(Conflict::OneUpdatePerPeriod(_)));
    assert!(refused.as_ref().is_err_and(is_that), "{refused:?}");
}

/// Example 14: one user's running totals in the first two of three years.
fn running_total() -> Example {
    let example = Example::with(&[None], "1", true, 3);
    example.parts_by(example.user, 0, 0, 1, &[]);
    example.parts(0, 0, 2, [1, 1]);
    example.parts_by(example.user, 0, 1, 3, &[]);
    example.parts(0, 1, 5, [3, 2]);
    example
}

#[test]
fn example_14_the_last_total_is_carried_over_in_any_order_of_jobs() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let example = running_total();
        for year in order {
            // The others' jobs wait until it is their turn.
            let period = example.period_of_year(0, year).id;
            example.test.meddle(&format!(
                "UPDATE jobs SET run_after_ms = CASE WHEN period_id = {period} THEN 0 ELSE 9000000000000000 END"
            ));
            assert_eq!(example.work(), []);
        }
        settle(&example);
        example.check_year(0, 0, "2.00 (1.00, 1.00)");
        example.check_year(0, 1, "5.00 (3.00, 2.00)");
        example.check_year(0, 2, "5.00 (3.00, 2.00)");
    }
}

#[test]
fn example_15_a_late_report_changes_its_own_period_alone() {
    let example = running_total();
    settle(&example);
    example.parts(0, 0, 3, [2, 1]);
    settle(&example);
    example.check_year(0, 0, "3.00 (2.00, 1.00)");
    example.check_year(0, 1, "5.00 (3.00, 2.00)");
    example.check_year(0, 2, "5.00 (3.00, 2.00)");
}

#[test]
fn example_16_each_user_has_a_running_total() {
    let example = Example::with(&[None], "1", true, 2);
    let other = example.write(|tx| tx.create_user("another", None, false));
    example.parts_by(example.user, 0, 0, 1, &[]);
    example.parts(0, 0, 2, [1, 1]);
    let female = example.gender_values(0)[1];
    let new = NewUpdate {
        period: example.period_of_year(0, 0).id,
        user: other,
        status: UpdateStatus::Approved,
        numbers: number(2),
        text: String::new(),
        narrative: String::new(),
        score: None,
        scores: Vec::new(),
        disaggregations: disaggregations(&[(female, 2)]),
    };
    example.write(|tx| tx.create_update(&new));
    example.parts_by(other, 0, 1, 3, &[]);
    example.parts_by(other, 0, 1, 4, &[2, 2]);
    settle(&example);
    example.check_year(0, 0, "4.00 (1.00, 3.00)");
    example.check_year(0, 1, "6.00 (3.00, 3.00)");
}

#[test]
fn example_17_percentages_carry_nothing_over() {
    let example = Example::with(&[None], "2", true, 3);
    for (year, numerator) in [(0, 1), (1, 2)] {
        let period = example.period_of_year(0, year).id;
        example.update(period, UpdateStatus::Approved, pair(numerator, 4), &[]);
    }
    example.write(|tx| {
        let last = example.period_of_year(0, 2).id;
        tx.queue_period(last)
    });
    settle(&example);
    example.check_year(0, 0, "25.00 (-, -)");
    example.check_year(0, 1, "50.00 (-, -)");
    example.check_year(0, 2, "- (-, -)");
}

#[test]
fn example_18_children_carry_over_before_they_are_summed() {
    let example = Example::with(&[None, Some(0), Some(0)], "1", true, 2);
    let other = example.write(|tx| tx.create_user("another", None, false));
    example.parts(1, 0, 1, [1, 0]);
    example.parts_by(other, 1, 1, 1, &[0, 1]);
    example.parts(2, 0, 1, [0, 1]);
    example.parts(2, 1, 2, [1, 1]);
    settle(&example);
    example.check_year(0, 0, "2.00 (1.00, 1.00)");
    example.check_year(0, 1, "4.00 (2.00, 2.00)");
}

#[test]
fn example_19_parts_are_summed_and_so_are_pairs() {
    let example = Example::new(&[None], "1");
    example.parts(0, 0, 50, [20, 30]);
    example.parts(0, 0, 30, [15, 15]);
    settle(&example);
    example.check_parts(&[(0, "35.00/45.00")]);

    let example = Example::new(&[None], "1");
    let values = example.gender_values(0);
    for parts in [[20, 30], [15, 15]] {
        let over_50 = |(dimension_value, numerator)| Disaggregation {
            dimension_value,
            numbers: pair(numerator, 50),
        };
        let new = NewUpdate {
            period: example.period(0).id,
            user: example.user,
            status: UpdateStatus::Approved,
            numbers: number(1),
            text: String::new(),
            narrative: String::new(),
            score: None,
            scores: Vec::new(),
            disaggregations: values.into_iter().zip(parts).map(over_50).collect(),
        };
        example.write(|tx| tx.create_update(&new));
    }
    settle(&example);
    let rows = example.period(0).disaggregations;
    let pairs: Vec<Numbers> = rows.iter().map(|row| row.numbers).collect();
    assert_eq!(pairs, [pair(35, 100), pair(45, 100)], "no percentage here");
}

#[test]
fn example_20_children_are_summed_into_their_parent() {
    let example = Example::new(&[None, Some(0), Some(0)], "1");
    example.parts(1, 0, 50, [20, 30]);
    example.parts(2, 0, 30, [15, 15]);
    settle(&example);
    example.check_parts(&[(0, "35.00/45.00")]);
}

#[test]
fn example_21_a_grandchild_shows_at_every_level() {
    let example = Example::new(&CHAIN, "1");
    example.parts(2, 0, 50, [20, 30]);
    example.parts(2, 0, 30, [15, 15]);
    settle(&example);
    example.check_parts(&[(2, "35.00/45.00"), (1, "35.00/45.00"), (0, "35.00/45.00")]);
}

#[test]
fn example_22_own_parts_add_to_the_childrens() {
    let example = Example::new(&CHAIN, "1");
    example.parts(2, 0, 50, [20, 30]);
    example.parts(1, 0, 30, [15, 15]);
    settle(&example);
    example.check_parts(&[(2, "20.00/30.00"), (1, "35.00/45.00"), (0, "35.00/45.00")]);
}

#[test]
fn example_23_an_amendment_reaches_the_top() {
    let example = Example::new(&LEAD, "1");
    example.parts(2, 0, 50, [20, 30]);
    let amended = example.parts(2, 0, 30, [15, 15]);
    example.parts(3, 0, 60, [30, 30]);
    settle(&example);
    example.amend(amended, 2, [20, 15]);
    settle(&example);
    example.check_parts(&[(1, "70.00/75.00"), (0, "70.00/75.00")]);
}

/// Two children of the top, 1 and 2, with a grandchild each, 3 and 4; and the update that is 15/15.
fn two_branches() -> (Example, rsr_base::UpdateId) {
    let example = Example::new(&[None, Some(0), Some(0), Some(1), Some(2)], "1");
    example.parts(3, 0, 50, [20, 30]);
    let update = example.parts(3, 0, 30, [15, 15]);
    example.parts(4, 0, 60, [30, 30]);
    settle(&example);
    (example, update)
}

#[test]
fn example_24_branches_meet_at_the_top() {
    let (example, amended) = two_branches();
    example.amend(amended, 3, [20, 15]);
    settle(&example);
    example.check_parts(&[(1, "40.00/45.00"), (2, "30.00/30.00"), (0, "70.00/75.00")]);
}

#[test]
fn example_25_a_deleted_update_leaves_every_level() {
    let (example, deleted) = two_branches();
    example.write(|tx| tx.delete_update(deleted));
    settle(&example);
    example.check_parts(&[(1, "20.00/30.00"), (0, "50.00/60.00")]);
}

#[test]
fn example_27_a_closed_edge_leaves_the_parent_without_rows() {
    for closes_below in [true, false] {
        let example = Example::new(&[None, Some(0)], "1");
        let edit = ProjectEdit {
            aggregate_to_parent: closes_below.then_some(false),
            aggregate_children: (!closes_below).then_some(false),
            ..ProjectEdit::default()
        };
        let closed = example.projects[usize::from(closes_below)];
        example.write(|tx| tx.edit_project(closed, &edit));
        // The switch has queued the parent, whose own dimension gives it rows; the child's job alone gives it none.
        example.test.meddle("DELETE FROM jobs");
        example.parts(1, 0, 50, [20, 30]);
        assert_eq!(example.work(), []);
        example.check_parts(&[(1, "20.00/30.00"), (0, "")]);
    }
}

#[test]
fn example_28_periods_are_kept_apart() {
    let example = Example::with(&[None, Some(0)], "1", false, 2);
    example.parts(1, 0, 50, [20, 30]);
    example.parts(1, 1, 30, [15, 15]);
    settle(&example);
    example.check_year(0, 0, "50.00 (20.00, 30.00)");
    example.check_year(0, 1, "30.00 (15.00, 15.00)");
    for (year, given) in [(0, 20), (1, 15)] {
        let rows = example.period_of_year(0, year).disaggregations;
        assert_eq!(
            rows[0].contributions,
            [(example.projects[1], number(given))]
        );
    }
}

#[test]
fn example_30_hundredths_are_exact() {
    assert_eq!(one_period(&["17.10", "4711.20"]), "4728.30");
    let example = Example::new(&[None, Some(0), Some(0)], "2");
    for (place, numerator, denominator) in [(1, "3.14", "17"), (2, "47.11", "4711")] {
        let numbers = Numbers {
            value: None,
            numerator: decimal(numerator),
            denominator: decimal(denominator),
        };
        example.report(place, numbers, &[]);
    }
    settle(&example);
    let top = example.period(0).numbers;
    assert_eq!(shown(top.numerator), "50.25");
    assert_eq!(shown(top.denominator), "4728.00");
}

#[test]
fn example_31_what_does_not_add_up_is_incomplete() {
    let example = Example::new(&[None], "1");
    let values = example.gender_values(0);
    let period = example.period(0).id;
    let first = example.update(
        period,
        UpdateStatus::Approved,
        Numbers {
            value: decimal("17.11"),
            ..Numbers::default()
        },
        &[(values[0], 8), (values[1], 9)],
    );
    let parts = [(values[0], 9), (values[1], 9)];
    let second = example.update(period, UpdateStatus::Approved, number(18), &parts);
    let marks = |update| {
        let updates = example.test.store.snapshot().unwrap().updates(period);
        let updates = updates.unwrap();
        let found = updates.iter().find(|row| row.id == update).unwrap();
        let marks: Vec<_> = found
            .disaggregations
            .iter()
            .map(|(_, mark)| *mark)
            .collect();
        marks
    };
    assert_eq!(marks(first), [Some(true); 2]);
    assert_eq!(marks(second), [Some(false); 2]);
    let edit = UpdateEdit {
        numbers: Some(number(20)),
        ..UpdateEdit::default()
    };
    example.write(|tx| tx.edit_update(second, &edit));
    assert_eq!(marks(second), [Some(true); 2]);
}

#[test]
fn rule_43_ten_thousand_approvals_under_one_root_write_each_period_above_once() {
    const APPROVALS: usize = 10_000;
    const LEAVES: usize = 200;
    // A top, two below it, and the leaves.
    let parents: Vec<Option<usize>> = [None, Some(0), Some(0)]
        .into_iter()
        .chain((0..LEAVES).map(|leaf| Some(1 + leaf % 2)))
        .collect();
    let example = Example::new(&parents, "1");
    let leaves: Vec<_> = (3..3 + LEAVES)
        .map(|place| example.period(place).id)
        .collect();
    example.write(|tx| {
        (0..APPROVALS).try_for_each(|nth| {
            tx.create_update(&NewUpdate {
                period: leaves[nth % leaves.len()],
                user: example.user,
                status: UpdateStatus::Approved,
                numbers: number(1),
                text: String::new(),
                narrative: String::new(),
                score: None,
                scores: Vec::new(),
                disaggregations: Vec::new(),
            })
            .map(drop)
        })
    });
    example.test.count_writes("periods");
    assert_eq!(example.work(), []);
    assert_eq!(example.test.writes(), 200 + 3, "each once");
    example.check(0, "10000.00 (-, -)");
    settle(&example);
    assert_eq!(example.test.writes(), 200 + 3, "nothing is left to write");
}
