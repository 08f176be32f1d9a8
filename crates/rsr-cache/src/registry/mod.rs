//! All caches of a service under their names.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rsr_base::{ByteSize, CoarseClock, MemoryBudget, Reclaim, SharedClock};
use rsr_settings::CacheSettings;

use crate::backend::{Key, Value};
use crate::builder::{BuildError, CacheBuilder};
use crate::cache::{AnyCache, Cache, SharedCache};
use crate::parameters::{Follows, Parameters};
use crate::pool::{Pool, UNBOUNDED};
use crate::stats::{CacheStats, CleanupSummary, GlobalStats};
use crate::time::Time;

mod janitor;
mod monitor;

pub use janitor::Janitor;
pub use monitor::{Finding, MonitorReport, Severity};

/// Caches by name, with one bound of bytes over all of them.
///
/// Cloning gives another handle on the same registry.
#[derive(Clone)]
pub struct CacheRegistry {
    shared: Arc<Shared>,
}

struct Shared {
    defaults: CacheSettings,
    /// Bounds that were changed since.
    current: Mutex<CacheSettings>,
    time: Time,
    caches: Mutex<BTreeMap<String, SharedCache>>,
    pool: Arc<Pool>,
    /// When the last sweep by the clock began.
    swept_ns: AtomicU64,
}

/// Why a registry has no such cache to give.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The name is taken by a cache that was asked to be something else.
    #[error("cache {name:?} exists as {existing}, and was asked for as {requested}")]
    Mismatch {
        /// The name.
        name: String,
        /// What the existing cache was asked to be.
        existing: Box<Parameters>,
        /// What was asked for now.
        requested: Box<Parameters>,
    },
    /// The cache of this name holds other types.
    #[error("cache {name:?} holds {existing}, not {requested}")]
    Types {
        /// The name.
        name: String,
        /// Key and value of the existing cache.
        existing: String,
        /// Key and value asked for.
        requested: String,
    },
    /// There is no cache of this name.
    #[error("no cache is named {name:?}; known are {known:?}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are, in order.
        known: Vec<String>,
    },
    /// The cache cannot be made as asked.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// What an operation on all caches did to each, and the sum.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ForAll<T> {
    /// The outcome by cache name; an error where user code of that cache panicked.
    pub caches: BTreeMap<String, Result<T, CachePanicked>>,
    /// The sum over those that succeeded.
    pub total: T,
}

/// User code of a cache, such as a value's `Drop`, panicked during an operation on all caches.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cache {name:?} panicked: {message}")]
#[non_exhaustive]
pub struct CachePanicked {
    /// The cache's name.
    pub name: String,
    /// What the panic said.
    pub message: String,
}

/// The figures of all caches and of all together.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AllStats {
    /// By cache name. A cache may have any name, `_global` too: the totals are no entry of this.
    pub caches: BTreeMap<String, CacheStats>,
    /// Over all caches.
    pub global: GlobalStats,
}

impl CacheRegistry {
    /// An empty registry. Caches made through [`CacheRegistry::builder`] take bounds and times from these settings.
    #[must_use]
    pub fn new(settings: CacheSettings) -> Self {
        Self::with_time(settings, Time::Coarse(CoarseClock::new()))
    }

    /// An empty registry whose caches and janitor take the time from this clock.
    #[must_use]
    pub fn with_clock(settings: CacheSettings, clock: SharedClock) -> Self {
        Self::with_time(settings, Time::Given(clock))
    }

