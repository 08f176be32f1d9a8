//! Time as a parameter, so that tests move it and nothing sleeps.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

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
    origin: Instant,
}

impl SystemClock {
    /// A clock whose [`Clock::elapsed`] starts at zero now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where time comes in"
    )]
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
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
        self.origin.elapsed()
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

/// A clock that is cheap rather than fine: it steps every few milliseconds, and reading it costs a fifth of
/// [`SystemClock`].
///
/// For deadlines that are checked on every lookup. On systems without such a clock it is as fine, and as dear, as
/// [`SystemClock`].
#[derive(Clone, Copy, Debug)]
pub struct CoarseClock {
    system: SystemClock,
    #[cfg(target_os = "linux")]
    origin: Duration,
}

impl CoarseClock {
    /// A clock whose [`Clock::elapsed`] starts at zero now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            system: SystemClock::new(),
            #[cfg(target_os = "linux")]
            origin: since_boot(),
        }
    }
}

impl Default for CoarseClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for CoarseClock {
    #[cfg(target_os = "linux")]
    #[inline]
    fn elapsed(&self) -> Duration {
        since_boot().saturating_sub(self.origin)
    }

    #[cfg(not(target_os = "linux"))]
    fn elapsed(&self) -> Duration {
        self.system.elapsed()
    }

    fn wall(&self) -> SystemTime {
        self.system.wall()
    }
}

#[cfg(target_os = "linux")]
#[inline]
fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    // The kernel keeps both parts non-negative and the second below a thousand million.
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// The cheap clock of the operating system, ready to be shared.
#[must_use]
pub fn coarse_clock() -> SharedClock {
    Arc::new(CoarseClock::new())
}
