//! Log lines that do not flood: one for a long read every so often, one for a repeated event now and then.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rsr_base::{ProjectId, SharedClock};

/// Time between two lines about one long read, and about one kind of event.
const EVERY: Duration = Duration::from_secs(10);
/// Rows between two looks at the clock.
const ROWS_A_LOOK: u64 = 256;

/// Counts the rows of a read, and logs a line every 10 s.
#[derive(Debug)]
pub(crate) struct Progress<'c> {
    clock: &'c SharedClock,
    project: ProjectId,
    n_rows: u64,
    logged_at: Duration,
}

impl<'c> Progress<'c> {
    pub(crate) fn begin(clock: &'c SharedClock, project: ProjectId) -> Self {
        Self {
            logged_at: clock.elapsed(),
            clock,
            project,
            n_rows: 0,
        }
    }

    /// One row more.
    pub(crate) fn count(&mut self) {
        self.n_rows += 1;
        if self.is_due() {
            tracing::info!(project = %self.project, count = self.n_rows, "still reading descendants");
        }
    }

    /// Whether the last line is long enough ago, asked of the clock at every 256th row.
    fn is_due(&mut self) -> bool {
        if !self.n_rows.is_multiple_of(ROWS_A_LOOK) {
            return false;
        }
        let now = self.clock.elapsed();
        let is_due = now.saturating_sub(self.logged_at) >= EVERY;
        if is_due {
            self.logged_at = now;
        }
        is_due
    }
}

/// Lets one warning through every 10 s, and counts those it held back.
#[derive(Debug)]
pub(crate) struct RateLimited {
    clock: SharedClock,
    state: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    let_through_at: Option<Duration>,
    n_held_back: u64,
}

impl RateLimited {
    pub(crate) fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }

    /// Calls `warn` with the number of events held back since the last call, or holds this one back.
    pub(crate) fn warn(&self, warn: impl FnOnce(u64)) {
        let now = self.clock.elapsed();
        let n_held_back = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let is_due = state
                .let_through_at
                .is_none_or(|at| now.saturating_sub(at) >= EVERY);
            if !is_due {
                state.n_held_back += 1;
                return;
            }
            state.let_through_at = Some(now);
            std::mem::take(&mut state.n_held_back)
        };
        warn(n_held_back);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rsr_testkit::ManualClock;

    use super::*;

    #[test]
    fn a_long_read_says_so_every_ten_seconds_whatever_its_chunks() {
        let clock = ManualClock::new();
        let shared: SharedClock = Arc::new(clock.clone());
        let mut progress = Progress::begin(&shared, ProjectId(7));
        let mut said_at = Vec::new();
        // A row a millisecond: half a minute and a bit.
        for row in 1..=35_000_u64 {
            clock.advance(Duration::from_millis(1));
            progress.n_rows = row;
            if progress.is_due() {
                said_at.push(row);
            }
        }
        assert_eq!(said_at, [10_240, 20_480, 30_720], "rows, at a look each");
    }

    #[test]
    fn a_flood_of_warnings_is_one_line_every_ten_seconds() {
        let clock = ManualClock::new();
        let limited = RateLimited::new(Arc::new(clock.clone()));
        let mut lines = Vec::new();
        for _second in 0..21 {
            limited.warn(|n_since| lines.push(n_since));
            clock.advance(Duration::from_secs(1));
        }
        assert_eq!(lines, [0, 9, 9]);
    }
}
