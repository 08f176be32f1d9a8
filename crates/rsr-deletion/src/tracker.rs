//! Which ids are being deleted.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc as StdArc, PoisonError};
use std::time::Duration;

use rsr_base::{ProjectId, SharedClock, coarse_clock};
use rsr_settings::DeletionSettings;

use crate::elsewhere::Elsewhere;
use crate::filter::{Filter, IdHasher, IdHashing};
use crate::guard::DeletionGuard;
use crate::shared::{SharedError, SharedTracker};
use crate::stats::{DeletionStats, StaleDeletion, Sweep};
use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering};

#[cfg(not(rsr_loom))]
const SHARDS: usize = 16;
#[cfg(rsr_loom)]
const SHARDS: usize = 1;

/// What can be tracked: a small number that names a record.
pub trait DeletionId: Copy + Eq + Ord + Hash + fmt::Debug + Send + Sync + 'static {}

impl<Id: Copy + Eq + Ord + Hash + fmt::Debug + Send + Sync + 'static> DeletionId for Id {}

/// The ids being deleted, each held by a [`DeletionGuard`].
///
/// Cloning gives another handle on the same tracker. [`DeletionTracker::contains`] is meant for hot paths: where nothing
/// is being deleted it costs a load.
pub struct DeletionTracker<Id: DeletionId = ProjectId> {
    inner: Arc<Inner<Id>>,
}

pub(crate) struct Inner<Id: DeletionId> {
    filter: Filter,
    shards: Box<[Shard<Id>]>,
    clock: SharedClock,
    shared: Option<StdArc<dyn SharedTracker<Id>>>,
    elsewhere: Elsewhere<Id>,
    stale_after_ns: AtomicU64,
    cleanup_interval: Duration,
    next_token: AtomicU64,
    n_begun: AtomicU64,
    n_finished: AtomicU64,
    n_swept: AtomicU64,
    n_skipped: AtomicU64,
    n_shared_failures: AtomicU64,
    /// When the last sweep ran, in nanoseconds of the clock and one more; 0 before the first.
    swept_ns: AtomicU64,
}

type Owners<Id> = HashMap<Id, Vec<Owner>, IdHashing>;

struct Shard<Id> {
    owners: Mutex<Owners<Id>>,
}

/// One deletion of an id.
struct Owner {
    token: u64,
    /// When it began or was renewed.
    since_ns: u64,
    /// Other machines were told, and have to be told of its end.
    is_shared: bool,
}

impl<Id: DeletionId> Clone for DeletionTracker<Id> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

/// With the built-in settings and the system's coarse clock.
impl<Id: DeletionId> Default for DeletionTracker<Id> {
    fn default() -> Self {
        Self::new(&DeletionSettings::default())
    }
}

impl<Id: DeletionId> DeletionTracker<Id> {
    /// An empty tracker on the system's coarse clock.
    #[must_use]
    pub fn new(settings: &DeletionSettings) -> Self {
        Self::with_clock(settings, coarse_clock())
    }

    /// An empty tracker that takes the time from this clock.
    #[must_use]
    pub fn with_clock(settings: &DeletionSettings, clock: SharedClock) -> Self {
        Self::build(settings, clock, None)
    }

    /// An empty tracker that tells other machines, and asks them.
    #[must_use]
    pub fn with_shared(
        settings: &DeletionSettings,
        clock: SharedClock,
        shared: StdArc<dyn SharedTracker<Id>>,
    ) -> Self {
        Self::build(settings, clock, Some(shared))
    }