    fn with_time(settings: CacheSettings, time: Time) -> Self {
        let limit = settings.max_bytes.map_or(UNBOUNDED, ByteSize::bytes);
        Self {
            shared: Arc::new(Shared {
                current: Mutex::new(settings.clone()),
                defaults: settings,
                caches: Mutex::new(BTreeMap::new()),
                swept_ns: AtomicU64::new(time.now()),
                pool: Pool::new(limit),
                time,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, SharedCache>> {
        self.shared
            .caches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> CacheSettings {
        let current = self.shared.current.lock();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts the making of a cache with this registry's time to live, size and clock; pass it to
    /// [`CacheRegistry::get_or_create`].
    pub fn builder<K: Key, V: Value>(&self, name: impl Into<String>) -> CacheBuilder<K, V> {
        let mut builder = Cache::builder(name)
            .ttl(self.shared.defaults.ttl)
            .max_entries(self.shared.defaults.max_size as u64);
        builder.parameters.follows = Follows {
            max_entries: true,
            ttl: true,
        };
        builder.time = self.shared.time.clone();
        builder
    }

    /// The cache of this name, made now if there is none.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Mismatch`] where the name is taken by a cache of other parameters or types;
    /// [`RegistryError::Build`] where it cannot be made.
    pub fn get_or_create<K: Key, V: Value>(
        &self,
        builder: CacheBuilder<K, V>,
    ) -> Result<Cache<K, V>, RegistryError> {
        let mut caches = self.lock();
        if let Some(existing) = caches.get(builder.parameters.name()) {
            return agreed(existing, &builder.parameters);
        }
        let cache = builder.build()?;
        let shared: SharedCache = Arc::new(cache.clone());
        if !shared.follow(&self.current()) {
            tracing::warn!(
                cache = cache.name(),
                "a new cache has the size of the start: its store cannot change it"
            );
        }
        caches.insert(cache.name().to_owned(), Arc::clone(&shared));
        drop(caches);
        self.shared.pool.join(&shared);
        Ok(cache)
    }

    /// Takes in a cache that was made elsewhere, such as that of a cached function. Taking in the same one again
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Mismatch`] where another cache has the name.
    pub fn adopt<K: Key, V: Value>(&self, cache: &Cache<K, V>) -> Result<(), RegistryError> {
        let mut caches = self.lock();
        if let Some(existing) = caches.get(cache.name()) {
            let known = agreed::<K, V>(existing, cache.parameters())?;
            return if Arc::ptr_eq(&known.inner, &cache.inner) {
                Ok(())
            } else {
                Err(mismatch(existing.parameters(), cache.parameters()))
            };
        }
        let shared: SharedCache = Arc::new(cache.clone());
        caches.insert(cache.name().to_owned(), Arc::clone(&shared));
        drop(caches);
        self.shared.pool.join(&shared);
        Ok(())
    }

    /// The existing cache of this name, with its types.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Unknown`] with the known names, [`RegistryError::Types`] where it holds others.
    pub fn get<K: Key, V: Value>(&self, name: &str) -> Result<Cache<K, V>, RegistryError> {
        let any = self.get_any(name)?;
        typed(&any).ok_or_else(|| {
            let pair = |(key, value): (&str, &str)| format!("<{key}, {value}>");
            RegistryError::Types {
                name: name.to_owned(),
                existing: pair(any.parameters().type_names),
                requested: pair((std::any::type_name::<K>(), std::any::type_name::<V>())),
            }
        })
    }

    /// The existing cache of this name, whatever it holds.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Unknown`] with the known names.
    pub fn get_any(&self, name: &str) -> Result<SharedCache, RegistryError> {
        let caches = self.lock();
        caches
            .get(name)
            .cloned()
            .ok_or_else(|| RegistryError::Unknown {
                name: name.to_owned(),
                known: caches.keys().cloned().collect(),
            })
    }

    /// Every cache, by name.
    #[must_use]
    pub fn all(&self) -> Vec<SharedCache> {
        self.lock().values().cloned().collect()
    }

    /// The names, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// The figures of all caches, and of all together. O(caches).
    #[must_use]
    pub fn stats_all(&self) -> AllStats {
        let caches: BTreeMap<_, _> = self
            .all()
            .iter()
            .map(|cache| cache.stats())
            .map(|stats| (stats.name.clone(), stats))
            .collect();
        let mut global = GlobalStats {
            total_caches: caches.len() as u64,
            max_bytes: self.shared.pool.limit().map(ByteSize::from_bytes),
            ..GlobalStats::default()
        };
        for stats in caches.values() {
            global.total_entries += stats.size;
            global.total_max_entries = global.total_max_entries.saturating_add(stats.max_size);
            global.total_bytes = global.total_bytes + stats.bytes;
        }
        AllStats { caches, global }
    }

    /// Removes what is expired from every cache; in a dry run counts it.
    #[expect(
        clippy::must_use_candidate,
        reason = "done for its effect; the report may go unread"
    )]
    pub fn cleanup_all(&self, is_dry_run: bool) -> ForAll<CleanupSummary> {
        self.sum_up(is_dry_run, |cache| cache.cleanup(is_dry_run))
    }

    /// Sweeps all caches if the last sweep of this kind is `cache.cleanup_interval` ago.
    #[expect(
        clippy::must_use_candidate,
        reason = "done for its effect; the report may go unread"
    )]
    pub fn cleanup_if_due(&self) -> Option<ForAll<CleanupSummary>> {
        let now = self.shared.time.now();
        let last = self.shared.swept_ns.load(Ordering::Relaxed);
        let interval = u64::try_from(self.cleanup_interval().as_nanos()).unwrap_or(u64::MAX);
        if now.saturating_sub(last) < interval {
            return None;
        }
        self.shared.swept_ns.store(now, Ordering::Relaxed);
        Some(self.cleanup_all(false))
    }

    /// Removes everything from every cache; in a dry run counts it.
    #[expect(
        clippy::must_use_candidate,
        reason = "done for its effect; the report may go unread"
    )]
    pub fn clear_all(&self, is_dry_run: bool) -> ForAll<CleanupSummary> {
        self.sum_up(is_dry_run, |cache| cache.clear(is_dry_run))
    }

    /// Removes from every cache what carries this tag; counts the entries.
    #[expect(
        clippy::must_use_candidate,
        reason = "done for its effect; the report may go unread"
    )]
    pub fn invalidate_tag(&self, tag: &str) -> ForAll<u64> {
        self.for_all(
            0,
            |cache| cache.invalidate_tag(tag),
            |total, one| *total += one,
        )
    }

    /// Changes the bound of bytes over all caches, at once: what is over is evicted before this returns.
    pub fn set_max_bytes(&self, max_bytes: Option<ByteSize>) {
        let limit = max_bytes.map_or(UNBOUNDED, ByteSize::bytes);
        self.shared.pool.set_limit(limit);
    }

    /// Reserves what the caches hold from this budget from now on, half a MiB ahead. Where it has no more to give, entries
    /// are evicted instead. The first budget stays.
    pub fn reserve_from(&self, budget: &MemoryBudget) {
        self.shared.pool.reserve_from(budget);
    }

    /// Gives back what is reserved and not held any more. Writes do so by themselves; removals do not.
    pub fn settle(&self) {
        self.shared.pool.settle();
    }

    /// Time between two sweeps, as the settings say.
    #[must_use]
    pub fn cleanup_interval(&self) -> Duration {
        self.current().cleanup_interval
    }

    /// Takes over bounds that were changed: those of all caches together, and the size and time to live of each cache
    /// that was made with this registry's own. Answers the names of caches whose store cannot change its size; they
    /// keep what they have.
    ///
    /// Requests for a cache by its parameters go on to mean those that this registry was made with.
    #[must_use = "not every cache can follow"]
    pub fn follow(&self, settings: &CacheSettings) -> Vec<String> {
        if self.shared.pool.limit() != settings.max_bytes.map(ByteSize::bytes) {
            self.set_max_bytes(settings.max_bytes);
        }
        // Set before the caches are listed: one that is made meanwhile finds them here.
        *self
            .shared
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = settings.clone();
        let mut caches = self.all();
        caches.retain(|cache| !cache.follow(settings));
        caches
            .iter()
            .map(|cache| cache.parameters().name().to_owned())
            .collect()
    }

    fn sum_up(
        &self,
        is_dry_run: bool,
        work: impl Fn(&dyn AnyCache) -> CleanupSummary,
    ) -> ForAll<CleanupSummary> {
        let start = CleanupSummary {
            is_dry_run,
            ..CleanupSummary::default()
        };
        self.for_all(start, work, |total, one| {
            total.n_removed += one.n_removed;
            total.bytes = total.bytes + one.bytes;
        })
    }

    fn for_all<T>(
        &self,
        mut total: T,
        work: impl Fn(&dyn AnyCache) -> T,
        add: impl Fn(&mut T, &T),
    ) -> ForAll<T> {
        let mut caches = BTreeMap::new();
        for cache in self.all() {
            let name = cache.parameters().name().to_owned();
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&*cache)));
            let outcome = outcome.map_err(|panic| CachePanicked {
                name: name.clone(),
                message: crate::panics::message(&*panic),
            });
            if let Ok(one) = &outcome {
                add(&mut total, one);
            }
            caches.insert(name, outcome);
        }
        ForAll { caches, total }
    }
}

