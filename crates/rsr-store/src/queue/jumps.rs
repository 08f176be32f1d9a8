//! Leases when a machine's clock is set: what it says then is no sign that anybody died.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rsr_base::SharedClock;

use crate::store::wall_ms;

/// How far the wall clock may get ahead of the time that passes before it counts as set. Clocks are slewed by less.
const AHEAD_MAX: Duration = Duration::from_millis(500);

/// The two clocks of a process, as they stood when leases were last looked at.
#[derive(Debug, Default)]
pub(crate) struct Jumps {
    last: Mutex<Option<Look>>,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    wall_ms: i64,
    elapsed: Duration,
    /// When the wall clock was last found to have been set forward.
    jumped: Option<Duration>,
}

impl Jumps {
    /// Compares the two clocks; whoever looks seldom sees late that one was set.
    pub(super) fn look(&self, clock: &SharedClock) {
        let now = clock.elapsed();
        let wall_ms = wall_ms(clock);
        // Whatever keeps this thread between two readings makes more time pass, never less.
        let after = clock.elapsed();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let jumped = last.and_then(|last| {
            let passed = after.saturating_sub(last.elapsed).saturating_add(AHEAD_MAX);
            let passed = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
            if wall_ms.saturating_sub(last.wall_ms) <= passed {
                return last.jumped;
            }
            tracing::warn!(
                "the clock was set forward: for the time of a lease no worker counts as lost"
            );
            Some(after)
        });
        *last = Some(Look {
            wall_ms,
            elapsed: now,
            jumped,
        });
    }

    /// The time up to which leases that ended are over. After the wall clock was set forward it is none for the time of a
    /// lease: whoever is alive has renewed theirs by then.
    pub(super) fn lost_until_ms(&self, clock: &SharedClock, lease: Duration) -> i64 {
        self.look(clock);
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let jumped = last.and_then(|last| last.jumped);
        if jumped.is_some_and(|jumped| clock.elapsed() < jumped.saturating_add(lease)) {
            i64::MIN
        } else {
            wall_ms(clock)
        }
    }
}