    fn build(
        settings: &DeletionSettings,
        clock: SharedClock,
        shared: Option<StdArc<dyn SharedTracker<Id>>>,
    ) -> Self {
        let shard = |_| Shard {
            owners: Mutex::new(Owners::default()),
        };
        Self {
            inner: Arc::new(Inner {
                filter: Filter::new(),
                shards: (0..SHARDS).map(shard).collect(),
                clock,
                shared,
                elsewhere: Elsewhere::new(),
                stale_after_ns: AtomicU64::new(nanos(settings.stale_after)),
                cleanup_interval: settings.cleanup_interval,
                next_token: AtomicU64::new(1),
                n_begun: AtomicU64::new(0),
                n_finished: AtomicU64::new(0),
                n_swept: AtomicU64::new(0),
                n_skipped: AtomicU64::new(0),
                n_shared_failures: AtomicU64::new(0),
                swept_ns: AtomicU64::new(0),
            }),
        }
    }

    /// Tracks `id` until the guard is dropped. An id may be tracked several times; each guard counts.
    ///
    /// Where other machines cannot be told, that is logged and counted, and the id is tracked here;
    /// [`DeletionTracker::try_begin`] refuses instead.
    pub fn begin(&self, id: Id) -> DeletionGuard<Id> {
        let guard = self.begin_here(id);
        self.inner.note(self.inner.share(id, guard.token));
        guard
    }

    /// Tracks `id` until the guard is dropped, and makes sure that the other machines know.
    ///
    /// # Errors
    ///
    /// [`SharedError`] where they cannot be told; nothing is tracked then.
    pub fn try_begin(&self, id: Id) -> Result<DeletionGuard<Id>, SharedError> {
        let guard = self.begin_here(id);
        self.inner.share(id, guard.token)?;
        Ok(guard)
    }

    fn begin_here(&self, id: Id) -> DeletionGuard<Id> {
        let inner = &self.inner;
        let token = inner.next_token.fetch_add(1, Ordering::Relaxed);
        let hash = IdHasher::of(id);
        let owner = Owner {
            token,
            since_ns: inner.now(),
            is_shared: false,
        };
        inner.n_begun.fetch_add(1, Ordering::Relaxed);
        inner.filter.add(hash);
        inner.lock(hash).entry(id).or_default().push(owner);
        DeletionGuard {
            inner: Arc::clone(inner),
            id,
            token,
        }
    }

    /// True while `id` is being deleted by a deletion that is not stale, here or, as of the last
    /// [`DeletionTracker::refresh`], on another machine.
    #[inline]
    #[must_use]
    pub fn contains(&self, id: Id) -> bool {
        let hash = IdHasher::of(id);
        self.inner.filter.may_contain(hash) && self.inner.is_tracked(id, hash)
    }

    /// True where nothing is being deleted, here or as far as is known elsewhere, so that callers can spare themselves
    /// finding out which ids to ask for. Costs a lock for each of a few shards.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let is_empty = |shard: &Shard<Id>| {
            let owners = shard.owners.lock();
            owners.unwrap_or_else(PoisonError::into_inner).is_empty()
        };
        self.inner.elsewhere.len() == 0 && self.inner.shards.iter().all(is_empty)
    }

    /// Asks what other machines are deleting now. Costs what their store's answer costs; nothing where this tracker is
    /// not shared.
    ///
    /// To be called every so often, for [`DeletionTracker::contains`] on hot paths, and before a write that must not go
    /// under a deletion that somebody else has begun.
    ///
    /// # Errors
    ///
    /// [`SharedError`] where they cannot be asked; what was known stays.
    pub fn refresh(&self) -> Result<(), SharedError> {
        let inner = &self.inner;
        let Some(shared) = &inner.shared else {
            return Ok(());
        };
        let _asking = inner.elsewhere.asking.lock();
        let ids = shared.elsewhere()?;
        inner
            .elsewhere
            .replace(ids.into_iter().collect(), &inner.filter);
        Ok(())
    }

    /// As [`DeletionTracker::contains`], for work that is left out where it answers true: that is counted.
    #[must_use]
    pub fn must_skip(&self, id: Id) -> bool {
        let is_deleting = self.contains(id);
        if is_deleting {
            self.inner.n_skipped.fetch_add(1, Ordering::Relaxed);
        }
        is_deleting
    }

    /// Removes stale deletions, each logged with its age; in a dry run only lists them. O(tracked).
    #[expect(
        clippy::must_use_candidate,
        reason = "done for its effect; the report may go unread"
    )]
    pub fn sweep(&self, is_dry_run: bool) -> Sweep<Id> {
        self.inner.sweep(is_dry_run)
    }

    /// Sweeps if the last sweep is `deletion.cleanup_interval` ago.
    #[expect(
        clippy::must_use_candidate,
        reason = "done for its effect; the report may go unread"
    )]
    pub fn sweep_if_due(&self) -> Option<Sweep<Id>> {
        let inner = &self.inner;
        let since = inner
            .now()
            .saturating_sub(inner.swept_ns.load(Ordering::Relaxed));
        (since >= nanos(inner.cleanup_interval)).then(|| self.sweep(false))
    }

    /// Time between two sweeps of the janitor.
    #[must_use]
    pub fn cleanup_interval(&self) -> Duration {
        self.inner.cleanup_interval
    }

    /// Changes the age from which a deletion is stale, at once.
    pub fn set_stale_after(&self, stale_after: Duration) {
        let ns = nanos(stale_after);
        self.inner.stale_after_ns.store(ns, Ordering::Relaxed);
    }

    /// The tracker's figures now. O(tracked).
    #[must_use]
    pub fn stats(&self) -> DeletionStats {
        self.inner.stats()
    }
}

