//! The cache itself: deadlines, accounts and statistics over a store.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rsr_base::ByteSize;

use crate::backend::{Bounds, Key, Standard, Store, Strict, Value};
use crate::breaker::Breaker;
use crate::builder::{CacheBuilder, IsNegative, KeyText};
use crate::counters::{Read, ReadCounters};
use crate::entry::{Lookup, NEVER, Nanos, Stored, deadline_after};
use crate::expiry::Expiry;
use crate::flight::Flights;
use crate::ghosts::Ghosts;
use crate::parameters::Parameters;
use crate::policy::Kind;
use crate::pool::Member;
use crate::removal::{Listener, RemovalCause};
use crate::stats::{CacheStats, Removals};
use crate::tags::TagIndex;
use crate::time::Time;
use crate::weigh::Weigher;

mod erased;
mod limits;
mod load;
mod sweep;
mod warm;
mod write;

pub use erased::{AnyCache, SharedCache};
pub(crate) use limits::Limits;
pub use load::LoadError;
pub use warm::{WarmEnd, Warmed};
pub use write::Put;

/// A bounded map from keys to values that forgets.
///
/// Cloning gives another handle on the same cache; every method may be called from any thread, async tasks among them.
/// Values are handed out as clones: put what is large or costly to clone into an [`Arc`].
pub struct Cache<K, V> {
    pub(crate) inner: Arc<Inner<K, V>>,
}

impl<K, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

pub(crate) struct Inner<K, V> {
    pub(crate) parameters: Parameters,
    /// The bounds of the moment; what they were at first is among the parameters.
    pub(crate) limits: Limits,
    pub(crate) store: Store<K, V>,
    pub(crate) time: Time,
    pub(crate) reads: ReadCounters,
    pub(crate) totals: Totals,
    pub(crate) expiry: Expiry,
    pub(crate) tags: TagIndex<K>,
    pub(crate) flights: Flights<K, V>,
    breaker: Option<Breaker<K>>,
    ghosts: Ghosts,
    weigher: Option<Arc<dyn Weigher<K, V>>>,
    listener: Option<Listener<K, V>>,
    is_negative: Option<IsNegative<V>>,
    key_text: Option<KeyText<K>>,
    /// The share in a registry's byte bound.
    pub(crate) member: OnceLock<Member>,
}

/// Accounts that writers keep.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) size: AtomicU64,
    /// Shared with the pools that the cache is in.
    pub(crate) bytes: Arc<AtomicU64>,
    pub(crate) n_inserts: AtomicU64,
    pub(crate) n_rejected: AtomicU64,
    pub(crate) removed: [AtomicU64; RemovalCause::ALL.len()],
    pub(crate) bytes_reclaimed: AtomicU64,
    pub(crate) n_listener_panics: AtomicU64,
    pub(crate) n_loads: AtomicU64,
    pub(crate) n_load_failures: AtomicU64,
    pub(crate) n_loads_refused: AtomicU64,
    pub(crate) n_loads_shared: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl<K: Key, V: Value> Cache<K, V> {
    /// Starts the making of a cache. Any name will do; in a registry it must be the only one.
    pub fn builder(name: impl Into<String>) -> CacheBuilder<K, V> {
        CacheBuilder::new(name.into())
    }

    pub(crate) fn new(builder: CacheBuilder<K, V>) -> Self {
        let parameters = builder.parameters;
        let bounds = Bounds {
            max_entries: parameters.max_entries,
            max_bytes: parameters.max_bytes.map(ByteSize::bytes),
        };
        let store = match parameters.kind() {
            Kind::Strict | Kind::Chosen => Store::Strict(Strict::new(bounds)),
            Kind::Deferred => Store::Standard(Standard::new(bounds, parameters.policy)),
            #[cfg(feature = "fast")]
            Kind::Fast => Store::Fast(Box::new(crate::backend::Fast::new(bounds))),
        };
        Self {
            inner: Arc::new(Inner {
                expiry: Expiry::new(parameters.ttl),
                limits: Limits::new(&parameters),
                breaker: parameters
                    .breaker
                    .map(|(n_failures, open_for)| Breaker::new(n_failures, open_for)),
                flights: Flights::new(),
                ghosts: Ghosts::default(),
                parameters,
                store,
                time: builder.time,
                reads: ReadCounters::default(),
                totals: Totals::default(),
                tags: TagIndex::default(),
                weigher: builder.weigher,
                listener: builder.listener,
                is_negative: builder.is_negative,
                key_text: builder.key_text,
                member: OnceLock::new(),
            }),
        }
    }

    /// The cache's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.parameters.name
    }

    /// What the cache was asked to be. Bounds that were changed since are in [`Cache::stats`].
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.inner.parameters
    }

    /// Which store holds the entries: `strict`, `default` or `fast`.
    #[must_use]
    pub fn store_name(&self) -> &'static str {
        self.inner.store.name()
    }

    /// Looks a key up, counts it, and tells the four possible answers apart.
    #[inline]
    pub fn lookup<Q>(&self, key: &Q) -> Lookup<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.inner.lookup(key)
    }

    /// The valid value of a key, negative ones included; counted as [`Cache::lookup`].
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.inner.lookup(key).fresh()
    }

    /// True where a valid value is stored. Counts nothing, and is no use of the entry in the order of use.
    pub fn contains<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let now = self.inner.time.now();
        let stored = self.inner.store.peek(key);
        stored.is_some_and(|stored| self.inner.is_fresh(&stored, now))
    }

    /// Entries held now, expired ones that are not yet swept among them. O(1).
    #[must_use]
    pub fn len(&self) -> u64 {
        self.inner.totals.size.load(Ordering::Relaxed)
    }

    /// True where nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cache's figures now. O(1), and waits for no writer.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.inner.stats()
    }
}

