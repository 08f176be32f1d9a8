//! What rsr-deletion promises to its users: rules 20 to 26.

mod model;
mod shared;
mod tracking;

use std::sync::Arc;
use std::time::Duration;

use rsr_deletion::DeletionTracker;
use rsr_settings::DeletionSettings;
use rsr_testkit::ManualClock;

/// A tracker whose deletions go stale after 100 s and are swept every 50, on a clock that the test moves.
fn tracker() -> (DeletionTracker<i64>, ManualClock) {
    let clock = ManualClock::new();
    (
        DeletionTracker::with_clock(&settings(), Arc::new(clock.clone())),
        clock,
    )
}

fn settings() -> DeletionSettings {
    DeletionSettings {
        stale_after: seconds(100),
        cleanup_interval: seconds(50),
        ..DeletionSettings::default()
    }
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
