//! Every interleaving of callers that meet at one key.
//!
//! `RUSTFLAGS="--cfg rsr_loom" cargo test -p rsr-cache --lib --release loom`

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::{Flights, Joined, Outcome};

/// What a caller does with a key: computes it, or waits for the one who does. `stored` stands for the cache.
fn load(flights: &Flights<u8, usize>, stored: &AtomicUsize, n_runs: &AtomicUsize) -> usize {
    loop {
        let known = stored.load(Ordering::SeqCst);
        if known != 0 {
            return known;
        }
        match flights.join(1) {
            Joined::Wait(flight) => match *flight.wait() {
                Outcome::Value(value) => return value,
                _ => continue,
            },
            Joined::Lead(leader) => {
                let known = stored.load(Ordering::SeqCst);
                if known != 0 {
                    leader.land(Outcome::Value(known), || ());
                    return known;
                }
                n_runs.fetch_add(1, Ordering::SeqCst);
                leader.land(Outcome::Value(7), || stored.store(7, Ordering::SeqCst));
                return 7;
            }
        }
    }
}

#[test]
fn loom_callers_that_meet_share_one_run() {
    loom::model(|| {
        let flights = Arc::new(Flights::new());
        let stored = Arc::new(AtomicUsize::new(0));
        let n_runs = Arc::new(AtomicUsize::new(0));
        let other = {
            let (flights, stored, n_runs) = (
                Arc::clone(&flights),
                Arc::clone(&stored),
                Arc::clone(&n_runs),
            );
            thread::spawn(move || load(&flights, &stored, &n_runs))
        };
        assert_eq!(load(&flights, &stored, &n_runs), 7);
        assert_eq!(other.join().unwrap(), 7);
        assert_eq!(n_runs.load(Ordering::SeqCst), 1);
        assert!(
            matches!(flights.join(1), Joined::Lead(_)),
            "the key is free"
        );
    });
}

#[test]
fn loom_an_abandoned_load_is_taken_over() {
    loom::model(|| {
        let flights = Arc::new(Flights::<u8, usize>::new());
        let stored = Arc::new(AtomicUsize::new(0));
        let n_runs = Arc::new(AtomicUsize::new(0));
        let other = {
            let flights = Arc::clone(&flights);
            thread::spawn(move || drop(flights.join(1)))
        };
        assert_eq!(load(&flights, &stored, &n_runs), 7);
        other.join().unwrap();
        assert!(
            matches!(flights.join(1), Joined::Lead(_)),
            "the key is free"
        );
    });
}

/// A load that began before an invalidation must not leave its value behind it.
#[test]
fn loom_an_invalidation_wins_over_a_load_under_way() {
    loom::model(|| {
        let flights = Arc::new(Flights::<u8, usize>::new());
        // What the database says, and what the cache holds.
        let truth = Arc::new(AtomicUsize::new(1));
        let stored = Arc::new(AtomicUsize::new(0));
        let writer = {
            let (flights, truth, stored) = (
                Arc::clone(&flights),
                Arc::clone(&truth),
                Arc::clone(&stored),
            );
            thread::spawn(move || {
                truth.store(2, Ordering::SeqCst);
                flights.supersede(&1);
                stored.store(0, Ordering::SeqCst);
            })
        };
        if let Joined::Lead(leader) = flights.join(1) {
            let read = truth.load(Ordering::SeqCst);
            leader.land(Outcome::Value(read), || {
                stored.store(read, Ordering::SeqCst)
            });
        }
        writer.join().unwrap();
        let held = stored.load(Ordering::SeqCst);
        assert!(
            held == 0 || held == 2,
            "the cache holds {held}, which is outdated"
        );
    });
}