fn typed<K: Key, V: Value>(cache: &SharedCache) -> Option<Cache<K, V>> {
    cache.as_any().downcast_ref::<Cache<K, V>>().cloned()
}

fn mismatch(existing: &Parameters, requested: &Parameters) -> RegistryError {
    RegistryError::Mismatch {
        name: requested.name().to_owned(),
        existing: Box::new(existing.clone()),
        requested: Box::new(requested.clone()),
    }
}

fn agreed<K: Key, V: Value>(
    existing: &SharedCache,
    requested: &Parameters,
) -> Result<Cache<K, V>, RegistryError> {
    if existing.parameters() == requested
        && let Some(cache) = typed(existing)
    {
        return Ok(cache);
    }
    Err(mismatch(existing.parameters(), requested))
}

/// Each cache gives in turn, the one that holds most first.
impl Reclaim for CacheRegistry {
    fn name(&self) -> &str {
        "caches"
    }

    fn held(&self) -> ByteSize {
        let held = |cache: &SharedCache| cache.held();
        self.all()
            .iter()
            .map(held)
            .fold(ByteSize::ZERO, |sum, one| sum + one)
    }

    fn reclaim(&self, wanted: ByteSize) -> ByteSize {
        let mut caches = self.all();
        caches.sort_by_key(|cache| std::cmp::Reverse(cache.held()));
        let mut given = ByteSize::ZERO;
        for cache in caches {
            if given >= wanted {
                break;
            }
            given = given + cache.reclaim(wanted - given);
        }
        given
    }
}

impl fmt::Debug for CacheRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheRegistry")
            .field("names", &self.names())
            .finish_non_exhaustive()
    }
}
