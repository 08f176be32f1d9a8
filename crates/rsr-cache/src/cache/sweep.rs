//! Removing what is expired, everything, or what memory is wanted back from.

use std::sync::atomic::Ordering;

use rsr_base::{ByteSize, Reclaim};

use super::{Cache, Inner};
use crate::backend::{Holding, Key, Value};
use crate::removal::Victims;
use crate::stats::{Cleanup, CleanupSummary, KEYS_SHOWN_MAX};

impl<K: Key, V: Value> Cache<K, V> {
    /// Removes every entry that can no longer be served, and answers which. O(entries); writers wait at most for a
    /// short stretch of it.
    ///
    /// A value written meanwhile stays: what is removed is decided anew, with the key locked, for each entry.
    #[expect(
        clippy::must_use_candidate,
        reason = "done for its effect; the report may go unread"
    )]
    pub fn cleanup(&self) -> Cleanup<K> {
        self.inner.cleanup(false)
    }

    /// What [`Cache::cleanup`] would remove now. Removes nothing.
    #[must_use]
    pub fn cleanup_dry_run(&self) -> Cleanup<K> {
        self.inner.cleanup(true)
    }

    /// Removes every entry. Their memory is free when this returns, but for values that somebody still holds.
    ///
    /// Loads that are under way answer their callers, but no longer write.
    pub fn clear(&self) {
        self.inner.clear();
    }
}

impl<K: Key, V: Value> Inner<K, V> {
    /// Removes every entry, and says what left.
    pub(super) fn clear(&self) -> CleanupSummary {
        self.flights.supersede_all();
        let mut victims = Victims::new();
        self.store.clear(&mut victims);
        let mut summary = CleanupSummary::default();
        for victim in victims.iter() {
            self.note(&mut summary, &victim.key, victim.stored.weight);
        }
        self.settle(victims);
        summary
    }

    /// What [`Inner::clear`] would remove now.
    pub(super) fn clear_dry_run(&self) -> CleanupSummary {
        let mut summary = CleanupSummary {
            is_dry_run: true,
            ..CleanupSummary::default()
        };
        self.store.visit(|key, stored| {
            self.note(&mut summary, key, stored.weight);
            true
        });
        summary
    }

    /// Counts an entry in a report, and names its key while few are named.
    fn note(&self, summary: &mut CleanupSummary, key: &K, weight: u32) {
        summary.n_removed += 1;
        summary.bytes = summary.bytes + ByteSize::from_bytes(u64::from(weight));
        if summary.keys.len() < KEYS_SHOWN_MAX
            && let Some(text) = &self.key_text
        {
            summary.keys.push(text(key));
        }
    }

    /// A sweep's report, in which keys are text.
    pub(super) fn summary(&self, cleanup: &Cleanup<K>) -> CleanupSummary {
        let shown = cleanup.keys.iter().take(KEYS_SHOWN_MAX);
        CleanupSummary {
            n_removed: cleanup.keys.len() as u64,
            bytes: cleanup.bytes,
            is_dry_run: cleanup.is_dry_run,
            keys: match &self.key_text {
                Some(text) => shown.map(|key| text(key)).collect(),
                None => Vec::new(),
            },
        }
    }

    /// Entries that stay when memory is asked back.
    fn floor_entries(&self) -> u64 {
        self.parameters.floor_entries(self.limits.max_entries())
    }

    pub(super) fn cleanup(&self, is_dry_run: bool) -> Cleanup<K> {
        let now = self.time.now();
        let mut keys = Vec::new();
        let mut bytes = 0_u64;
        self.store.visit(|key, stored| {
            if self.is_dead(stored, now) {
                keys.push(key.clone());
                bytes = bytes.saturating_add(u64::from(stored.weight));
            }
            true
        });
        if !is_dry_run {
            bytes = 0;
            keys.retain(|key| {
                let given = self.expire(key, now);
                bytes = bytes.saturating_add(given.unwrap_or(0));
                given.is_some()
            });
            let mut victims = Victims::new();
            self.store.settle(&mut victims);
            self.settle(victims);
        }
        Cleanup {
            keys,
            bytes: ByteSize::from_bytes(bytes),
            is_dry_run,
        }
    }

    /// Removes a key whose value can no longer be served; answers its bytes, `None` where another took its place.
    fn expire(&self, key: &K, now: u64) -> Option<u64> {
        use crate::removal::RemovalCause::Expired;
        let mut victims = Victims::new();
        self.store.remove_if(
            key,
            Expired,
            |stored| self.is_dead(stored, now),
            &mut victims,
        );
        let given = victims
            .iter()
            .find(|victim| victim.cause == Expired && *victim.key == *key)
            .map(|victim| u64::from(victim.stored.weight));
        self.settle(victims);
        given
    }

    /// Evicts about this many bytes down to the floor, and answers how many it were.
    pub(crate) fn give_back(&self, wanted: u64, floor: u64) -> u64 {
        let before = self.totals.bytes.load(Ordering::Relaxed);
        let held = Holding {
            entries: self.totals.size.load(Ordering::Relaxed),
            bytes: before,
            floor,
        };
        let mut victims = Victims::new();
        self.store.evict(wanted, held, &mut victims);
        let given = victims
            .iter()
            .map(|victim| u64::from(victim.stored.weight))
            .sum();
        self.settle(victims);
        given
    }
}

/// Expired entries go first, then the least useful, down to the floor.
impl<K: Key, V: Value> Reclaim for Cache<K, V> {
    fn name(&self) -> &str {
        self.name()
    }

    fn held(&self) -> ByteSize {
        ByteSize::from_bytes(self.inner.totals.bytes.load(Ordering::Relaxed))
    }

    fn reclaim(&self, wanted: ByteSize) -> ByteSize {
        let expired = self.inner.cleanup(false).bytes;
        let missing = (wanted - expired).bytes();
        let floor = self.inner.floor_entries();
        let evicted = if missing > 0 {
            self.inner.give_back(missing, floor)
        } else {
            0
        };
        let given = expired + ByteSize::from_bytes(evicted);
        let counter = &self.inner.totals.bytes_reclaimed;
        counter.fetch_add(given.bytes(), Ordering::Relaxed);
        given
    }
}
