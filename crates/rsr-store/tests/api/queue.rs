//! The aggregation queue: what waits, who holds it, and what becomes of what fails.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rsr_base::JobId;
use rsr_settings::{AggregationSettings, Settings};
use rsr_store::{Conflict, Error, JobRow, UpdateEdit, UpdateStatus};

use super::example::{Example, disaggregations, number};

fn settings() -> AggregationSettings {
    Settings::default().aggregation
}

fn job(example: &Example, id: JobId) -> JobRow {
    example.test.store.snapshot().unwrap().job(id).unwrap()
}

/// The only job in this state.
#[track_caller]
fn only(example: &Example, state: &str) -> JobRow {
    let snapshot = example.test.store.snapshot().unwrap();
    let jobs = snapshot.jobs(Some(state), 10).unwrap();
    let [job] = &jobs[..] else {
        panic!("{state}: {jobs:?}");
    };
    job.clone()
}

/// Two updates whose sum leaves 128 bits.
pub(crate) fn spoil(example: &Example, place: usize) {
    let updates = [
        example.report(place, number(1), &[]),
        example.report(place, number(1), &[]),
    ];
    for update in updates {
        example.test.meddle(&format!(
            "UPDATE updates SET value = '{}' WHERE id = {update}",
            i128::MAX
        ));
    }
}

#[test]
fn example_33_an_approval_queues_a_job_and_a_change_while_it_runs_queues_another() {
    let example = Example::new(&[None], "1");
    let period = example.period(0).id;
    let update = example.update(period, UpdateStatus::Pending, number(1), &[]);
    assert_eq!(example.jobs("scheduled"), []);
    let approval = UpdateEdit {
        status: Some(UpdateStatus::Approved),
        ..UpdateEdit::default()
    };
    example.write(|tx| tx.edit_update(update, &approval));
    assert_eq!(example.jobs("scheduled"), [period]);
    let store = &example.test.store;
    let claim = store.claim(period, &settings()).unwrap().unwrap();
    assert_eq!(example.jobs("scheduled"), []);
    example.write(|tx| tx.delete_update(update));
    assert_eq!(example.jobs("scheduled"), [period]);

    assert!(
        store.waiting_roots(9).unwrap().is_empty(),
        "its root is held"
    );
    assert!(store.claim(period, &settings()).unwrap().is_none());
    assert_eq!(store.work_off(claim, &settings()).unwrap().n_finished, 1);
    assert_eq!(example.work(), []);
    assert_eq!(example.jobs("finished"), [period, period]);
}

#[test]
fn example_34_a_change_while_a_job_waits_makes_no_second_one() {
    let example = Example::new(&[None], "1");
    example.roll_up();
    let period = example.period(0).id;
    let update = example.report(0, number(1), &[]);
    let before = only(&example, "scheduled");
    example.test.clock.advance(Duration::from_secs(7));
    let edit = UpdateEdit {
        disaggregations: Some(disaggregations(&[(example.genders(0)[0], 1)])),
        ..UpdateEdit::default()
    };
    example.write(|tx| tx.edit_update(update, &edit));
    let after = only(&example, "scheduled");
    assert_eq!((after.id, after.period), (before.id, period));
    assert_eq!(
        after.changed_ms,
        before.changed_ms + 7_000,
        "it was renewed"
    );
}

#[test]
fn example_35_a_job_that_fails_is_tried_five_times_and_then_given_up() {
    let example = Example::new(&[None, Some(0)], "1");
    spoil(&example, 1);
    for attempts in 1..=4 {
        let failed = example.work();
        assert_eq!(failed.len(), 1, "attempt {attempts}");
        assert!(!failed[0].is_maxxed, "attempt {attempts}");
        let job = only(&example, "failed");
        assert_eq!(job.attempts, attempts);
        assert!(job.run_after_ms > Some(job.changed_ms));
        assert!(job.reason.is_some(), "{job:?}");
        assert_eq!(example.work(), [], "it waits");
        example.test.clock.advance(Duration::from_secs(600));
    }
    let failed = example.work();
    assert!(failed[0].is_maxxed);
    let maxxed = only(&example, "maxxed");
    assert_eq!(maxxed.attempts, 5);
    example.test.clock.advance(Duration::from_secs(1_000_000));
    assert_eq!(example.work(), [], "never again by itself");
    assert_eq!(example.period(0).numbers.value, None, "nothing was written");

    // A person asks again, once what was wrong is mended.
    example.test.meddle("UPDATE updates SET value = 500");
    let queued = example.write(|tx| tx.retry_job(maxxed.id));
    assert_ne!(queued, maxxed.id);
    let refused = example.test.store.write(|tx| tx.retry_job(queued));
    let not_maxxed = |error: &Error| matches!(error, Error::Conflict(Conflict::JobNotMaxxed { state, .. }) if state == "scheduled");
    assert!(refused.as_ref().is_err_and(not_maxxed), "{refused:?}");
    let missing = example.test.store.write(|tx| tx.retry_job(JobId(99)));
    assert!(
        matches!(missing, Err(Error::NotFound { .. })),
        "{missing:?}"
    );
    assert_eq!(example.work(), []);
    example.check(0, "10.00 (-, -)");
    assert_eq!(job(&example, maxxed.id).state, "maxxed", "it is history");
    assert_eq!(job(&example, queued).state, "finished");
}

