//! Recalculation of a project, and disaggregations built anew (aggregation rules 47 and 48).

use rsr_base::{PeriodId, ProjectId};
use rsr_store::{Error, NewIndicator, NewPeriod, Recalculation, UpdateStatus};

use super::audit::findings;
use super::climbs::{settle, values_of};
use super::example::{Example, number};

/// Adds an indicator with one period to the result of the first project, and gives the copies' periods.
fn qualitative(example: &Example) -> Vec<PeriodId> {
    let snapshot = example.test.store.snapshot().unwrap();
    let result = snapshot.results(example.projects[0], None, 1).unwrap()[0].id;
    example.write(|tx| {
        let indicator = tx.create_indicator(&NewIndicator {
            result,
            is_qualitative: true,
            measure: String::new(),
            is_cumulative: false,
            is_ascending: None,
            has_scores: false,
            title: "qualitative".to_owned(),
            description: String::new(),
        })?;
        tx.create_period(&NewPeriod {
            indicator,
            start: None,
            end: None,
            target_value: String::new(),
        })
    });
    let snapshot = example.test.store.snapshot().unwrap();
    let of = |project: &ProjectId| {
        let results = snapshot.results(*project, None, 1).unwrap();
        results[0].indicators[1].periods[0].id
    };
    example.projects.iter().map(of).collect()
}

#[test]
fn rule_47_a_project_and_all_below_it_are_queued() {
    let example = Example::new(&[None, Some(0), Some(1), Some(0)], "1");
    let words = qualitative(&example);
    let number_of = |place: usize| example.period(place).id;
    example.report(2, number(2), &[]);
    example.report(3, number(2), &[]);
    example.update(number_of(1), UpdateStatus::Pending, number(1), &[]);
    example.update(words[1], UpdateStatus::Approved, number(0), &[]);
    settle(&example);
    let recalculate = |place: usize, which| {
        assert_eq!(example.work(), []);
        let project = example.projects[place];
        let n = example.write(|tx| tx.recalculate(project, which));
        let jobs = example.jobs("scheduled");
        assert_eq!(n, jobs.len() as u64);
        let again = example.write(|tx| tx.recalculate(project, which));
        assert_eq!(again, n, "a job that waits is kept");
        jobs
    };
    let sorted = |mut periods: Vec<PeriodId>| {
        periods.sort_unstable();
        periods
    };
    assert_eq!(
        sorted(recalculate(1, Recalculation::Reported)),
        sorted(vec![number_of(2), words[1]])
    );
    assert_eq!(recalculate(1, Recalculation::Quantitative), [number_of(2)]);
    assert_eq!(
        sorted(recalculate(1, Recalculation::All)),
        sorted(vec![number_of(1), number_of(2), words[1], words[2]])
    );
    assert_eq!(
        sorted(recalculate(0, Recalculation::Quantitative)),
        sorted(vec![number_of(2), number_of(3)])
    );
    let unknown = example
        .test
        .store
        .write(|tx| tx.recalculate(ProjectId(99), Recalculation::All));
    assert!(
        matches!(unknown, Err(Error::NotFound { .. })),
        "{unknown:?}"
    );
}

#[test]
fn rule_47_what_runs_on_is_queued_with_what_it_runs_on_from() {
    let example = Example::with(&[None], "1", true, 3);
    example.roll_up();
    let periods = [0, 1, 2].map(|year| example.period_of_year(0, year).id);
    example.update(periods[1], UpdateStatus::Approved, number(2), &[]);
    settle(&example);
    let project = example.projects[0];
    let n = example.write(|tx| tx.recalculate(project, Recalculation::Reported));
    assert_eq!(n, 2);
    assert_eq!(example.jobs("scheduled"), periods[1..]);
}

#[test]
fn rule_48_disaggregations_are_built_anew_and_inner_ones_are_kept() {
    let example = Example::new(&[None, Some(0), Some(1)], "1");
    let genders = [0, 1, 2].map(|place| values_of(&example, example.projects[place]));
    example.report(1, number(5), &[(genders[1][0], 2), (genders[1][1], 3)]);
    example.report(2, number(1), &[(genders[2][0], 1)]);
    settle(&example);
    let before = [0, 1, 2].map(|place| example.period(place));
    let seen = example.test.store.snapshot().unwrap();

    let other = example.write(|tx| {
        let age = tx.create_dimension_name(example.projects[0], "Age")?;
        tx.create_dimension_value(age, "young")
    });
    example.test.meddle(&format!(
        "DELETE FROM period_disaggregations WHERE period_id = {};
         UPDATE period_disaggregations SET value = 12300 WHERE period_id = {};
         INSERT INTO period_disaggregations (period_id, dimension_value_id, value /*!, root_id */)
             VALUES ({}, {other}, 100 /*!, {} */);
         UPDATE contributions SET value = 7",
        before[2].id, before[1].id, before[0].id, example.projects[0]
    ));
    assert_ne!(findings(&example, None), "");
    let report = example
        .test
        .store
        .rebuild_disaggregations(example.projects[0])
        .unwrap();
    assert_eq!(report.periods.n_disaggregations_written, 6);
    let after = [0, 1, 2].map(|place| example.period(place));
    for (before, after) in before.iter().zip(&after) {
        let shown = |period: &rsr_store::PeriodRow| {
            let parts = period.disaggregations.iter();
            parts
                .map(|part| {
                    (
                        part.dimension_value,
                        part.numbers,
                        part.contributions.clone(),
                    )
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(before), shown(after));
    }
    assert_eq!(findings(&example, None), "");
    let old = seen.results(example.projects[0], None, 1).unwrap();
    assert_eq!(
        old[0].indicators[0].periods[0].disaggregations.len(),
        2,
        "a reader from before sees what stood then"
    );
}

#[test]
fn rule_48_what_leads_into_a_circle_keeps_its_rows() {
    let example = Example::new(&[None, Some(0)], "1");
    let gender = values_of(&example, example.projects[1])[0];
    example.report(1, number(5), &[(gender, 2)]);
    settle(&example);
    let [top, below] = [0, 1].map(|place| example.period(place).id);
    example.test.meddle(&format!(
        "UPDATE periods SET parent_period_id = {below} WHERE id = {top}"
    ));
    let report = example
        .test
        .store
        .rebuild_disaggregations(example.projects[0])
        .unwrap();
    assert_eq!(report.periods.broken.cycles.len(), 1);
    example.check(0, "5.00 (2.00, -)");
}
