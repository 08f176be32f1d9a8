//! Every interleaving of guards and questions about one id.
//!
//! `RUSTFLAGS="--cfg rsr_loom" cargo test -p rsr-deletion --lib --release loom`

use std::sync::Arc as StdArc;

use loom::thread;
use rsr_settings::DeletionSettings;
use rsr_testkit::ManualClock;

use crate::tracker::DeletionTracker;

fn tracker() -> (DeletionTracker<u32>, ManualClock) {
    let clock = ManualClock::new();
    let settings = DeletionSettings::default();
    (
        DeletionTracker::with_clock(&settings, StdArc::new(clock.clone())),
        clock,
    )
}

#[test]
fn loom_an_id_is_tracked_as_long_as_a_guard_holds_it() {
    loom::model(|| {
        let (tracker, _clock) = tracker();
        let mine = tracker.begin(7);
        let other = {
            let tracker = tracker.clone();
            thread::spawn(move || {
                let theirs = tracker.begin(7);
                assert!(tracker.contains(7));
                drop(theirs);
            })
        };
        assert!(tracker.contains(7), "mine is held");
        drop(mine);
        other.join().unwrap();
        assert!(!tracker.contains(7));
        assert_eq!(tracker.stats().n_active, 0);
    });
}

#[test]
fn loom_two_ids_in_one_slot_do_not_hide_each_other() {
    loom::model(|| {
        let (tracker, _clock) = tracker();
        let other = {
            let tracker = tracker.clone();
            thread::spawn(move || drop(tracker.begin(1)))
        };
        let mine = tracker.begin(2);
        assert!(tracker.contains(2));
        other.join().unwrap();
        assert!(tracker.contains(2));
        drop(mine);
        assert!(!tracker.contains(1) && !tracker.contains(2));
    });
}

#[test]
fn loom_a_late_guard_and_a_sweep_release_an_entry_once() {
    loom::model(|| {
        let (tracker, clock) = tracker();
        let late = tracker.begin(7);
        clock.advance(DeletionSettings::default().stale_after);
        let newer = tracker.begin(7);
        let sweeper = {
            let tracker = tracker.clone();
            thread::spawn(move || drop(tracker.sweep(false)))
        };
        drop(late);
        assert!(tracker.contains(7), "the newer one holds it");
        sweeper.join().unwrap();
        assert!(tracker.contains(7));
        drop(newer);
        assert!(!tracker.contains(7));
    });
}
