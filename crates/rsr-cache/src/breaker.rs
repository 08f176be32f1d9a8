//! Not asking again and again what keeps failing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::backend::Hasher;
use crate::entry::{Nanos, deadline_after};

/// Keys whose failures are remembered at once.
const KEYS_MAX: usize = 4_096;

/// Counts the failures of each key's loader; after `n_failures` in a row the key is refused until `open_for` is over.
pub(crate) struct Breaker<K> {
    n_failures: u32,
    open_for: Duration,
    n_failing: AtomicUsize,
    failing: Mutex<HashMap<K, Failing, Hasher>>,
}

#[derive(Clone, Copy)]
struct Failing {
    n_failures: u32,
    last: Nanos,
}

impl<K: Hash + Eq + Clone> Breaker<K> {
    pub(crate) fn new(n_failures: u32, open_for: Duration) -> Self {
        Self {
            n_failures,
            open_for,
            n_failing: AtomicUsize::new(0),
            failing: Mutex::new(HashMap::default()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Failing, Hasher>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opens_again(&self, failing: Failing) -> Nanos {
        deadline_after(failing.last, Some(self.open_for))
    }

    /// How long the key is still refused. Once that is over, one load is let through: the caller leads its flight alone.
    pub(crate) fn refuses(&self, key: &K, now: Nanos) -> Option<Duration> {
        if self.n_failing.load(Ordering::Acquire) == 0 {
            return None;
        }
        let failing = *self.lock().get(key)?;
        let left = self.opens_again(failing).saturating_sub(now);
        (failing.n_failures >= self.n_failures && left > 0).then(|| Duration::from_nanos(left))
    }

    pub(crate) fn failed(&self, key: &K, now: Nanos) {
        let mut failing = self.lock();
        if failing.len() >= KEYS_MAX && !failing.contains_key(key) {
            // What was refused long enough goes first; a flood of other failing keys makes the rest start anew.
            failing.retain(|_, old| self.opens_again(*old) > now);
            if failing.len() >= KEYS_MAX {
                failing.clear();
            }
        }
        let of_key = failing.entry(key.clone()).or_insert(Failing {
            n_failures: 0,
            last: now,
        });
        of_key.n_failures = of_key.n_failures.saturating_add(1);
        of_key.last = now;
        self.n_failing.store(failing.len(), Ordering::Release);
    }

    pub(crate) fn succeeded(&self, key: &K) {
        if self.n_failing.load(Ordering::Acquire) > 0 {
            let mut failing = self.lock();
            failing.remove(key);
            self.n_failing.store(failing.len(), Ordering::Release);
        }
    }
}
