//! The default store: moka, for its policies and its reads that take no lock.
//!
//! moka defers its housekeeping, and with it the freeing of what left; deadlines are therefore kept by the cache above,
//! and moka keeps the bound.

use std::borrow::Borrow;
use std::cell::Cell;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use super::{Bounds, Hasher, Holding, Key, Value};
use crate::entry::Stored;
use crate::policy::Policy;
use crate::removal::{Held, RemovalCause, Victim, Victims, Waiting};

/// Locks that writers of one key meet at: a power of two.
const WRITER_LOCKS: usize = 64;
/// Rounds of housekeeping after which nothing that was removed is still waiting to be freed.
const SETTLE_ROUNDS: usize = 16;
/// Classes of deadlines that an eviction tells apart.
const CLASSES: usize = 256;

pub(crate) struct Standard<K, V> {
    map: moka::sync::Cache<K, Stored<V>, Hasher>,
    left: Arc<Left<K, V>>,
    /// moka's own conditional removal does not exclude a plain insert, and so could lose it; these locks do.
    writers: Box<[Mutex<()>]>,
    hasher: Hasher,
}

/// What moka let go.
struct Left<K, V> {
    /// What it evicted or replaced, for whoever comes by.
    waiting: Waiting<K, V>,
    /// What a thread is removing by key: the removal answers with it, so nobody else may collect it.
    removed: Mutex<Vec<(ThreadId, Victim<K, V>)>>,
}

impl<K, V> Left<K, V> {
    fn removed(&self) -> MutexGuard<'_, Vec<(ThreadId, Victim<K, V>)>> {
        self.removed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    /// Why this thread is removing an entry, while it is: moka itself knows only that it was told to, and says so on the
    /// thread that told it.
    static REMOVING: Cell<Option<RemovalCause>> = const { Cell::new(None) };
}

impl<K: Key, V: Value> Standard<K, V> {
    pub(crate) fn new(bounds: Bounds, policy: Policy) -> Self {
        let left = Arc::new(Left {
            waiting: Waiting::new(),
            removed: Mutex::new(Vec::new()),
        });
        let leaving = Arc::clone(&left);
        let listener =
            move |key: Arc<K>, stored: Stored<V>, cause: moka::notification::RemovalCause| {
                let asked = REMOVING
                    .get()
                    .filter(|_| cause == moka::notification::RemovalCause::Explicit);
                let victim = Victim {
                    key: Held::Shared(key),
                    cause: asked.unwrap_or_else(|| cause_of(cause, bounds, stored.weight)),
                    stored: Held::Own(stored),
                };
                match asked {
                    Some(_) => leaving.removed().push((thread::current().id(), victim)),
                    None => leaving.waiting.push(victim),
                }
            };
        let hasher = Hasher::default();
        let mut builder = moka::sync::Cache::builder()
            .max_capacity(bounds.capacity())
            .eviction_policy(match policy {
                Policy::Lru => moka::policy::EvictionPolicy::lru(),
                Policy::TinyLfu => moka::policy::EvictionPolicy::tiny_lfu(),
            })
            .eviction_listener(listener);
        if bounds.max_bytes.is_some() {
            builder = builder.weigher(move |_key, stored: &Stored<V>| {
                u32::try_from(bounds.weight(stored.weight)).unwrap_or(u32::MAX)
            });
        }
        Self {
            map: builder.build_with_hasher(hasher.clone()),
            left,
            writers: (0..WRITER_LOCKS).map(|_| Mutex::new(())).collect(),
            hasher,
        }
    }

    /// Keeps other writers of this key out.
    fn write<Q: Hash + ?Sized>(&self, key: &Q) -> MutexGuard<'_, ()> {
        let hash = self.hasher.hash_one(key);
        let index = usize::try_from(hash >> 32).unwrap_or(0) & (WRITER_LOCKS - 1);
        self.writers[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
        self.get(key)
    }

