//! Making a cache.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rsr_base::{ByteSize, CoarseClock, SharedClock};

use crate::backend::{Key, STRICT_LIMIT, Value};
use crate::cache::Cache;
use crate::parameters::Parameters;
use crate::policy::{Kind, Policy, STRICT_ENTRIES_MAX};
use crate::removal::{Listener, RemovalCause};
use crate::time::Time;
use crate::weigh::{HeapSize, Weigher};

pub(crate) type IsNegative<V> = Arc<dyn Fn(&V) -> bool + Send + Sync>;
pub(crate) type KeyText<K> = Arc<dyn Fn(&K) -> String + Send + Sync>;

/// Collects what a cache is to be; [`CacheBuilder::build`] makes it.
///
/// ```
/// use std::time::Duration;
/// use rsr_base::ByteSize;
/// use rsr_cache::{Cache, Policy};
///
/// let titles: Cache<u64, String> = Cache::builder("titles")
///     .max_entries(50_000)
///     .max_bytes(ByteSize::from_mib(16))
///     .weigh_heap()
///     .ttl(Duration::from_secs(600))
///     .policy(Policy::TinyLfu)
///     .build()?;
/// titles.insert(42, "Clean water".to_owned());
/// # Ok::<(), rsr_cache::BuildError>(())
/// ```
#[must_use = "a builder makes nothing until it is built"]
pub struct CacheBuilder<K, V> {
    pub(crate) parameters: Parameters,
    pub(crate) weigher: Option<Arc<dyn Weigher<K, V>>>,
    pub(crate) listener: Option<Listener<K, V>>,
    pub(crate) is_negative: Option<IsNegative<V>>,
    pub(crate) key_text: Option<KeyText<K>>,
    pub(crate) time: Time,
}

/// Why a cache cannot be made as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Exactness is offered for the order of use alone.
    #[error("cache {name:?} cannot be strict with policy {policy}: strict caches are LRU")]
    StrictPolicy {
        /// The cache's name.
        name: String,
        /// The policy asked for.
        policy: Policy,
    },
    /// The sharded store has a policy of its own.
    #[error(
        "cache {name:?} cannot be fast with policy {policy}: fast caches have a policy of their own"
    )]
    FastPolicy {
        /// The cache's name.
        name: String,
        /// The policy asked for.
        policy: Policy,
    },
    /// A strict cache counts its entries in 32 bits.
    #[error("cache {name:?} cannot be strict with {max_entries} entries, the limit is {limit}")]
    StrictSize {
        /// The cache's name.
        name: String,
        /// Entries asked for.
        max_entries: u64,
        /// Most entries of a strict cache.
        limit: u64,
    },
}

impl<K: Key, V: Value> CacheBuilder<K, V> {
    pub(crate) fn new(name: String) -> Self {
        Self {
            parameters: Parameters::of::<K, V>(name),
            weigher: None,
            listener: None,
            is_negative: None,
            key_text: None,
            time: Time::Coarse(CoarseClock::new()),
        }
    }

    /// Most entries; 1,000 unless set. A cache of none keeps nothing.
    pub fn max_entries(mut self, max_entries: u64) -> Self {
        self.parameters.max_entries = max_entries;
        self.parameters.follows.max_entries = false;
        self
    }

    /// Most bytes, by the weigher; without one each entry counts the plain size of its key and value.
    pub fn max_bytes(mut self, max_bytes: ByteSize) -> Self {
        self.parameters.max_bytes = Some(max_bytes);
        self
    }

