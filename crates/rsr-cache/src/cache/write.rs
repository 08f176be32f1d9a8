//! Writing, removing, and settling accounts for what left.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::time::Duration;

use rsr_base::ByteSize;

use super::{Cache, Inner, count};
use crate::backend::{Key, Value};
use crate::entry::{Nanos, Stamp, Stored, deadline_after};
use crate::removal::{RemovalCause, Victims};

/// How one entry is written, where it differs from the cache's own rules.
///
/// ```
/// use std::time::Duration;
/// use rsr_cache::{Cache, Put};
///
/// let cache: Cache<&str, u32> = Cache::builder("counts").build()?;
/// cache.insert_with("users", 7, &Put::new().ttl(Duration::from_secs(5)).tag("project:42"));
/// assert_eq!(cache.invalidate_tag("project:42"), 1);
/// assert_eq!(cache.get("users"), None);
/// # Ok::<(), rsr_cache::BuildError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "it says how to write, and writes nothing"]
pub struct Put {
    pub(crate) ttl: Option<Duration>,
    pub(crate) tags: BTreeSet<String>,
}

impl Put {
    /// As the cache says.
    pub fn new() -> Self {
        Self::default()
    }

    /// A time to live for this entry alone, longer or shorter than the cache's.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// A word under which this entry, and others in this and other caches, can be invalidated together.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.insert(tag.into());
        self
    }
}

impl<K: Key, V: Value> Cache<K, V> {
    /// Writes a value, which takes the place of the one stored before.
    ///
    /// A value that alone is larger than the byte bound is not kept; what was stored before is removed all the same.
    /// A load of this key that is under way answers its callers, but no longer writes.
    pub fn insert(&self, key: K, value: V) {
        self.inner.write_now(key, value, &Put::default());
    }

    /// Writes a value with a time to live or tags of its own.
    pub fn insert_with(&self, key: K, value: V, how: &Put) {
        self.inner.write_now(key, value, how);
    }

    /// Removes a key and answers its value, if that was valid.
    ///
    /// A load of this key that is under way answers its callers, but no longer writes.
    pub fn remove<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let now = self.inner.time.now();
        self.inner.flights.supersede(key);
        let mut victims = Victims::new();
        let store = &self.inner.store;
        store.remove_if(key, RemovalCause::Explicit, |_| true, &mut victims);
        let removed = victims
            .iter()
            .find(|victim| victim.cause == RemovalCause::Explicit && K::borrow(&*victim.key) == key)
            .filter(|victim| self.inner.is_fresh(&victim.stored, now))
            .map(|victim| victim.stored.value.clone());
        self.inner.settle(victims);
        removed
    }

    /// Removes every entry that was written with this tag, and answers how many. O(entries of the tag).
    #[expect(
        clippy::must_use_candidate,
        reason = "done for its effect; the report may go unread"
    )]
    pub fn invalidate_tag(&self, tag: &str) -> u64 {
        let mut victims = Victims::new();
        let inner = &self.inner;
        // What is being loaded may turn out to carry the tag.
        inner.flights.supersede_all();
        inner.tags.take(tag, |key| {
            let store = &inner.store;
            store.remove_if(key, RemovalCause::Explicit, |_| true, &mut victims);
        });
        let n_removed = victims
            .iter()
            .filter(|victim| victim.cause == RemovalCause::Explicit)
            .count();
        inner.settle(victims);
        n_removed as u64
    }
}

impl<K: Key, V: Value> Inner<K, V> {
    pub(super) fn write_now(&self, key: K, value: V, how: &Put) {
        let prepared = self.prepare(&key, value, how);
        self.flights.supersede(&key);
        let mut victims = Victims::new();
        self.commit(key, prepared, how, &mut victims);
        self.settle(victims);
        self.keep_shared_bound();
    }

