//! Time as a parameter, so that tests move it and nothing sleeps.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Tells the time.
///
/// Two readings answer two questions: [`Clock::elapsed`] is for how long something takes and never goes back;
/// [`Clock::wall`] is for what people and files call the time, and may jump.
pub trait Clock: Send + Sync + Debug {
    /// Time since an origin that stays the same for the life of this clock. Never goes back.
    fn elapsed(&self) -> Duration;

    /// The time of day, UTC.
    fn wall(&self) -> SystemTime;
}

/// A clock that several owners read.
pub type SharedClock = Arc<dyn Clock>;

/// The clock of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: Moment,
}

impl SystemClock {
    /// A clock whose [`Clock::elapsed`] starts at zero now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            origin: Moment::fine(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        Moment::fine().since(self.origin)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where time comes in"
    )]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// The clock of the operating system, ready to be shared.
#[must_use]
pub fn system_clock() -> SharedClock {
    Arc::new(SystemClock::new())
}

/// A clock that is cheap rather than fine: it steps every few milliseconds, and reading it costs a part of what
/// [`SystemClock`] costs.
///
/// For deadlines that are checked on every lookup. On systems without such a clock it is as fine, and as dear, as
/// [`SystemClock`].
#[derive(Clone, Copy, Debug)]
pub struct CoarseClock {
    origin: Moment,
}

impl CoarseClock {
    /// A clock whose [`Clock::elapsed`] starts at zero now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            origin: Moment::coarse(),
        }
    }
}

impl Default for CoarseClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for CoarseClock {
    #[inline]
    fn elapsed(&self) -> Duration {
        Moment::coarse().since(self.origin)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where time comes in"
    )]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A reading of the system's steady clock.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug)]
struct Moment(Duration);

// The kernel is asked directly: `Instant` takes the same reading and then ten nanoseconds more, twice in each measured
// request.
#[cfg(target_os = "linux")]
impl Moment {
    #[inline]
    fn fine() -> Self {
        Self::read(rustix::time::ClockId::Monotonic)
    }

    #[inline]
    fn coarse() -> Self {
        Self::read(rustix::time::ClockId::MonotonicCoarse)
    }

    #[inline]
    fn read(clock: rustix::time::ClockId) -> Self {
        let now = rustix::time::clock_gettime(clock);
        // The kernel keeps both parts non-negative and the second below a thousand million.
        Self(Duration::new(
            u64::try_from(now.tv_sec).unwrap_or(0),
            u32::try_from(now.tv_nsec).unwrap_or(0),
        ))
    }

    #[inline]
    fn since(self, origin: Self) -> Duration {
        self.0.saturating_sub(origin.0)
    }
}

/// A reading of the system's steady clock.
#[cfg(not(target_os = "linux"))]
#[derive(Clone, Copy, Debug)]
struct Moment(std::time::Instant);

#[cfg(not(target_os = "linux"))]
impl Moment {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where time comes in"
    )]
    fn fine() -> Self {
        Self(std::time::Instant::now())
    }

    fn coarse() -> Self {
        Self::fine()
    }

    fn since(self, origin: Self) -> Duration {
        self.0.saturating_duration_since(origin.0)
    }
}

/// The cheap clock of the operating system, ready to be shared.
#[must_use]
pub fn coarse_clock() -> SharedClock {
    Arc::new(CoarseClock::new())
}