impl<K: Key, V: Value> Inner<K, V> {
    #[inline]
    pub(crate) fn is_fresh(&self, stored: &Stored<V>, now: Nanos) -> bool {
        let deadline = stored.stamp.deadline();
        now < deadline || deadline == NEVER
    }

    /// True where a value can no longer be served at all.
    pub(crate) fn is_dead(&self, stored: &Stored<V>, now: Nanos) -> bool {
        !self.is_fresh(stored, now)
            && now >= deadline_after(stored.stamp.deadline(), Some(self.parameters.stale_for))
    }

    #[inline]
    pub(crate) fn lookup<Q>(&self, key: &Q) -> Lookup<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let found = self.store.get(key);
        if self.store.has_left() {
            self.collect();
        }
        match found {
            Some(stored) if self.is_fresh(&stored, self.time.now()) => {
                if stored.stamp.is_negative() {
                    self.reads.add(Read::Negative);
                    Lookup::Negative(stored.value)
                } else {
                    self.reads.add(Read::Hit);
                    Lookup::Hit(stored.value)
                }
            }
            found => self.lookup_late(key, found),
        }
    }

    /// The rest of a lookup, where no valid value was found.
    #[cold]
    fn lookup_late<Q>(&self, key: &Q, found: Option<Stored<V>>) -> Lookup<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let now = self.time.now();
        match found {
            Some(stored) if !self.is_dead(&stored, now) => {
                self.reads.add(Read::Stale);
                return Lookup::Stale(stored.value);
            }
            Some(stored) => {
                drop(stored);
                self.remove_dead(key, now);
            }
            None => self.ghosts.missed(key),
        }
        self.reads.add(Read::Miss);
        Lookup::Miss
    }

    fn stats(&self) -> CacheStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let totals = &self.totals;
        let reads = self.reads.sum();
        let now = self.time.now();
        let stale_for = u64::try_from(self.parameters.stale_for.as_nanos()).unwrap_or(NEVER);
        let n_late = self.expiry.expired(now);
        let n_dead = now
            .checked_sub(stale_for)
            .map_or(0, |then| self.expiry.expired(then));
        let size = load(&totals.size);
        let max_size = self.limits.max_entries();
        let [n_expired, n_size, n_bytes, n_explicit, n_replaced] =
            RemovalCause::ALL.map(|cause| load(&totals.removed[cause as usize]));
        CacheStats {
            name: self.parameters.name.clone(),
            size,
            max_size,
            bytes: ByteSize::from_bytes(load(&totals.bytes)),
            max_bytes: self.parameters.max_bytes,
            expired_entries: n_dead.min(size),
            stale_entries: n_late.saturating_sub(n_dead).min(size),
            ttl: self.limits.ttl(),
            n_hits: reads.n_hits + reads.n_negative,
            n_negative_hits: reads.n_negative,
            n_stale_hits: reads.n_stale,
            n_misses: reads.n_misses,
            n_loads: load(&totals.n_loads),
            n_load_failures: load(&totals.n_load_failures),
            n_loads_refused: load(&totals.n_loads_refused),
            n_loads_shared: load(&totals.n_loads_shared),
            n_inserts: load(&totals.n_inserts),
            n_rejected: load(&totals.n_rejected),
            removed: Removals {
                n_expired,
                n_size,
                n_bytes,
                n_explicit,
                n_replaced,
            },
            bytes_reclaimed: ByteSize::from_bytes(load(&totals.bytes_reclaimed)),
            n_listener_panics: load(&totals.n_listener_panics),
            recommended_size: self.ghosts.recommended(max_size),
        }
    }
}

impl<K: Key, V: Value> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("parameters", &self.inner.parameters)
            .field("size", &self.len())
            .finish_non_exhaustive()
    }
}
