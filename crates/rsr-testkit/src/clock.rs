//! A clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rsr_base::Clock;

/// A clock that stands still until it is told to move. Clones share one time.
///
/// [`Clock::elapsed`] starts at zero; [`Clock::wall`] starts at 2024-01-01T00:00:00Z, so that dates in a test's output
/// stay the same.
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    elapsed_ns: Arc<AtomicU64>,
    set_by_s: Arc<AtomicI64>,
}

const WALL_START: Duration = Duration::from_secs(1_704_067_200);

impl ManualClock {
    /// A clock at its start.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves both readings on.
    ///
    /// # Panics
    ///
    /// Past 584 years: the time is kept in nanoseconds.
    pub fn advance(&self, by: Duration) {
        let ns =
            u64::try_from(by.as_nanos()).expect("a test that moves time by less than 584 years");
        self.elapsed_ns.fetch_add(ns, Ordering::SeqCst);
    }

    /// Sets the wall clock forward, or back where the number is negative; no time passes.
    pub fn set_by(&self, seconds: i64) {
        self.set_by_s.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.elapsed_ns.load(Ordering::SeqCst))
    }

    fn wall(&self) -> SystemTime {
        let time = UNIX_EPOCH + WALL_START + self.elapsed();
        let set_by_s = self.set_by_s.load(Ordering::SeqCst);
        let by = Duration::from_secs(set_by_s.unsigned_abs());
        if set_by_s < 0 { time - by } else { time + by }
    }
}
