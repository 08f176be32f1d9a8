//! The exact store: size, bytes and LRU order are right after every write.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;

use super::{Bounds, Hasher, Holding, Key, Value};
use crate::entry::Stored;
use crate::removal::{Held, RemovalCause, Victim, Victims};

/// Entries looked at while the lock is held, in walks over all of them.
const STRETCH: usize = 256;
/// Most entries of a strict store: places are numbers of 32 bits, and one of them is no place.
pub(crate) const STRICT_LIMIT: u64 = u32::MAX as u64 - 1;
/// The place that no node has.
const NIL: u32 = u32::MAX;

/// A list in order of use over a slab, with a table of places in it, behind one lock.
///
/// The lock is held for the list's own work alone: values are shared, so cloning, weighing and dropping them happens
/// outside. Each key is kept once.
pub(crate) struct Strict<K, V> {
    list: Mutex<List<K, V>>,
    hasher: Hasher,
}

struct List<K, V> {
    bounds: Bounds,
    places: HashTable<u32>,
    nodes: Vec<Option<Node<K, V>>>,
    free: Vec<u32>,
    /// Used last.
    head: u32,
    /// Used longest ago.
    tail: u32,
    bytes: u64,
}

struct Node<K, V> {
    key: K,
    stored: Arc<Stored<V>>,
    newer: u32,
    older: u32,
}

impl<K, V> Node<K, V> {
    fn into_victim(self, cause: RemovalCause) -> Victim<K, V> {
        Victim {
            key: Held::Own(self.key),
            stored: Held::Shared(self.stored),
            cause,
        }
    }
}

impl<K: Key, V: Value> Strict<K, V> {
    /// An empty store. It takes memory as it fills.
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            list: Mutex::new(List::new(bounds)),
            hasher: Hasher::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, List<K, V>> {
        // No user code but `Hash`, `Eq` and `Clone` of keys runs inside, each before the list is touched.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared<Q>(&self, key: &Q, counts_as_use: bool) -> Option<Arc<Stored<V>>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let mut list = self.lock();
        let place = list.find(hash, key)?;
        if counts_as_use {
            list.touch(place);
        }
        list.node(place).map(|node| Arc::clone(&node.stored))
    }

    pub(crate) fn get<Q>(&self, key: &Q) -> Option<Stored<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shared(key, true).map(|stored| Stored::clone(&stored))
    }

    pub(crate) fn peek<Q>(&self, key: &Q) -> Option<Stored<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shared(key, false).map(|stored| Stored::clone(&stored))
    }

    pub(crate) fn put(&self, key: K, stored: Stored<V>, out: &mut Victims<K, V>) {
        let hash = self.hasher.hash_one(&key);
        let stored = Arc::new(stored);
        let mut list = self.lock();
        if let Some(place) = list.find(hash, &key) {
            list.touch(place);
            if let Some(old) = list.replace(place, stored) {
                out.push(Victim {
                    key: Held::Own(key),
                    stored: Held::Shared(old),
                    cause: RemovalCause::Replaced,
                });
            }
        } else {
            list.insert(hash, key, stored, &self.hasher);
        }
        while let Some(cause) = list.excess() {
            let Some(node) = list.pop_oldest(&self.hasher) else {
                break;
            };
            out.push(node.into_victim(cause));
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
        let hash = self.hasher.hash_one(key);
        let mut list = self.lock();
        let Some(place) = list.find(hash, key) else {
            return;
        };
        if list.node(place).is_some_and(|node| dies(&node.stored))
            && let Some(node) = list.take(place, hash)
        {
            out.push(node.into_victim(cause));
        }
    }

    pub(crate) fn visit(&self, mut see: impl FnMut(&K, &Stored<V>) -> bool) {
        let mut start = 0;
        loop {
            let list = self.lock();
            let Some(rest) = list.nodes.get(start..).filter(|rest| !rest.is_empty()) else {
                return;
            };
            let seen: Vec<_> = rest
                .iter()
                .take(STRETCH)
                .flatten()
                .map(|node| (node.key.clone(), Arc::clone(&node.stored)))
                .collect();
            drop(list);
            start += STRETCH;
            for (key, stored) in &seen {
                if !see(key, stored) {
                    return;
                }
            }
        }
    }

    pub(crate) fn evict(&self, wanted: u64, held: Holding, out: &mut Victims<K, V>) {
        let mut list = self.lock();
        let goal = list.bytes.saturating_sub(wanted);
        while list.bytes > goal && list.len() > held.floor {
            let Some(node) = list.pop_oldest(&self.hasher) else {
                break;
            };
            out.push(node.into_victim(RemovalCause::Bytes));
        }
        list.shrink(&self.hasher);
    }

    pub(crate) fn resize(&self, max_entries: u64, out: &mut Victims<K, V>) -> bool {
        if max_entries > STRICT_LIMIT {
            return false;
        }
        let mut list = self.lock();
        list.bounds.max_entries = max_entries;
        while let Some(cause) = list.excess() {
            let Some(node) = list.pop_oldest(&self.hasher) else {
                break;
            };
            out.push(node.into_victim(cause));
        }
        list.shrink(&self.hasher);
        true
    }

    pub(crate) fn clear(&self, out: &mut Victims<K, V>) {
        let mut list = self.lock();
        let bounds = list.bounds;
        let old = std::mem::replace(&mut *list, List::new(bounds));
        drop(list);
        for node in old.nodes.into_iter().flatten() {
            out.push(node.into_victim(RemovalCause::Explicit));
        }
    }
}