    /// How long an entry lives after it was written; for ever unless set. Reading does not extend it.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.parameters.ttl = Some(ttl);
        self.parameters.follows.ttl = false;
        self
    }

    /// Who goes first when the cache is full; [`Policy::Lru`] unless set.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.parameters.policy = policy;
        self
    }

    /// Size, bytes and order of use are exact after every write (true), or may lag by some housekeeping (false).
    ///
    /// LRU caches of up to [`STRICT_ENTRIES_MAX`] entries are strict unless told otherwise. A strict cache has one lock.
    pub fn strict(mut self, is_strict: bool) -> Self {
        self.parameters.kind = if is_strict {
            Kind::Strict
        } else {
            Kind::Deferred
        };
        self
    }

    /// Uses the sharded store: about seven times the lookups, a scan-resistant policy of its own, a fifth of the
    /// overhead in bytes. Values are cloned under a shard's read lock, so their `Clone` must be cheap.
    #[cfg(feature = "fast")]
    pub fn fast(mut self) -> Self {
        self.parameters.kind = Kind::Fast;
        self
    }

    /// Weighs entries. The weigher runs once for each write, before any lock is taken.
    pub fn weigher<W: Weigher<K, V> + 'static>(mut self, weigher: W) -> Self {
        self.parameters.weigher = Some(std::any::type_name::<W>());
        self.weigher = Some(Arc::new(weigher));
        self
    }

    /// Weighs entries by what key and value take themselves and on the heap.
    pub fn weigh_heap(self) -> Self
    where
        K: HeapSize,
        V: HeapSize,
    {
        self.weigher(|key: &K, value: &V| {
            let plain = size_of::<K>() + size_of::<V>();
            (plain + key.heap_bytes() + value.heap_bytes()) as u64
        })
    }

    /// Says which values stand for "there is nothing" or for a failure, and how long those live.
    ///
    /// ```
    /// use std::time::Duration;
    /// use rsr_cache::{Cache, Lookup};
    ///
    /// let parents: Cache<i64, Option<i64>> = Cache::builder("parents")
    ///     .ttl(Duration::from_secs(3600))
    ///     .negative(Option::is_none, Duration::from_secs(60))
    ///     .build()?;
    /// parents.insert(7, None);
    /// assert_eq!(parents.lookup(&7), Lookup::Negative(None));
    /// assert_eq!(parents.lookup(&8), Lookup::Miss);
    /// # Ok::<(), rsr_cache::BuildError>(())
    /// ```
    pub fn negative<F>(mut self, is_negative: F, ttl: Duration) -> Self
    where
        F: Fn(&V) -> bool + Send + Sync + 'static,
    {
        self.parameters.negative = Some((std::any::type_name::<F>(), ttl));
        self.is_negative = Some(Arc::new(is_negative));
        self
    }

    /// Serves a value for this long after its time is over, while one caller refreshes it.
    pub fn stale_for(mut self, stale_for: Duration) -> Self {
        self.parameters.stale_for = stale_for;
        self
    }

    /// Serves the stale value to the caller whose refresh failed, too.
    pub fn stale_if_error(mut self, is_served: bool) -> Self {
        self.parameters.stale_if_error = is_served;
        self
    }

    /// After this many failures of a key's loader in a row, loads of that key fail at once for a time; then one probe.
    pub fn circuit_breaker(mut self, n_failures: u32, open_for: Duration) -> Self {
        self.parameters.breaker = Some((n_failures.max(1), open_for));
        self
    }

    /// Entries that stay, whatever memory is asked back; a tenth of the bound unless set.
    pub fn floor(mut self, entries: u64) -> Self {
        self.parameters.floor = Some(entries);
        self
    }

    /// Is told of every entry that leaves, with the cause.
    ///
    /// It runs on the thread that caused the removal, after all locks are released, and may use the cache. A panic in it
    /// is caught and counted.
    pub fn on_removal<F>(mut self, listener: F) -> Self
    where
        F: Fn(&K, &V, RemovalCause) + Send + Sync + 'static,
    {
        self.parameters.listener = Some(std::any::type_name::<F>());
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Says how a key reads in reports for people, such as the dry run of a cleanup.
    ///
    /// Without it such reports count and name no keys.
    pub fn show_keys(mut self, text: impl Fn(&K) -> String + Send + Sync + 'static) -> Self {
        self.key_text = Some(Arc::new(text));
        self
    }

    /// Takes the time from this clock. Unless set it is a coarse one that steps every few milliseconds.
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.time = Time::Given(clock);
        self
    }

    /// Makes the cache. It takes memory as it fills.
    ///
    /// # Errors
    ///
    /// [`BuildError`] where the wishes exclude each other.
    pub fn build(self) -> Result<Cache<K, V>, BuildError> {
        self.parameters.check()?;
        Ok(Cache::new(self))
    }
}

impl<K, V> fmt::Debug for CacheBuilder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parameters.fmt(f)
    }
}

impl Parameters {
    /// The store these ask for.
    pub(crate) fn kind(&self) -> Kind {
        match self.kind {
            // The other stores round small bounds up.
            _ if self.max_entries == 0 => Kind::Strict,
            Kind::Chosen
                if self.policy == Policy::Lru && self.max_entries <= STRICT_ENTRIES_MAX =>
            {
                Kind::Strict
            }
            Kind::Chosen => Kind::Deferred,
            kind => kind,
        }
    }

    fn check(&self) -> Result<(), BuildError> {
        let (name, policy, max_entries) = (self.name.clone(), self.policy, self.max_entries);
        match self.kind {
            Kind::Strict if policy != Policy::Lru => Err(BuildError::StrictPolicy { name, policy }),
            Kind::Strict if max_entries > STRICT_LIMIT => Err(BuildError::StrictSize {
                name,
                max_entries,
                limit: STRICT_LIMIT,
            }),
            #[cfg(feature = "fast")]
            Kind::Fast if policy != Policy::Lru => Err(BuildError::FastPolicy { name, policy }),
            _ => Ok(()),
        }
    }
}
