//! Bounded, weighed, expiring caches with statistics, a registry and cached methods.
//!
//! What goes in is a key and a value, or a key and a way to compute the value; what comes out is a clone of the value;
//! what is held in between is never more than the cache was allowed, in entries and in bytes, and never longer than its
//! time. Every entry that leaves is counted by its cause. Sweeping, clearing and [`Reclaim`](rsr_base::Reclaim) have freed
//! the memory when they return, and so has any other call with the strict and the fast store; the default store lets go
//! of single values with its housekeeping, at a sweep at the latest, once no thread is in the middle of a read.
//!
//! ```
//! use std::time::Duration;
//! use rsr_cache::{CacheRegistry, Lookup};
//! use rsr_settings::CacheSettings;
//!
//! let registry = CacheRegistry::new(CacheSettings::default());
//! let builder = registry
//!     .builder::<u64, Option<String>>("titles")
//!     .weigh_heap()
//!     .negative(Option::is_none, Duration::from_secs(60))
//!     .stale_for(Duration::from_secs(10));
//! let titles = registry.get_or_create(builder)?;
//!
//! let from_database = |id: u64| Ok::<_, std::io::Error>((id == 7).then(|| "Clean water".to_owned()));
//! let title = titles.get_or_load(&7, || from_database(7))?;
//! assert_eq!(title.as_deref(), Some("Clean water"));
//! assert_eq!(titles.get_or_load(&8, || from_database(8))?, None);
//!
//! assert_eq!(titles.lookup(&8), Lookup::Negative(None));   // known to be nothing
//! assert_eq!(titles.lookup(&9), Lookup::Miss);             // not known
//! assert_eq!(titles.stats().n_loads, 2);
//! assert_eq!(registry.stats_all().global.total_entries, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Cache`] is one of three stores under one set of rules. **Strict**, up to [`STRICT_ENTRIES_MAX`] entries the
//! default: size, bytes and order of use are exact after every write. **Default**, above that: moka, LRU or TinyLFU,
//! whose bound may lag by some housekeeping. **Fast** (feature `fast`): quick_cache, sharded, with a policy of its own,
//! for the hottest caches. Deadlines, statistics, loading, tags and listeners are the same in all three.
//!
//! A service that reads its settings anew hands them to [`CacheRegistry::follow`]: the time to live of every cache that
//! took it from the settings changes at once, and so does the size of strict and most fast ones. moka cannot change its
//! bound; such caches are named in the answer.
//!
//! # Limits
//!
//! | bound | default | set by |
//! |---|---|---|
//! | entries of a cache | 1,000 | `cache.max_size`, [`CacheBuilder::max_entries`], [`Cache::set_max_entries`] |
//! | bytes of a cache | none | [`CacheBuilder::max_bytes`] |
//! | bytes of all caches together | none | `cache.max_bytes`, [`CacheRegistry::set_max_bytes`] |
//! | time an entry lives | 3600 s in a registry, else for ever | `cache.ttl`, [`CacheBuilder::ttl`], [`Cache::set_ttl`], [`Put::ttl`] |
//! | time between two sweeps | 300 s | `cache.cleanup_interval` |
//! | bytes of one entry | 4 GiB; a larger one is not kept | – |
//! | entries that stay under pressure | a tenth of the bound | [`CacheBuilder::floor`] |
//! | keys whose failures are remembered | 4,096 a cache | – |
//! | evicted keys that are followed for the recommended size | 1,024 a cache | – |
//! | keys named in a report | 100 a cache | – |
//! | fixed cost of a cache | some 6 KiB | – |
//!
//! # What it does not do
//!
//! It keeps nothing on disk and talks to no other machine. It has no global registry: a service makes its own. It starts
//! no thread but the [`Janitor`] it is asked for. It does not refresh a stale value behind the callers' backs: the first
//! of them does it, and the others are served meanwhile. While a store's lock is held no loader, listener, weigher or
//! destructor runs; a key's `Hash`, `Eq` and `Clone` do, and in the fast store a value's `Clone`.
#![forbid(unsafe_code)]

mod backend;
mod breaker;
mod builder;
mod cache;
mod counters;
mod entry;
mod expiry;
mod flight;
mod ghosts;
#[doc(hidden)]
pub mod macro_support;
mod panics;
mod parameters;
mod policy;
mod pool;
mod property;
mod registry;
mod removal;
mod stats;
mod sync;
mod tags;
mod time;
mod weigh;

pub use backend::{Key, Value};
pub use builder::{BuildError, CacheBuilder};
pub use cache::{AnyCache, Cache, LoadError, Put, SharedCache, WarmEnd, Warmed};
pub use entry::Lookup;
pub use parameters::Parameters;
pub use policy::{Policy, STRICT_ENTRIES_MAX};
pub use property::CachedProperty;
pub use registry::{
    AllStats, CachePanicked, CacheRegistry, Finding, ForAll, Janitor, MonitorReport, RegistryError,
    Severity,
};
pub use removal::RemovalCause;
pub use stats::{CacheStats, Cleanup, CleanupSummary, GlobalStats, Removals};
pub use weigh::{HeapSize, Weigher};

#[cfg(feature = "macros")]
#[doc = include_str!("docs/cached.md")]
pub use rsr_cache_macros::cached;

/// The page of the package, so that its examples are tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
