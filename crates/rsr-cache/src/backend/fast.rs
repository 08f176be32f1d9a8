//! The store for the hottest caches: quick_cache, sharded, with a scan-resistant policy of its own.
//!
//! Values are cloned while a shard is locked for reading, so their `Clone` must be cheap: a number, or an `Arc`.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};

use super::{Bounds, Hasher, Holding, Key, Value};
use crate::entry::Stored;
use crate::removal::{Held, RemovalCause, Victim, Victims, Waiting};

/// Entries below which another shard costs more in hit ratio than it gives in speed.
const SHARD_ENTRIES_MIN: u64 = 256;

pub(crate) struct Fast<K, V> {
    map: Cache<K, Stored<V>, Weights, Hasher, Leaving<K, V>>,
    left: Arc<Waiting<K, V>>,
    bounds: Bounds,
    /// The capacity that the map has but while an eviction narrows it: one thread at a time does that.
    capacity: Mutex<u64>,
}

/// Weighs an entry by its share of the bounds.
#[derive(Clone, Copy)]
struct Weights(Bounds);

impl<K, V> Weighter<K, Stored<V>> for Weights {
    #[inline]
    fn weight(&self, _key: &K, stored: &Stored<V>) -> u64 {
        match self.0.max_bytes {
            Some(_) => self.0.weight(stored.weight),
            None => 1,
        }
    }
}

/// Catches what leaves.
struct Leaving<K, V> {
    bounds: Bounds,
    left: Arc<Waiting<K, V>>,
}

impl<K, V> Clone for Leaving<K, V> {
    fn clone(&self) -> Self {
        Self {
            bounds: self.bounds,
            left: Arc::clone(&self.left),
        }
    }
}

/// What one write removed.
struct Removed<K, V> {
    victims: Victims<K, V>,
    /// The entry that comes next was chosen by the policy, rather than replaced.
    is_evicting: bool,
    /// A write of ours waits for the victims; otherwise they go to the queue.
    is_awaited: bool,
}

impl<K, V> Default for Removed<K, V> {
    fn default() -> Self {
        Self {
            victims: Victims::new(),
            is_evicting: false,
            is_awaited: false,
        }
    }
}

impl<K, V> Lifecycle<K, Stored<V>> for Leaving<K, V> {
    type RequestState = Removed<K, V>;

    #[inline]
    fn before_evict(&self, state: &mut Removed<K, V>, _key: &K, _stored: &mut Stored<V>) {
        state.is_evicting = true;
    }

    #[inline]
    fn on_evict(&self, state: &mut Removed<K, V>, key: K, stored: Stored<V>) {
        let cause = if std::mem::take(&mut state.is_evicting) {
            self.bounds.cause_of_eviction(stored.weight)
        } else {
            RemovalCause::Replaced
        };
        let victim = Victim {
            key: Held::Own(key),
            stored: Held::Own(stored),
            cause,
        };
        if state.is_awaited {
            state.victims.push(victim);
        } else {
            self.left.push(victim);
        }
    }
}

impl<K: Key, V: Value> Fast<K, V> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let threads = thread::available_parallelism().map_or(1, |n| n.get() as u64);
        let shards_max = (bounds.max_entries / SHARD_ENTRIES_MIN).max(1);
        let shards = (threads * 4)
            .next_power_of_two()
            .min(1 << shards_max.ilog2());
        // Each shard gets an equal part, rounded up by quick_cache: rounding down here keeps the sum within the bound.
        let capacity = (bounds.capacity() / shards * shards).max(shards);
        let options = OptionsBuilder::new()
            .shards(usize::try_from(shards).unwrap_or(1))
            .estimated_items_capacity(usize::try_from(bounds.max_entries).unwrap_or(usize::MAX))
            .weight_capacity(capacity)
            .build()
            .expect("every option that quick_cache requires is given");
        let left = Arc::new(Waiting::new());
        let leaving = Leaving {
            bounds,
            left: Arc::clone(&left),
        };
        Self {
            map: Cache::with_options(options, Weights(bounds), Hasher::default(), leaving),
            left,
            bounds,
            capacity: Mutex::new(capacity),
        }
    }

    #[inline]
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<Stored<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.map.get(key)
    }

    pub(crate) fn peek<Q>(&self, key: &Q) -> Option<Stored<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.map.peek(key)
    }

    pub(crate) fn put(&self, key: K, stored: Stored<V>, out: &mut Victims<K, V>) {
        let mut removed = Removed {
            is_awaited: true,
            ..Removed::default()
        };
        self.map.insert_with_lifecycle(key, stored, &mut removed);
        for victim in removed.victims {
            out.push(victim);
        }
    }

    pub(crate) fn remove_if<Q>(
        &self,
        key: &Q,
        cause: RemovalCause,
        dies: impl Fn(&Stored<V>) -> bool,
        out: &mut Victims<K, V>,
    ) where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some((key, stored)) = self.map.remove_if(key, dies) {
            out.push(Victim {
                key: Held::Own(key),
                stored: Held::Own(stored),
                cause,
            });
        }
    }

    pub(crate) fn visit(&self, mut see: impl FnMut(&K, &Stored<V>) -> bool) {
        for (key, stored) in self.map.iter() {
            if !see(&key, &stored) {
                return;
            }
        }
    }

    /// Narrows the bound for a moment, so that the policy itself chooses who goes.
    pub(crate) fn evict(&self, wanted: u64, held: Holding, out: &mut Victims<K, V>) {
        let capacity = self.capacity.lock().unwrap_or_else(PoisonError::into_inner);
        let weight = self.map.weight();
        let part = |share: u64, whole: u64| {
            let part = u128::from(weight) * u128::from(share.min(whole));
            u64::try_from(part / u128::from(whole.max(1))).unwrap_or(weight)
        };
        let goal = weight - part(wanted, held.bytes).min(weight);
        let goal = goal.max(part(held.floor, held.entries));
        if goal < weight {
            self.map.set_capacity(goal);
            self.map.set_capacity(*capacity);
        }
        drop(capacity);
        self.collect(out);
    }

    /// Only with a bound of entries alone, since with one of bytes what an entry weighs depends on both; and each shard
    /// needs room for one.
    pub(crate) fn resize(&self, max_entries: u64, out: &mut Victims<K, V>) -> bool {
        let shards = self.map.num_shards() as u64;
        if self.bounds.max_bytes.is_some() || max_entries < shards {
            return false;
        }
        let mut capacity = self.capacity.lock().unwrap_or_else(PoisonError::into_inner);
        *capacity = max_entries / shards * shards;
        self.map.set_capacity(*capacity);
        drop(capacity);
        self.collect(out);
        true
    }

    /// Takes every entry out; the empty table, a few bytes for each entry of the bound, stays.
    pub(crate) fn clear(&self, out: &mut Victims<K, V>) {
        for (key, stored) in self.map.drain() {
            out.push(Victim {
                key: Held::Own(key),
                stored: Held::Own(stored),
                cause: RemovalCause::Explicit,
            });
        }
    }

    pub(crate) fn collect(&self, out: &mut Victims<K, V>) {
        self.left.move_to(out);
    }
}
