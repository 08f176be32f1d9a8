//! The bounds of a cache that can change while it lives.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Cache;
use crate::backend::{Key, Value};
use crate::entry::{NEVER, Nanos, deadline_after};
use crate::parameters::Parameters;
use crate::removal::Victims;

/// Most entries and the time to live, as they are now.
#[derive(Debug)]
pub(crate) struct Limits {
    max_entries: AtomicU64,
    /// [`NEVER`] for entries that do not expire.
    ttl_ns: AtomicU64,
}

impl Limits {
    pub(crate) fn new(parameters: &Parameters) -> Self {
        Self {
            max_entries: AtomicU64::new(parameters.max_entries),
            ttl_ns: AtomicU64::new(deadline_after(0, parameters.ttl)),
        }
    }

    pub(crate) fn max_entries(&self) -> u64 {
        self.max_entries.load(Ordering::Relaxed)
    }

    fn ttl_ns(&self) -> Nanos {
        self.ttl_ns.load(Ordering::Relaxed)
    }

    pub(crate) fn ttl(&self) -> Option<Duration> {
        Some(self.ttl_ns())
            .filter(|ns| *ns < NEVER)
            .map(Duration::from_nanos)
    }
}

impl<K: Key, V: Value> Cache<K, V> {
    /// Changes how long entries live that are written from now on. Those that are there keep their deadlines.
    pub fn set_ttl(&self, ttl: Option<Duration>) {
        let ttl_ns = deadline_after(0, ttl);
        self.inner.limits.ttl_ns.store(ttl_ns, Ordering::Relaxed);
    }

    /// Changes how many entries the cache may hold; what is over has left when this returns. Answers whether the store
    /// can do it.
    ///
    /// A strict one can, a fast one only where it has no bound of bytes, the default one (moka) never: it keeps its
    /// bound for as long as it lives.
    #[must_use = "not every store can change its bound"]
    pub fn set_max_entries(&self, max_entries: u64) -> bool {
        let mut victims = Victims::new();
        let is_done = self.inner.store.resize(max_entries, &mut victims);
        if is_done {
            let limit = &self.inner.limits.max_entries;
            limit.store(max_entries, Ordering::Relaxed);
        }
        self.inner.settle(victims);
        is_done
    }
}
