//! Where a cache takes its time from.

use std::fmt;

use rsr_base::{Clock, CoarseClock, SharedClock};

use crate::entry::{NEVER, Nanos};

/// The cheap clock called directly, or any clock through its trait.
#[derive(Clone)]
pub(crate) enum Time {
    Coarse(CoarseClock),
    Given(SharedClock),
}

impl Time {
    /// Nanoseconds since the clock's origin. Never goes back, never passes [`NEVER`].
    #[inline]
    pub(crate) fn now(&self) -> Nanos {
        let elapsed = match self {
            Self::Coarse(clock) => clock.elapsed(),
            Self::Given(clock) => clock.elapsed(),
        };
        elapsed
            .as_secs()
            .saturating_mul(1_000_000_000)
            .saturating_add(u64::from(elapsed.subsec_nanos()))
            .min(NEVER)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Coarse(clock) => clock.fmt(f),
            Self::Given(clock) => clock.fmt(f),
        }
    }
}
