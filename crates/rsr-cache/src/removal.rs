//! Entries on their way out, and who is told.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::entry::Stored;

/// Why an entry left a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RemovalCause {
    /// Its time was over.
    Expired,
    /// The cache held as many entries as it may.
    Size,
    /// The cache, or all caches together, held as many bytes as they may, or memory was short.
    Bytes,
    /// Somebody removed it: by key, by tag, or by clearing the cache.
    Explicit,
    /// A new value for its key took its place.
    Replaced,
}

impl RemovalCause {
    /// Every cause, in the order that reports use.
    pub const ALL: [Self; 5] = [
        Self::Expired,
        Self::Size,
        Self::Bytes,
        Self::Explicit,
        Self::Replaced,
    ];

    /// The word that metrics and JSON use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Size => "size",
            Self::Bytes => "bytes",
            Self::Explicit => "explicit",
            Self::Replaced => "replaced",
        }
    }
}

impl fmt::Display for RemovalCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Called with each removed entry, on the thread that caused the removal and after every lock is released.
pub(crate) type Listener<K, V> = Arc<dyn Fn(&K, &V, RemovalCause) + Send + Sync>;

/// A key or a value as it leaves: stores that share it with readers hand out the shared one.
pub(crate) enum Held<T> {
    Own(T),
    Shared(Arc<T>),
}

impl<T> std::ops::Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Own(own) => own,
            Self::Shared(shared) => shared,
        }
    }
}

/// An entry that a backend no longer holds.
pub(crate) struct Victim<K, V> {
    pub(crate) key: Held<K>,
    pub(crate) stored: Held<Stored<V>>,
    pub(crate) cause: RemovalCause,
}

/// What one operation removed. The common case of one victim needs no allocation.
pub(crate) struct Victims<K, V> {
    first: Option<Victim<K, V>>,
    rest: Vec<Victim<K, V>>,
}

impl<K, V> Victims<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            first: None,
            rest: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, victim: Victim<K, V>) {
        if self.first.is_none() {
            self.first = Some(victim);
        } else {
            self.rest.push(victim);
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Victim<K, V>> {
        self.first.iter().chain(&self.rest)
    }
}

impl<K, V> IntoIterator for Victims<K, V> {
    type Item = Victim<K, V>;
    type IntoIter =
        std::iter::Chain<std::option::IntoIter<Victim<K, V>>, std::vec::IntoIter<Victim<K, V>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.rest)
    }
}

/// Entries that a queue of them keeps room for.
const ROOM_KEPT: usize = 64;

/// Entries that left a store in the middle of its own work, until somebody with no lock held collects them.
pub(crate) struct Waiting<K, V> {
    n_waiting: AtomicUsize,
    queue: Mutex<Vec<Victim<K, V>>>,
}

impl<K, V> Waiting<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            n_waiting: AtomicUsize::new(0),
            queue: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn push(&self, victim: Victim<K, V>) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push(victim);
        self.n_waiting.store(queue.len(), Ordering::Release);
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.n_waiting.load(Ordering::Acquire) == 0
    }

    pub(crate) fn move_to(&self, out: &mut Victims<K, V>) {
        if self.is_empty() {
            return;
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // Moved rather than taken, so that the queue keeps its room: most of the time one or two wait.
        for victim in queue.drain(..) {
            out.push(victim);
        }
        queue.shrink_to(ROOM_KEPT);
        self.n_waiting.store(0, Ordering::Release);
    }
}
