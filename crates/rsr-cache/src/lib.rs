//! Bounded, weighed, expiring caches with statistics, a registry and cached methods.
#![forbid(unsafe_code)]

mod backend;
mod builder;
mod cache;
mod counters;
mod entry;
mod expiry;
mod panics;
mod parameters;
mod policy;
mod pool;
mod registry;
mod removal;
mod stats;
mod tags;
mod time;
mod weigh;

pub use backend::{Key, Value};
pub use builder::{BuildError, CacheBuilder};
pub use cache::{AnyCache, Cache, Put, SharedCache};
pub use entry::Lookup;
pub use parameters::Parameters;
pub use policy::{Policy, STRICT_ENTRIES_MAX};
pub use registry::{AllStats, CachePanicked, CacheRegistry, ForAll, RegistryError};
pub use removal::RemovalCause;
pub use stats::{CacheStats, Cleanup, CleanupSummary, GlobalStats, Removals};
pub use weigh::{HeapSize, Weigher};
