//! What a cache tells about itself.

use std::time::Duration;

use rsr_base::ByteSize;

use crate::removal::RemovalCause;

/// One cache at one moment.
///
/// Taking it costs the same whatever the cache holds, and waits for no writer. The counters are each exact; they are
/// read one after the other, so while others write they need not add up to the last entry.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CacheStats {
    /// The cache's name.
    pub name: String,
    /// Entries held now, expired ones that are not yet swept among them.
    pub size: u64,
    /// Most entries it may hold.
    pub max_size: u64,
    /// Bytes held now, by the cache's weigher; without one, the plain size of key and value.
    pub bytes: ByteSize,
    /// Most bytes it may hold, where it has such a bound of its own.
    pub max_bytes: Option<ByteSize>,
    /// Entries that can no longer be served and wait for the next sweep.
    pub expired_entries: u64,
    /// Entries past their time to live that can still be served stale.
    pub stale_entries: u64,
    /// Time an entry lives; `None` where it does not expire.
    pub ttl: Option<Duration>,
    /// Lookups answered with a valid value, negative ones among them.
    pub n_hits: u64,
    /// Lookups of [`CacheStats::n_hits`] whose value stands for "nothing" or for a failure.
    pub n_negative_hits: u64,
    /// Lookups answered with a stale value; counted neither as hit nor as miss.
    pub n_stale_hits: u64,
    /// Lookups that found nothing valid.
    pub n_misses: u64,
    /// Loaders that ran.
    pub n_loads: u64,
    /// Loaders that failed or panicked.
    pub n_load_failures: u64,
    /// Loads refused at once because the loader of that key had failed too often.
    pub n_loads_refused: u64,
    /// Callers that waited for the load of another instead of loading themselves.
    pub n_loads_shared: u64,
    /// Entries written.
    pub n_inserts: u64,
    /// Entries not kept because one alone was larger than the bound.
    pub n_rejected: u64,
    /// Entries that left, by cause.
    pub removed: Removals,
    /// Bytes given back because memory was short.
    pub bytes_reclaimed: ByteSize,
    /// Removal listeners that panicked; the panic was caught.
    pub n_listener_panics: u64,
    /// Entries that would have kept what was evicted and soon wanted again, from a sample; `None` before there is one.
    pub recommended_size: Option<u64>,
}

impl CacheStats {
    /// Entries held as a percentage of the bound; 0 for a bound of none.
    #[must_use]
    pub fn utilization_percent(&self) -> f64 {
        percent(self.size, self.max_size)
    }

    /// Hits as a share of hits and misses; `None` before the first lookup.
    #[must_use]
    pub fn hit_ratio(&self) -> Option<f64> {
        let lookups = self.n_lookups();
        (lookups > 0).then(|| ratio(self.n_hits, lookups))
    }

    /// Hits and misses together.
    #[must_use]
    pub fn n_lookups(&self) -> u64 {
        self.n_hits.saturating_add(self.n_misses)
    }

    /// Whole and broken seconds an entry lives; `None` where it does not expire.
    #[must_use]
    pub fn ttl_seconds(&self) -> Option<f64> {
        self.ttl.map(|ttl| ttl.as_secs_f64())
    }
}

/// Entries that left, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removals {
    /// Their time was over.
    pub n_expired: u64,
    /// Too many entries.
    pub n_size: u64,
    /// Too many bytes, or memory was short.
    pub n_bytes: u64,
    /// Removed by somebody.
    pub n_explicit: u64,
    /// A new value took their place.
    pub n_replaced: u64,
}

impl Removals {
    /// How many left for this cause.
    #[must_use]
    pub fn of(&self, cause: RemovalCause) -> u64 {
        match cause {
            RemovalCause::Expired => self.n_expired,
            RemovalCause::Size => self.n_size,
            RemovalCause::Bytes => self.n_bytes,
            RemovalCause::Explicit => self.n_explicit,
            RemovalCause::Replaced => self.n_replaced,
        }
    }
}

/// Totals over all caches of a registry.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct GlobalStats {
    /// Caches registered.
    pub total_caches: u64,
    /// Entries of all caches.
    pub total_entries: u64,
    /// Entries that all caches may hold.
    pub total_max_entries: u64,
    /// Bytes of all caches.
    pub total_bytes: ByteSize,
    /// Most bytes of all caches together, where that is bounded.
    pub max_bytes: Option<ByteSize>,
}

impl GlobalStats {
    /// Entries held as a percentage of what all caches may hold; 0 for a bound of none.
    #[must_use]
    pub fn global_utilization_percent(&self) -> f64 {
        percent(self.total_entries, self.total_max_entries)
    }
}

/// Keys that a [`CleanupSummary`] names at most.
pub(crate) const KEYS_SHOWN_MAX: usize = 100;

/// What a sweep of expired entries, or the removal of all, did, or in a dry run would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CleanupSummary {
    /// Entries removed; in a dry run, entries that would be.
    pub n_removed: u64,
    /// Their bytes.
    pub bytes: ByteSize,
    /// True where nothing was removed on purpose.
    pub is_dry_run: bool,
    /// The first hundred keys, in no particular order, as [`CacheBuilder::show_keys`](crate::CacheBuilder::show_keys)
    /// makes text of them; none in a sum over caches.
    pub keys: Vec<String>,
}

/// A sweep with the keys it met.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cleanup<K> {
    /// The keys of expired entries, in no particular order.
    pub keys: Vec<K>,
    /// Their bytes.
    pub bytes: ByteSize,
    /// True where nothing was removed on purpose.
    pub is_dry_run: bool,
}

pub(crate) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        100.0 * ratio(part, whole)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio for people; 53 bits are enough"
)]
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
