//! A cache whose key and value types are forgotten, for the registry.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rsr_base::Reclaim;
use rsr_settings::CacheSettings;

use super::Cache;
use crate::backend::{Key, Value};
use crate::parameters::Parameters;
use crate::pool::Member;
use crate::stats::{CacheStats, CleanupSummary};

/// What only the registry and its pool ask of a cache.
#[expect(unnameable_types, reason = "it seals `AnyCache`")]
pub trait Sealed {
    fn as_any(&self) -> &dyn Any;
    fn join_pool(&self, member: Member);
    /// The count of the bytes held, which goes on while others write.
    fn bytes_held(&self) -> Arc<AtomicU64>;
    fn give_back(&self, wanted: u64) -> u64;
    /// Takes over the bounds that came from the registry's settings; answers whether all could be.
    fn follow(&self, settings: &CacheSettings) -> bool;
}

/// What can be done with any cache, whatever it holds. Implemented by [`Cache`] alone.
pub trait AnyCache: Reclaim + Sealed + 'static {
    /// The figures now, as [`Cache::stats`].
    fn stats(&self) -> CacheStats;

    /// Removes what is expired, as [`Cache::cleanup`]; in a dry run only counts it.
    fn cleanup(&self, is_dry_run: bool) -> CleanupSummary;

    /// Removes everything, as [`Cache::clear`]; in a dry run only counts it.
    fn clear(&self, is_dry_run: bool) -> CleanupSummary;

    /// Removes what carries this tag, as [`Cache::invalidate_tag`].
    fn invalidate_tag(&self, tag: &str) -> u64;

    /// What the cache was asked to be.
    fn parameters(&self) -> &Parameters;
}

impl<K: Key, V: Value> AnyCache for Cache<K, V> {
    fn stats(&self) -> CacheStats {
        self.stats()
    }

    fn cleanup(&self, is_dry_run: bool) -> CleanupSummary {
        self.inner.summary(&self.inner.cleanup(is_dry_run))
    }

    fn clear(&self, is_dry_run: bool) -> CleanupSummary {
        if is_dry_run {
            self.inner.clear_dry_run()
        } else {
            self.inner.clear()
        }
    }

    fn invalidate_tag(&self, tag: &str) -> u64 {
        self.invalidate_tag(tag)
    }

    fn parameters(&self) -> &Parameters {
        self.parameters()
    }
}

impl<K: Key, V: Value> Sealed for Cache<K, V> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn join_pool(&self, member: Member) {
        // A cache in two registries keeps the bound of the first with each write, that of the other when somebody else
        // there writes.
        self.inner.member.get_or_init(|| member);
    }

    fn bytes_held(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.inner.totals.bytes)
    }

    fn give_back(&self, wanted: u64) -> u64 {
        self.inner.give_back(wanted, 0)
    }

    fn follow(&self, settings: &CacheSettings) -> bool {
        let limits = &self.inner.limits;
        let follows = self.inner.parameters.follows;
        if follows.ttl && limits.ttl() != Some(settings.ttl) {
            self.set_ttl(Some(settings.ttl));
        }
        let max_entries = settings.max_size as u64;
        !follows.max_entries
            || limits.max_entries() == max_entries
            || self.set_max_entries(max_entries)
    }
}

/// A handle on a cache of any type.
pub type SharedCache = Arc<dyn AnyCache>;
