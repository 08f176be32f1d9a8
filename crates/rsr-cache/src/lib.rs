//! Bounded, weighed, expiring caches with statistics, a registry and cached methods.
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
