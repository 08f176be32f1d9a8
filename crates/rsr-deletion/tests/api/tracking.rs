//! Guards, staleness, sweeping, transactions.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use rsr_deletion::{Janitor, Transaction};
use rsr_testkit::Seeded;

use super::{seconds, tracker};

#[test]
fn a_guard_lets_go_on_return_and_on_panic() {
    let (tracker, _clock) = tracker();
    let early = || -> Result<(), &str> {
        let _guard = tracker.begin(1);
        Err("early")?;
        Ok(())
    };
    early().unwrap_err();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _guard = tracker.begin(1);
        assert!(tracker.contains(1) && !tracker.is_idle());
        panic!("while deleting");
    }));
    assert!(panicked.is_err());
    assert!(!tracker.contains(1));
    let stats = tracker.stats();
    assert_eq!((stats.n_begun, stats.n_finished, stats.n_active), (2, 2, 0));
}

#[test]
fn nothing_is_left_after_a_thousand_deletions() {
    let (tracker, _clock) = tracker();
    for id in 0..1_001 {
        drop(tracker.begin(id));
    }
    assert!(tracker.is_idle());
    assert!((0..1_001).all(|id| !tracker.contains(id)));
    assert_eq!(tracker.stats().oldest_age, None);
}

#[test]
fn two_deletions_of_one_id_count_twice() {
    let (tracker, _clock) = tracker();
    let (first, second) = (tracker.begin(1), tracker.begin(1));
    assert_eq!(tracker.stats().n_active, 2);
    drop(first);
    assert!(tracker.contains(1));
    drop(second);
    assert!(!tracker.contains(1));
}

#[test]
fn a_late_guard_does_not_release_a_newer_one() {
    let (tracker, clock) = tracker();
    let late = tracker.begin(1);
    clock.advance(seconds(100));
    assert_eq!(tracker.sweep(false).stale.len(), 1);
    let newer = tracker.begin(1);
    drop(late);
    assert!(tracker.contains(1));
    drop(newer);
    assert!(!tracker.contains(1));
}

#[test]
fn a_stale_deletion_no_longer_counts_and_a_renewed_one_does() {
    let (tracker, clock) = tracker();
    let guard = tracker.begin(1);
    clock.advance(seconds(99));
    assert!(tracker.contains(1));
    guard.renew();
    clock.advance(seconds(99));
    assert!(tracker.contains(1), "its age started anew");
    clock.advance(seconds(1));
    assert!(!tracker.contains(1));
    assert_eq!((tracker.stats().n_active, tracker.stats().n_stale), (0, 1));
    tracker.sweep(false);
    guard.renew();
    assert!(
        tracker.contains(1),
        "it was swept, and goes on all the same"
    );
    drop(guard);
    assert!(!tracker.contains(1));
}

#[test]
fn a_dry_run_lists_ids_and_ages_and_removes_nothing() {
    let (tracker, clock) = tracker();
    let _old = (tracker.begin(2), tracker.begin(1));
    clock.advance(seconds(30));
    let _younger = (tracker.begin(1), tracker.begin(3));
    clock.advance(seconds(70));
    let listed = tracker.sweep(true);
    let found: Vec<_> = listed
        .stale
        .iter()
        .map(|stale| (stale.id, stale.age))
        .collect();
    assert_eq!(found, [(1, seconds(100)), (2, seconds(100))]);
    assert_eq!(
        (tracker.stats().n_stale, tracker.stats().last_sweep),
        (2, None)
    );
    assert_eq!(tracker.sweep(false).stale, listed.stale);
    let stats = tracker.stats();
    assert_eq!((stats.n_swept, stats.n_stale, stats.n_active), (2, 0, 2));
    assert_eq!(stats.oldest_age, Some(seconds(70)));
    assert!(stats.last_sweep.is_some());
}

#[test]
fn the_janitor_sweeps_though_nobody_adds() {
    let (tracker, clock) = tracker();
    let janitor = Janitor::spawn(tracker.clone()).unwrap();
    let _forgotten = tracker.begin(1);
    for _ in 0..3 {
        clock.advance(seconds(33));
        janitor.nudge();
    }
    assert_eq!(tracker.stats().n_swept, 0);
    clock.advance(seconds(60));
    janitor.nudge();
    assert_eq!(tracker.stats().n_swept, 1);
}

#[test]
fn skipped_work_is_counted() {
    let (tracker, _clock) = tracker();
    let _guard = tracker.begin(1);
    assert!(tracker.must_skip(1));
    assert!(!tracker.must_skip(2));
    assert_eq!(tracker.stats().n_skipped, 1);
}

#[test]
fn a_transaction_releases_when_its_outermost_level_ends() {
    let (tracker, _clock) = tracker();
    let outer = Transaction::begin();
    let inner = outer.nested();
    let innermost = inner.nested();
    tracker.begin(1).release_on_commit(&innermost);
    tracker.begin(2).release_on_commit(&outer);
    innermost.end();
    inner.end();
    assert!(tracker.contains(1) && tracker.contains(2));
    assert_eq!(outer.n_held(), 2);
    outer.end();
    assert!(!tracker.contains(1) && !tracker.contains(2));
}

#[test]
fn a_level_that_outlives_its_transaction_holds_nothing() {
    let (tracker, _clock) = tracker();
    let outer = Transaction::begin();
    let inner = outer.nested();
    tracker.begin(1).release_on_commit(&inner);
    drop(outer);
    assert!(!tracker.contains(1));
    tracker.begin(2).release_on_commit(&inner);
    assert!(!tracker.contains(2));
}

#[test]
fn the_limit_of_staleness_changes_at_once() {
    let (tracker, clock) = tracker();
    let _guard = tracker.begin(1);
    clock.advance(seconds(50));
    tracker.set_stale_after(seconds(50));
    assert!(!tracker.contains(1));
    tracker.set_stale_after(seconds(51));
    assert!(tracker.contains(1));
}

/// Every thread sees its own ids tracked while it holds them; in the end nothing is left.
#[test]
fn guards_of_many_threads_do_not_touch_each_other() {
    let (tracker, clock) = tracker();
    thread::scope(|scope| {
        for seed in 0..8 {
            let (tracker, clock) = (&tracker, &clock);
            scope.spawn(move || {
                let mut random = Seeded::new(seed);
                for _ in 0..2_000 {
                    let id = i64::try_from(random.below(10)).unwrap();
                    let guard = tracker.begin(id);
                    let again = tracker.begin(id);
                    match random.below(6) {
                        0 => guard.renew(),
                        1 => drop(tracker.sweep(false)),
                        2 => clock.advance(seconds(0)),
                        _ => {}
                    }
                    drop(guard);
                    assert!(tracker.contains(id));
                    drop(again);
                }
            });
        }
    });
    assert!((0..10).all(|id| !tracker.contains(id)));
    let stats = tracker.stats();
    assert_eq!(
        (stats.n_begun, stats.n_finished, stats.n_active),
        (32_000, 32_000, 0)
    );
}
