//! Programs killed at random moments, full disks, clients that go away, clocks that are set: what was acknowledged is there,
//! once and whole, nothing is half-written, and the same command goes on where it was cut off.
//!
//! A few rounds here; `cargo xtask chaos --rounds N` runs as many as asked for, and says what it saw.

mod branches;
mod clock;
mod disk;
mod files;
mod machines;
mod migration;
mod place;
mod sockets;
mod worker;

use std::time::Duration;

use rsr_base::{Clock, system_clock};
use rsr_testkit::Seeded;

/// Rounds of every test run.
const FEW: u32 = 3;

#[expect(
    clippy::disallowed_methods,
    reason = "`cargo xtask chaos` tells these tests by the environment"
)]
pub(crate) fn asked<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

/// How many rounds to run, and whether that was asked for.
fn rounds() -> (u32, bool) {
    asked("RSR_CHAOS_ROUNDS").map_or((FEW, false), |rounds| (rounds, true))
}

/// Numbers that are others in each run, and the seed that repeats them: `RSR_CHAOS_SEED`.
fn random() -> (Seeded, u64) {
    let now = system_clock().wall().duration_since(std::time::UNIX_EPOCH);
    let now = u64::from(now.unwrap().subsec_nanos());
    let seed = asked("RSR_CHAOS_SEED").unwrap_or(now);
    (Seeded::new(seed), seed)
}

/// Lets so much time pass: the moment of a kill is what these tests are about.
pub(crate) fn pass(clock: &dyn Clock, time: Duration) {
    let end = clock.elapsed() + time;
    while let Some(left) = end
        .checked_sub(clock.elapsed())
        .filter(|left| !left.is_zero())
    {
        std::thread::park_timeout(left);
    }
}
