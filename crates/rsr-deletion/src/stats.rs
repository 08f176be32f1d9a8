//! What the tracker tells about itself.

use std::time::{Duration, SystemTime};

/// The tracker at one moment. Each deletion counts, so one id that is being deleted twice counts as two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeletionStats {
    /// Deletions tracked and not stale.
    pub n_active: u64,
    /// Deletions that are stale and wait for the next sweep.
    pub n_stale: u64,
    /// Time since the oldest tracked deletion began or was renewed; `None` where nothing is tracked.
    pub oldest_age: Option<Duration>,
    /// Deletions begun so far.
    pub n_begun: u64,
    /// Deletions whose guard let go so far, among them late ones that had been swept.
    pub n_finished: u64,
    /// Deletions swept because they were stale.
    pub n_swept: u64,
    /// Work that was left out because its id was being deleted.
    pub n_skipped: u64,
    /// Ids that other machines were deleting when they were last asked.
    pub n_elsewhere: u64,
    /// Failures to tell other machines of a deletion.
    pub n_shared_failures: u64,
    /// When the last sweep ran, if one has.
    pub last_sweep: Option<SystemTime>,
    /// Age from which a deletion is stale.
    pub stale_after: Duration,
}

/// What a sweep removed, or in a dry run would remove.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sweep<Id> {
    /// The stale deletions, by id and the oldest first.
    pub stale: Vec<StaleDeletion<Id>>,
    /// True where nothing was removed on purpose.
    pub is_dry_run: bool,
}

/// A deletion that nobody finished in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct StaleDeletion<Id> {
    /// What was being deleted.
    pub id: Id,
    /// Time since it began or was last renewed.
    pub age: Duration,
}