    /// Everything about a write that runs user code: weighing, judging. `None` for an entry that is too large to keep.
    pub(super) fn prepare(&self, key: &K, value: V, how: &Put) -> Option<Stored<V>> {
        let bytes = self.weigh(key, &value);
        let max_bytes = self.parameters.max_bytes.map_or(u64::MAX, ByteSize::bytes);
        let weight = u32::try_from(bytes).ok().filter(|_| bytes <= max_bytes)?;
        let now = self.time.now();
        let is_negative = self.is_negative.as_ref().is_some_and(|rule| rule(&value));
        let usual_ttl = match self.parameters.negative {
            Some((_, ttl)) if is_negative => Some(ttl),
            _ => self.limits.ttl(),
        };
        let deadline = deadline_after(now, how.ttl.or(usual_ttl));
        let span = self.expiry.span_of(now, deadline);
        Some(Stored {
            value,
            stamp: Stamp::new(deadline, span, is_negative, !how.tags.is_empty()),
            weight,
        })
    }

    /// Stores what was prepared; the caller settles for what left once it holds no lock.
    pub(super) fn commit(
        &self,
        key: K,
        prepared: Option<Stored<V>>,
        how: &Put,
        out: &mut Victims<K, V>,
    ) {
        let Some(stored) = prepared else {
            count(&self.totals.n_rejected);
            let cause = RemovalCause::Replaced;
            self.store.remove_if(&key, cause, |_| true, out);
            return;
        };
        self.account_for(stored.stamp, stored.weight);
        if how.tags.is_empty() {
            self.store.put(key, stored, out);
        } else {
            self.tags.set(key.clone(), &how.tags, || {
                self.store.put(key, stored, out);
            });
        }
    }

    fn weigh(&self, key: &K, value: &V) -> u64 {
        let bytes = match &self.weigher {
            Some(weigher) => weigher.weigh(key, value),
            None => (size_of::<K>() + size_of::<V>()) as u64,
        };
        bytes.max(1)
    }

    /// Adds an entry to the accounts, before it is stored: it may leave again at once.
    fn account_for(&self, stamp: Stamp, weight: u32) {
        let totals = &self.totals;
        count(&totals.n_inserts);
        count(&totals.size);
        totals.bytes.fetch_add(u64::from(weight), Ordering::Relaxed);
        self.expiry.add(stamp.span(), stamp.deadline());
    }

    /// Closes the accounts of what left, tells the listener, and drops it. Called with no lock held.
    #[inline]
    pub(crate) fn settle(&self, victims: Victims<K, V>) {
        if !victims.is_empty() {
            self.settle_all(victims);
        }
    }

    fn settle_all(&self, victims: Victims<K, V>) {
        let mut panicked = None;
        for victim in victims {
            let totals = &self.totals;
            let weight = u64::from(victim.stored.weight);
            let stamp = victim.stored.stamp;
            totals.size.fetch_sub(1, Ordering::Relaxed);
            totals.bytes.fetch_sub(weight, Ordering::Relaxed);
            self.expiry.remove(stamp.span(), stamp.deadline());
            count(&totals.removed[victim.cause as usize]);
            if matches!(victim.cause, RemovalCause::Size | RemovalCause::Bytes) {
                self.ghosts.evicted(&*victim.key);
            }
            if stamp.is_tagged() {
                let key: &K = &victim.key;
                let is_back = || {
                    let stored = self.store.peek(key);
                    stored.is_some_and(|stored| stored.stamp.is_tagged())
                };
                self.tags.forget_unless(key, is_back);
            }
            if let Some(listener) = &self.listener {
                let told = AssertUnwindSafe(|| {
                    listener(&victim.key, &victim.stored.value, victim.cause);
                });
                if catch_unwind(told).is_err() {
                    count(&totals.n_listener_panics);
                    tracing::error!(cache = self.parameters.name, "a removal listener panicked");
                }
            }
            // A destructor that panics must not keep the accounts of the others open.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(move || drop(victim))) {
                panicked = Some(panic);
            }
        }
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
    }

    /// Settles for what the store removed behind our back.
    #[cold]
    pub(crate) fn collect(&self) {
        let mut victims = Victims::new();
        self.store.collect(&mut victims);
        self.settle(victims);
    }

    /// Removes a key if what is stored can no longer be served.
    pub(crate) fn remove_dead<Q>(&self, key: &Q, now: Nanos)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut victims = Victims::new();
        let dies = |stored: &Stored<V>| self.is_dead(stored, now);
        self.store
            .remove_if(key, RemovalCause::Expired, dies, &mut victims);
        self.settle(victims);
    }

    pub(super) fn keep_shared_bound(&self) {
        if let Some(member) = self.member.get() {
            member.keep_bound();
        }
    }
}