#[test]
fn example_36_a_cumulative_change_renews_the_waiting_job_and_queues_what_follows() {
    let example = Example::with(&[None], "1", true, 2);
    let periods = [0, 1].map(|year| example.period_of_year(0, year).id);
    example.write(|tx| tx.queue_period(periods[0]));
    let first = only(&example, "scheduled");
    example.report(0, number(1), &[]);
    assert_eq!(example.jobs("scheduled"), periods);
    assert_eq!(job(&example, first.id).state, "scheduled");
}

#[test]
fn jobs_under_one_root_are_worked_off_together_and_each_ends_on_its_own() {
    let example = Example::new(&[None, Some(0), Some(0), Some(0)], "1");
    example.report(1, number(2), &[]);
    example.report(2, number(3), &[]);
    let store = &example.test.store;
    let root = store.waiting_roots(9).unwrap();
    assert_eq!(root.len(), 1);
    let claim = store.claim(root[0].period, &settings()).unwrap().unwrap();
    let report = store.work_off(claim, &settings()).unwrap();
    assert_eq!(
        (report.n_finished, report.n_periods),
        (2, 3),
        "the top once"
    );
    example.check(0, "5.00 (-, -)");

    spoil(&example, 3);
    example.report(1, number(10), &[]);
    let failed = example.work();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].period, example.period(3).id);
    example.check(0, "15.00 (-, -)");
}

#[test]
fn a_lost_worker_is_seen_by_its_lease_and_cannot_end_what_it_no_longer_holds() {
    let example = Example::new(&[None], "1");
    example.report(0, number(4), &[]);
    let period = example.period(0).id;
    let store = &example.test.store;
    let late = store.claim(period, &settings()).unwrap().unwrap();
    example.test.clock.advance(settings().job_lease);
    let root = store.waiting_roots(9).unwrap();
    assert_eq!(root.len(), 1, "its lease is over");
    assert!(
        store.claim(period, &settings()).unwrap().is_none(),
        "it failed, and waits"
    );
    let failed = only(&example, "failed");
    assert_eq!(
        (failed.attempts, failed.reason.as_deref()),
        (1, Some("worker lost"))
    );

    example.test.clock.advance(settings().retry_wait_max);
    let next = store.claim(period, &settings()).unwrap().unwrap();
    let lost = store.work_off(late, &settings());
    assert!(
        matches!(lost, Err(Error::Conflict(Conflict::LeaseLost(id))) if id == failed.id.0),
        "{lost:?}"
    );
    example.check(0, "- ()");
    assert_eq!(only(&example, "running").id, failed.id);
    assert_eq!(store.work_off(next, &settings()).unwrap().n_finished, 1);
    example.check(0, "4.00 (-, -)");
    let done = only(&example, "finished");
    assert_eq!((done.attempts, done.reason), (2, None));
}

#[test]
fn a_clock_set_forward_takes_no_job_from_a_worker_that_lives() {
    let example = Example::new(&[None], "1");
    example.report(0, number(4), &[]);
    let (store, clock) = (&example.test.store, &example.test.clock);
    let root = store.waiting_roots(9).unwrap()[0].period;
    let claim = store.claim(root, &settings()).unwrap().unwrap();
    clock.set_by(3_600);
    assert!(store.claim(root, &settings()).unwrap().is_none());
    assert_eq!(only(&example, "running").attempts, 0);
    assert_eq!(store.work_off(claim, &settings()).unwrap().n_finished, 1);

    // One that died is seen a lease later.
    example.report(0, number(1), &[]);
    drop(store.claim(root, &settings()).unwrap().unwrap());
    clock.set_by(3_600);
    assert!(store.claim(root, &settings()).unwrap().is_none());
    clock.advance(settings().job_lease);
    assert!(store.claim(root, &settings()).unwrap().is_none());
    assert_eq!(
        only(&example, "failed").reason.as_deref(),
        Some("worker lost")
    );
    clock.advance(settings().retry_wait_max);
    assert_eq!(example.work(), []);
    example.check(0, "5.00 (-, -)");
}