    pub(crate) fn put(&self, key: K, stored: Stored<V>, out: &mut Victims<K, V>) {
        let writing = self.write(&key);
        self.map.insert(key, stored);
        drop(writing);
        self.collect(out);
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
        let writing = self.write(key);
        if self.get(key).is_some_and(|stored| dies(&stored)) {
            self.remove(key, cause, out);
        }
        drop(writing);
        self.collect(out);
    }

    /// Removes a key whose writers are kept out, and answers with it here and nowhere else.
    fn remove<Q>(&self, key: &Q, cause: RemovalCause, out: &mut Victims<K, V>)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let before = REMOVING.replace(Some(cause));
        self.map.invalidate(key);
        REMOVING.set(before);
        let me = thread::current().id();
        let mut removed = self.left.removed();
        let own = removed.iter().position(|(thread, _)| *thread == me);
        if let Some((_me, victim)) = own.map(|index| removed.swap_remove(index)) {
            out.push(victim);
        }
    }

    pub(crate) fn visit(&self, mut see: impl FnMut(&K, &Stored<V>) -> bool) {
        for (key, stored) in &self.map {
            if !see(&key, &stored) {
                return;
            }
        }
    }

    /// moka does not tell what was used when, so entries nearest to their deadline, the oldest of one ttl, go first.
    pub(crate) fn evict(&self, wanted: u64, held: Holding, out: &mut Victims<K, V>) {
        let (mut first, mut last) = (u64::MAX, 0);
        self.visit(|_key, stored| {
            first = first.min(stored.stamp.deadline());
            last = last.max(stored.stamp.deadline());
            true
        });
        let width = (last.saturating_sub(first) / CLASSES as u64).max(1);
        let class_of = |stored: &Stored<V>| {
            let class = stored.stamp.deadline().saturating_sub(first) / width;
            usize::try_from(class).unwrap_or(CLASSES).min(CLASSES)
        };
        let mut bytes_of_class = [0_u64; CLASSES + 1];
        self.visit(|_key, stored| {
            bytes_of_class[class_of(stored)] += u64::from(stored.weight);
            true
        });
        let mut sum = 0;
        let goes_up_to = bytes_of_class
            .iter()
            .position(|bytes| {
                sum += bytes;
                sum >= wanted
            })
            .unwrap_or(bytes_of_class.len());
        let (mut given, mut entries) = (0, held.entries);
        self.visit(|key, stored| {
            if given >= wanted || entries <= held.floor {
                return false;
            }
            if class_of(stored) <= goes_up_to {
                given += u64::from(stored.weight);
                entries -= 1;
                self.remove_if(key, RemovalCause::Bytes, |_| true, out);
            }
            true
        });
        self.settle(out);
    }

    pub(crate) fn clear(&self, out: &mut Victims<K, V>) {
        // Key by key: moka's own `invalidate_all` marks entries and frees them some time later.
        for (key, stored) in &self.map {
            drop(stored);
            let writing = self.write(&*key);
            self.remove(&*key, RemovalCause::Explicit, out);
            drop(writing);
        }
        self.settle(out);
    }

    #[inline]
    pub(crate) fn has_left(&self) -> bool {
        !self.left.waiting.is_empty()
    }

    pub(crate) fn collect(&self, out: &mut Victims<K, V>) {
        self.left.waiting.move_to(out);
    }

    /// Runs moka's housekeeping until what was removed is also freed.
    pub(crate) fn settle(&self, out: &mut Victims<K, V>) {
        for _ in 0..SETTLE_ROUNDS {
            self.map.run_pending_tasks();
        }
        self.collect(out);
    }
}

fn cause_of(cause: moka::notification::RemovalCause, bounds: Bounds, bytes: u32) -> RemovalCause {
    match cause {
        moka::notification::RemovalCause::Expired => RemovalCause::Expired,
        moka::notification::RemovalCause::Replaced => RemovalCause::Replaced,
        moka::notification::RemovalCause::Explicit => RemovalCause::Explicit,
        moka::notification::RemovalCause::Size => bounds.cause_of_eviction(bytes),
    }
}
