//! Which keys carry which tag.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::backend::Hasher;

/// Tags and keys, both ways round. Holds what the cache holds: a key leaves with its entry.
#[derive(Debug)]
pub(crate) struct TagIndex<K> {
    index: Mutex<Index<K>>,
}

#[derive(Debug)]
struct Index<K> {
    keys: HashMap<Arc<str>, HashSet<K, Hasher>, Hasher>,
    tags: HashMap<K, Vec<Arc<str>>, Hasher>,
}

impl<K> Default for TagIndex<K> {
    fn default() -> Self {
        Self {
            index: Mutex::new(Index {
                keys: HashMap::default(),
                tags: HashMap::default(),
            }),
        }
    }
}

impl<K: Hash + Eq + Clone> TagIndex<K> {
    fn lock(&self) -> MutexGuard<'_, Index<K>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores an entry and its tags as one step, seen from [`TagIndex::take`] and [`TagIndex::forget_unless`].
    pub(crate) fn set(&self, key: K, tags: &BTreeSet<String>, store: impl FnOnce()) {
        let mut index = self.lock();
        store();
        index.forget(&key);
        let tags: Vec<Arc<str>> = tags.iter().map(|tag| index.intern(tag)).collect();
        for tag in &tags {
            let keys = index.keys.entry(Arc::clone(tag)).or_default();
            keys.insert(key.clone());
        }
        index.tags.insert(key, tags);
    }

    /// Takes every key of a tag out and shows it, so that its entry can be removed in the same step.
    pub(crate) fn take(&self, tag: &str, mut remove: impl FnMut(&K)) {
        let mut index = self.lock();
        let keys = index.keys.remove(tag).unwrap_or_default();
        let mut keys: Vec<K> = keys.into_iter().collect();
        for key in &keys {
            remove(key);
            index.forget(key);
        }
        drop(index);
        keys.clear();
    }

    /// Forgets a key whose entry left, unless a tagged entry is stored for it again.
    pub(crate) fn forget_unless(&self, key: &K, is_back: impl FnOnce() -> bool) {
        let mut index = self.lock();
        if !is_back() {
            index.forget(key);
        }
    }
}

impl<K: Hash + Eq> Index<K> {
    fn intern(&self, tag: &str) -> Arc<str> {
        let known = self.keys.get_key_value(tag);
        known.map_or_else(|| Arc::from(tag), |(known, _)| Arc::clone(known))
    }

    fn forget(&mut self, key: &K) {
        for tag in self.tags.remove(key).unwrap_or_default() {
            if let Some(keys) = self.keys.get_mut(&tag) {
                keys.remove(key);
                if keys.is_empty() {
                    self.keys.remove(&tag);
                }
            }
        }
    }
}