#[test]
fn a_clock_set_back_keeps_nobody_waiting_longer_than_a_lease_or_a_wait() {
    let example = Example::new(&[None], "1");
    example.report(0, number(4), &[]);
    let (store, clock) = (&example.test.store, &example.test.clock);
    let root = store.waiting_roots(9).unwrap()[0].period;
    drop(store.claim(root, &settings()).unwrap().unwrap());
    clock.advance(Duration::from_secs(1));
    clock.set_by(-86_400);
    let poll = || {
        let roots = store.waiting_roots(9).unwrap();
        roots
            .first()
            .and_then(|root| store.claim(root.period, &settings()).unwrap())
    };
    assert!(poll().is_none());
    assert_eq!(
        store.waiting_roots(9).unwrap(),
        [],
        "its times are right again"
    );
    clock.advance(settings().job_lease);
    assert!(poll().is_none());
    assert_eq!(
        only(&example, "failed").reason.as_deref(),
        Some("worker lost")
    );
    clock.set_by(-86_400);
    assert!(poll().is_none(), "it waits as long as before");
    assert_eq!(store.waiting_roots(9).unwrap(), []);
    clock.advance(settings().retry_wait);
    let claim = poll().expect("its wait is over");
    assert_eq!(store.work_off(claim, &settings()).unwrap().n_finished, 1);
}

#[test]
fn example_35_a_job_that_failed_as_often_as_is_allowed_by_now_is_given_up_unrun() {
    let example = Example::new(&[None], "1");
    let period = example.period(0).id;
    example.write(|tx| tx.queue_period(period));
    for (attempts, then) in [(5, "maxxed"), (4, "finished")] {
        example.test.meddle(&format!(
            "UPDATE jobs SET state = 'failed', attempts = {attempts}, run_after_ms = 0"
        ));
        let claim = example.test.store.claim(period, &settings()).unwrap();
        if let Some(claim) = claim {
            drop(example.test.store.work_off(claim, &settings()).unwrap());
        }
        assert_eq!(only(&example, then).attempts, 5);
    }
}

#[test]
fn a_bad_job_among_many_costs_few_runs_and_the_others_are_done() {
    let mut parents = vec![None];
    parents.resize(41, Some(0));
    let example = Example::new(&parents, "1");
    for place in 1..=40 {
        example.report(place, number(1), &[]);
    }
    spoil(&example, 30);
    let store = &example.test.store;
    let root = store.waiting_roots(9).unwrap()[0].period;
    let claim = store.claim(root, &settings()).unwrap().unwrap();
    assert_eq!(claim.jobs().len(), 40);
    let report = store.work_off(claim, &settings()).unwrap();
    let failed: Vec<_> = report.failed.iter().map(|job| job.period).collect();
    assert_eq!(failed, [example.period(30).id]);
    assert_eq!(report.n_finished, 39);
    assert!(
        report.n_periods < 39 + 10,
        "the top once with each part that went well: {}",
        report.n_periods
    );
    example.check(0, "39.00 (-, -)");
}

#[test]
fn a_circle_and_a_chain_that_is_too_long_fail_their_jobs_and_keep_what_was_done() {
    let example = Example::new(&[None, Some(0), Some(1)], "1");
    example.report(2, number(4), &[]);
    let store = &example.test.store;
    let shallow = AggregationSettings {
        max_depth: 2,
        ..settings()
    };
    let root = store.waiting_roots(1).unwrap()[0].period;
    let claim = store.claim(root, &shallow).unwrap().unwrap();
    let report = store.work_off(claim, &shallow).unwrap();
    assert_eq!(report.n_depth_limited, 1);
    let reason = &report.failed[0].reason;
    assert!(
        reason.starts_with("Maximum aggregation depth reached"),
        "{reason}"
    );
    example.check(1, "4.00 (-, -)");
    assert_eq!(example.period(0).numbers.value, None, "past the limit");

    let (top, middle) = (example.period(0).id, example.period(1).id);
    example.test.meddle(&format!(
        "UPDATE periods SET parent_period_id = {middle} WHERE id = {top}"
    ));
    example.test.clock.advance(Duration::from_secs(600));
    let failed = example.work();
    assert!(
        failed[0].reason.starts_with("Circular reference detected"),
        "{failed:?}"
    );
    // Rolling up the whole tree leaves that job as it is.
    assert_eq!(
        store.roll_up(example.projects[0]).unwrap().n_jobs_finished,
        0
    );
    assert_eq!(only(&example, "failed").attempts, 2);
}

