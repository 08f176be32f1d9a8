//! Who holds the entries: one of three stores behind one set of operations.
//!
//! A store knows neither time nor statistics. It keeps its bounds, hands out clones of what it holds, and gives every
//! entry that leaves to the caller, who settles accounts with no lock held.

use std::borrow::Borrow;
use std::hash::Hash;

use crate::entry::Stored;
use crate::removal::{RemovalCause, Victims};

#[cfg(feature = "fast")]
mod fast;
mod standard;
mod strict;

#[cfg(feature = "fast")]
pub(crate) use fast::Fast;
pub(crate) use standard::Standard;
pub(crate) use strict::{STRICT_LIMIT, Strict};

/// What every cache asks of its keys.
pub trait Key: Hash + Eq + Clone + Send + Sync + 'static {}

impl<T: Hash + Eq + Clone + Send + Sync + 'static> Key for T {}

/// What every cache asks of its values. Clones are handed out, so a large value belongs in an [`Arc`](std::sync::Arc).
pub trait Value: Clone + Send + Sync + 'static {}

impl<T: Clone + Send + Sync + 'static> Value for T {}

pub(crate) type Hasher = foldhash::fast::RandomState;

/// The bounds a store keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) max_entries: u64,
    pub(crate) max_bytes: Option<u64>,
}

/// What a cache holds before an eviction, and what must stay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holding {
    pub(crate) entries: u64,
    #[cfg_attr(
        not(feature = "fast"),
        expect(dead_code, reason = "the fast store reads it")
    )]
    pub(crate) bytes: u64,
    pub(crate) floor: u64,
}

impl Bounds {
    /// The weight of an entry where a store has one bound for both: the larger of its shares of the two bounds.
    ///
    /// The sum of these never passes the capacity unless one of the two bounds would be passed, so keeping one keeps
    /// both; where entries differ much in size, somewhat fewer fit than the two bounds would allow.
    pub(crate) fn weight(&self, bytes: u32) -> u64 {
        let by_bytes = self.max_bytes.map_or(0, |max| {
            let share = u128::from(bytes) * u128::from(self.capacity());
            u64::try_from(share.div_ceil(u128::from(max.max(1)))).unwrap_or(u64::MAX)
        });
        by_bytes.max(self.unit())
    }

    /// The sum of weights that a store with one bound may hold. It fits 32 bits wherever a byte bound is set and the
    /// entries are fewer than 2³², as the widest weight must.
    pub(crate) fn capacity(&self) -> u64 {
        self.max_entries.saturating_mul(self.unit())
    }

    /// Which of the two bounds an entry of this size was up against.
    pub(crate) fn cause_of_eviction(&self, bytes: u32) -> RemovalCause {
        if self.max_bytes.is_some() && self.weight(bytes) > self.unit() {
            RemovalCause::Bytes
        } else {
            RemovalCause::Size
        }
    }

    fn unit(&self) -> u64 {
        match self.max_bytes {
            Some(_) => (u64::from(u32::MAX) / self.max_entries.max(1)).clamp(1, 1024),
            None => 1,
        }
    }
}

pub(crate) enum Store<K, V> {
    Strict(Strict<K, V>),
    Standard(Standard<K, V>),
    #[cfg(feature = "fast")]
    Fast(Box<Fast<K, V>>),
}

macro_rules! each {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            Self::Strict($store) => $call,
            Self::Standard($store) => $call,
            #[cfg(feature = "fast")]
            Self::Fast($store) => $call,
        }
    };
}

impl<K: Key, V: Value> Store<K, V> {
    /// A clone of the entry, which counts as a use of it.
    #[inline]
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<Stored<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        each!(self, store => store.get(key))
    }

    /// A clone of the entry, which does not count as a use of it where the store can help it.
    pub(crate) fn peek<Q>(&self, key: &Q) -> Option<Stored<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        each!(self, store => store.peek(key))
    }

    /// Writes an entry and keeps the bounds.
    pub(crate) fn put(&self, key: K, stored: Stored<V>, out: &mut Victims<K, V>) {
        each!(self, store => store.put(key, stored, out));
    }

    /// Removes the entry if `dies` says so of what is stored at that moment: a value written meanwhile stays.
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
        each!(self, store => store.remove_if(key, cause, dies, out));
    }

    /// Shows each entry once; stops where `see` answers false.
    ///
    /// No lock is held while `see` runs. Entries written or removed meanwhile may be seen or not.
    pub(crate) fn visit(&self, see: impl FnMut(&K, &Stored<V>) -> bool) {
        each!(self, store => store.visit(see));
    }

    /// Evicts about `wanted` bytes, the least useful first, and leaves at least the floor.
    pub(crate) fn evict(&self, wanted: u64, held: Holding, out: &mut Victims<K, V>) {
        each!(self, store => store.evict(wanted, held, out));
    }

    /// Changes the bound of entries and evicts what is over; answers whether this store can.
    pub(crate) fn resize(&self, max_entries: u64, out: &mut Victims<K, V>) -> bool {
        match self {
            Self::Strict(store) => store.resize(max_entries, out),
            Self::Standard(_) => false,
            #[cfg(feature = "fast")]
            Self::Fast(store) => store.resize(max_entries, out),
        }
    }

    /// Removes everything, tables included.
    pub(crate) fn clear(&self, out: &mut Victims<K, V>) {
        each!(self, store => store.clear(out));
    }

    /// True where entries have left behind the caller's back and wait in [`Store::collect`].
    #[inline]
    pub(crate) fn has_left(&self) -> bool {
        match self {
            Self::Standard(store) => store.has_left(),
            Self::Strict(_) => false,
            // Here entries leave behind the caller's back in `evict` alone, which collects them itself.
            #[cfg(feature = "fast")]
            Self::Fast(_) => false,
        }
    }

    /// Hands over what left behind the caller's back.
    pub(crate) fn collect(&self, out: &mut Victims<K, V>) {
        match self {
            Self::Standard(store) => store.collect(out),
            Self::Strict(_) => {}
            #[cfg(feature = "fast")]
            Self::Fast(store) => store.collect(out),
        }
    }

    /// Does deferred housekeeping now and gives freed memory back to the allocator.
    pub(crate) fn settle(&self, out: &mut Victims<K, V>) {
        if let Self::Standard(store) = self {
            store.settle(out);
        }
    }

    /// The store's name in reports.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Strict(_) => "strict",
            Self::Standard(_) => "default",
            #[cfg(feature = "fast")]
            Self::Fast(_) => "fast",
        }
    }
}