impl<Id: DeletionId> Inner<Id> {
    fn now(&self) -> u64 {
        nanos(self.clock.elapsed())
    }

    fn lock(&self, hash: u64) -> MutexGuard<'_, Owners<Id>> {
        let index = usize::try_from(hash >> 32).unwrap_or(0) % SHARDS;
        let owners = self.shards[index].owners.lock();
        owners.unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stale(&self, owner: &Owner, now: u64) -> bool {
        now.saturating_sub(owner.since_ns) >= self.stale_after_ns.load(Ordering::Relaxed)
    }

    #[cold]
    fn is_tracked(&self, id: Id, hash: u64) -> bool {
        let owners = self.lock(hash);
        let now = self.now();
        let is_fresh = |owners: &Vec<Owner>| owners.iter().any(|owner| !self.is_stale(owner, now));
        if owners.get(&id).is_some_and(is_fresh) {
            return true;
        }
        drop(owners);
        self.elsewhere.contains(id)
    }

    /// Tells other machines of a deletion that is tracked here.
    fn share(&self, id: Id, token: u64) -> Result<(), SharedError> {
        let Some(shared) = &self.shared else {
            return Ok(());
        };
        shared.begin(id)?;
        let mut owners = self.lock(IdHasher::of(id));
        let owners_of_id = owners.get_mut(&id).into_iter().flatten();
        let mut own = owners_of_id.filter(|owner| owner.token == token);
        let is_held = own.next().map(|owner| owner.is_shared = true).is_some();
        drop(owners);
        // It may have been swept meanwhile.
        if is_held { Ok(()) } else { shared.release(id) }
    }

    /// Tells other machines of the end of a deletion that they were told of.
    fn unshare(&self, id: Id) {
        if let Some(shared) = &self.shared {
            self.note(shared.release(id));
        }
    }

    pub(crate) fn renew(&self, id: Id, token: u64) {
        let hash = IdHasher::of(id);
        let since_ns = self.now();
        // Counted before it is tracked, and uncounted below if it was tracked all along.
        self.filter.add(hash);
        let mut owners = self.lock(hash);
        let owners_of_id = owners.entry(id).or_default();
        let known = owners_of_id.iter_mut().find(|owner| owner.token == token);
        let was_known = known.is_some();
        match known {
            Some(owner) => owner.since_ns = since_ns,
            None => owners_of_id.push(Owner {
                token,
                since_ns,
                is_shared: false,
            }),
        }
        drop(owners);
        if was_known {
            self.filter.remove(hash);
        } else {
            self.note(self.share(id, token));
        }
    }