#[test]
fn finished_jobs_go_by_age_and_by_number_and_no_others() {
    let example = Example::with(&[None], "1", false, 4);
    let periods = [0, 1, 2, 3].map(|year| example.period_of_year(0, year).id);
    let store = &example.test.store;
    spoil(&example, 0);
    for period in &periods[1..] {
        example.write(|tx| tx.queue_period(*period));
        example.test.clock.advance(Duration::from_secs(60));
        let failed = example.work();
        assert!(failed.len() < 2);
    }
    let kept = |keep_finished, keep_finished_max| {
        let settings = AggregationSettings {
            keep_finished: Duration::from_secs(keep_finished),
            keep_finished_max,
            ..settings()
        };
        store.prune_jobs(&settings).unwrap();
        example.jobs("finished")
    };
    assert_eq!(kept(1000, 100), periods[1..]);
    assert_eq!(kept(119, 100), periods[2..], "the oldest is older");
    assert_eq!(kept(1000, 1), periods[3..]);
    assert_eq!(kept(1000, 0), []);
    assert_eq!(example.jobs("failed"), [periods[0]]);
}

#[test]
fn jobs_of_a_branch_that_is_being_deleted_are_passed_over_and_counted() {
    let example = Example::new(&[None, Some(0), Some(1), Some(0)], "1");
    for place in [1, 2, 3] {
        example.report(place, number(1), &[]);
    }
    let store = &example.test.store;
    let (root, deleting) = (example.period(0).id, [example.projects[1]]);
    let claimed = store.claim_but(root, &settings(), &deleting).unwrap();
    assert_eq!(claimed.n_skipped, 2);
    let claim = claimed.claim.unwrap();
    assert_eq!(claim.jobs().len(), 1);
    assert_eq!(store.work_off(claim, &settings()).unwrap().n_finished, 1);
    let claimed = store.claim_but(root, &settings(), &deleting).unwrap();
    assert!(claimed.claim.is_none());
    assert_eq!(claimed.n_skipped, 2);
    // The deletion did not happen.
    assert_eq!(example.work(), []);
    example.check(0, "3.00 (-, -)");
}

#[test]
fn rule_38_workers_side_by_side_never_meet_under_one_root() {
    let example = Example::with(&[None, Some(0), Some(0), Some(1)], "1", false, 3);
    let periods: Vec<_> = (0..12)
        .map(|nth| example.period_of_year(nth % 4, nth / 4).id)
        .collect();
    let n_done = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _worker in 0..3 {
            scope.spawn(|| {
                // Each has connections of its own, as on a machine of its own.
                let store = example.test.database.open();
                while !is_over.load(Ordering::Relaxed) {
                    for root in store.waiting_roots(9).unwrap() {
                        if let Some(claim) = store.claim(root.period, &settings()).unwrap() {
                            let report = store.work_off(claim, &settings()).unwrap();
                            assert_eq!(report.failed, []);
                            n_done.fetch_add(report.n_finished, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(example.test.roots_held_twice(), 0);
            }
        });
        for nth in 0..60 {
            example.update(periods[nth % 12], UpdateStatus::Approved, number(1), &[]);
        }
        let clock = rsr_base::system_clock();
        let deadline = clock.elapsed() + Duration::from_secs(60);
        while !example.jobs("scheduled").is_empty() || !example.jobs("running").is_empty() {
            assert!(clock.elapsed() < deadline, "the jobs are not done");
            std::thread::yield_now();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(example.jobs("finished").len() as u64, n_done.into_inner());
    for year in 0..3 {
        assert_eq!(example.period_of_year(0, year).numbers, number(20));
    }
    assert_eq!(example.roll_up()[0], 0);
}