impl<K: Key, V> List<K, V> {
    fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            places: HashTable::new(),
            nodes: Vec::new(),
            free: Vec::new(),
            head: NIL,
            tail: NIL,
            bytes: 0,
        }
    }

    fn len(&self) -> u64 {
        self.places.len() as u64
    }

    fn node(&self, place: u32) -> Option<&Node<K, V>> {
        self.nodes.get(place as usize)?.as_ref()
    }

    fn node_mut(&mut self, place: u32) -> Option<&mut Node<K, V>> {
        self.nodes.get_mut(place as usize)?.as_mut()
    }

    fn find<Q>(&self, hash: u64, key: &Q) -> Option<u32>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let is_it = |place: &u32| {
            self.node(*place)
                .is_some_and(|node| node.key.borrow() == key)
        };
        self.places.find(hash, is_it).copied()
    }

    /// The bound that is passed, if any.
    fn excess(&self) -> Option<RemovalCause> {
        if self.len() > self.bounds.max_entries {
            Some(RemovalCause::Size)
        } else if self.bounds.max_bytes.is_some_and(|max| self.bytes > max) {
            Some(RemovalCause::Bytes)
        } else {
            None
        }
    }

    fn insert(&mut self, hash: u64, key: K, stored: Arc<Stored<V>>, hasher: &Hasher) {
        self.bytes += u64::from(stored.weight);
        let node = Some(Node {
            key,
            stored,
            newer: NIL,
            older: NIL,
        });
        let place = if let Some(place) = self.free.pop() {
            self.nodes[place as usize] = node;
            place
        } else {
            self.nodes.push(node);
            u32::try_from(self.nodes.len() - 1)
                .expect("the builder bounds strict caches below 2^32 entries")
        };
        let nodes = &self.nodes;
        let hash_of = |place: &u32| {
            let node = nodes[*place as usize].as_ref();
            node.map_or(0, |node| hasher.hash_one(&node.key))
        };
        self.places.insert_unique(hash, place, hash_of);
        self.link_newest(place);
    }

    fn replace(&mut self, place: u32, stored: Arc<Stored<V>>) -> Option<Arc<Stored<V>>> {
        let weight = u64::from(stored.weight);
        let old = std::mem::replace(&mut self.node_mut(place)?.stored, stored);
        self.bytes = self.bytes + weight - u64::from(old.weight);
        Some(old)
    }

    fn touch(&mut self, place: u32) {
        if self.head != place {
            self.unlink(place);
            self.link_newest(place);
        }
    }

    fn link_newest(&mut self, place: u32) {
        let second = self.head;
        if let Some(node) = self.node_mut(place) {
            node.newer = NIL;
            node.older = second;
        }
        if let Some(node) = self.node_mut(second) {
            node.newer = place;
        } else {
            self.tail = place;
        }
        self.head = place;
    }

    fn unlink(&mut self, place: u32) {
        let Some((newer, older)) = self.node(place).map(|node| (node.newer, node.older)) else {
            return;
        };
        match self.node_mut(newer) {
            Some(node) => node.older = older,
            None => self.head = older,
        }
        match self.node_mut(older) {
            Some(node) => node.newer = newer,
            None => self.tail = newer,
        }
    }

    fn take(&mut self, place: u32, hash: u64) -> Option<Node<K, V>> {
        self.unlink(place);
        if let Ok(entry) = self.places.find_entry(hash, |found| *found == place) {
            entry.remove();
        }
        let node = self.nodes.get_mut(place as usize)?.take()?;
        self.free.push(place);
        self.bytes -= u64::from(node.stored.weight);
        Some(node)
    }

    fn pop_oldest(&mut self, hasher: &Hasher) -> Option<Node<K, V>> {
        let place = self.tail;
        let hash = hasher.hash_one(&self.node(place)?.key);
        self.take(place, hash)
    }

    /// Gives back the tables' spare room, once more than half of it is empty. O(entries).
    fn shrink(&mut self, hasher: &Hasher) {
        if self.nodes.len() < 64 || self.free.len() * 2 < self.nodes.len() {
            return;
        }
        let mut packed = Self::new(self.bounds);
        packed.nodes.reserve_exact(self.places.len());
        let mut place = self.tail;
        while let Some(node) = self.nodes.get_mut(place as usize).and_then(Option::take) {
            place = node.newer;
            packed.insert(hasher.hash_one(&node.key), node.key, node.stored, hasher);
        }
        *self = packed;
    }
}
