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
        if self.n_rows.is_multiple_of(ROWS_A_LOOK) {
            let now = self.clock.elapsed();
            if now.saturating_sub(self.logged_at) >= EVERY {
                self.logged_at = now;
                tracing::info!(project = %self.project, count = self.n_rows, "still reading descendants");
            }
        }
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