    /// Lets go of one deletion; of none where it was swept.
    pub(crate) fn finish(&self, id: Id, token: u64) {
        let hash = IdHasher::of(id);
        let mut owners = self.lock(hash);
        let mut ended = None;
        if let Some(owners_of_id) = owners.get_mut(&id) {
            let index = owners_of_id.iter().position(|owner| owner.token == token);
            ended = index.map(|index| owners_of_id.swap_remove(index));
            if owners_of_id.is_empty() {
                owners.remove(&id);
            }
        }
        drop(owners);
        self.n_finished.fetch_add(1, Ordering::Relaxed);
        if let Some(owner) = ended {
            self.filter.remove(hash);
            if owner.is_shared {
                self.unshare(id);
            }
        }
    }

    fn note(&self, told: Result<(), SharedError>) {
        if let Err(error) = told {
            self.n_shared_failures.fetch_add(1, Ordering::Relaxed);
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "a deletion could not be shared with other machines");
        }
    }

    fn sweep(&self, is_dry_run: bool) -> Sweep<Id> {
        let now = self.now();
        let (mut stale, mut shared) = (Vec::new(), Vec::new());
        for shard in &self.shards {
            let mut owners = shard.owners.lock().unwrap_or_else(PoisonError::into_inner);
            owners.retain(|id, owners_of_id| {
                owners_of_id.retain(|owner| {
                    let is_stale = self.is_stale(owner, now);
                    if is_stale {
                        let age = Duration::from_nanos(now.saturating_sub(owner.since_ns));
                        stale.push(StaleDeletion { id: *id, age });
                        shared.extend(owner.is_shared.then_some(*id));
                    }
                    !is_stale || is_dry_run
                });
                !owners_of_id.is_empty()
            });
        }
        stale.sort_by(|left, right| (left.id, right.age).cmp(&(right.id, left.age)));
        if !is_dry_run {
            for swept in &stale {
                self.filter.remove(IdHasher::of(swept.id));
                tracing::warn!(id = ?swept.id, age_s = swept.age.as_secs(), "a stale deletion was swept");
            }
            self.n_swept
                .fetch_add(stale.len() as u64, Ordering::Relaxed);
            self.swept_ns
                .store(now.saturating_add(1), Ordering::Relaxed);
            shared.into_iter().for_each(|id| self.unshare(id));
        }
        Sweep { stale, is_dry_run }
    }

    fn stats(&self) -> DeletionStats {
        let now = self.now();
        let (mut n_active, mut n_stale, mut oldest) = (0, 0, None::<u64>);
        for shard in &self.shards {
            let owners = shard.owners.lock().unwrap_or_else(PoisonError::into_inner);
            for owner in owners.values().flatten() {
                if self.is_stale(owner, now) {
                    n_stale += 1;
                } else {
                    n_active += 1;
                }
                oldest = Some(oldest.map_or(owner.since_ns, |oldest| oldest.min(owner.since_ns)));
            }
        }
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let swept = load(&self.swept_ns).checked_sub(1);
        DeletionStats {
            n_active,
            n_stale,
            oldest_age: oldest.map(|since| Duration::from_nanos(now.saturating_sub(since))),
            n_begun: load(&self.n_begun),
            n_finished: load(&self.n_finished),
            n_swept: load(&self.n_swept),
            n_skipped: load(&self.n_skipped),
            n_elsewhere: self.elsewhere.len() as u64,
            n_shared_failures: load(&self.n_shared_failures),
            last_sweep: swept.and_then(|swept| {
                let ago = Duration::from_nanos(now.saturating_sub(swept));
                self.clock.wall().checked_sub(ago)
            }),
            stale_after: Duration::from_nanos(load(&self.stale_after_ns)),
        }
    }
}

impl<Id: DeletionId> fmt::Debug for DeletionTracker<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeletionTracker")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// 584 years at most.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
