//! What was evicted and wanted again: a sample, to tell what size would have helped.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::backend::Hasher;

/// One key in this many is followed.
const SAMPLE: u64 = 8;
/// Evicted keys that are followed at once.
const FOLLOWED_MAX: usize = 1_024;
/// Keys wanted again before a size is recommended.
const WANTED_MIN: u64 = 50;
/// The share of them that the recommended size would have kept, in percent.
const KEPT_PERCENT: u64 = 90;

/// Remembers the hashes of some evicted keys, and how many evictions later they were missed.
///
/// That number is about what the cache would have had to hold more. Takes some 50 KiB at most, and no time where a lock
/// is taken: then the one key is not followed.
#[derive(Debug)]
pub(crate) struct Ghosts {
    n_evicted: AtomicU64,
    followed: Mutex<Followed>,
    /// Keys wanted again after 2ⁿ to 2ⁿ⁺¹ evictions.
    wanted: [AtomicU64; 64],
    hasher: Hasher,
}

#[derive(Debug, Default)]
struct Followed {
    evicted_at: HashMap<u64, u64, Hasher>,
    order: VecDeque<u64>,
}

impl Default for Ghosts {
    fn default() -> Self {
        Self {
            n_evicted: AtomicU64::new(0),
            followed: Mutex::default(),
            wanted: [const { AtomicU64::new(0) }; 64],
            hasher: Hasher::default(),
        }
    }
}

impl Ghosts {
    fn followed_hash<Q: Hash + ?Sized>(&self, key: &Q) -> Option<u64> {
        Some(self.hasher.hash_one(key)).filter(|hash| hash.is_multiple_of(SAMPLE))
    }

    /// A key was evicted for want of room.
    pub(crate) fn evicted<Q: Hash + ?Sized>(&self, key: &Q) {
        let at = self.n_evicted.fetch_add(1, Ordering::Relaxed);
        let Some(hash) = self.followed_hash(key) else {
            return;
        };
        let Ok(mut followed) = self.followed.try_lock() else {
            return;
        };
        if followed.evicted_at.insert(hash, at).is_none() {
            followed.order.push_back(hash);
        }
        while followed.order.len() > FOLLOWED_MAX {
            if let Some(oldest) = followed.order.pop_front() {
                followed.evicted_at.remove(&oldest);
            }
        }
    }

    /// A key was missed.
    pub(crate) fn missed<Q: Hash + ?Sized>(&self, key: &Q) {
        let now = self.n_evicted.load(Ordering::Relaxed);
        if now == 0 {
            return;
        }
        let Some(hash) = self.followed_hash(key) else {
            return;
        };
        let Ok(mut followed) = self.followed.try_lock() else {
            return;
        };
        if let Some(at) = followed.evicted_at.remove(&hash) {
            drop(followed);
            let distance = now.saturating_sub(at).max(1);
            self.wanted[distance.ilog2() as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Entries that would have kept most of what was wanted again; `None` before enough was.
    pub(crate) fn recommended(&self, max_entries: u64) -> Option<u64> {
        let counts = self
            .wanted
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed));
        let total: u64 = counts.iter().sum();
        if total < WANTED_MIN {
            return None;
        }
        let mut kept = 0;
        let class = counts.iter().position(|count| {
            kept += count;
            kept * 100 >= total * KEPT_PERCENT
        })?;
        let more = 1_u64.checked_shl(u32::try_from(class).ok()? + 1)?;
        Some(max_entries.saturating_add(more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_wanted_soon_after_their_eviction_ask_for_so_much_more() {
        let ghosts = Ghosts::default();
        assert_eq!(ghosts.recommended(100), None);
        for key in 0..4_000_u64 {
            ghosts.evicted(&key);
            if key >= 30 {
                ghosts.missed(&(key - 30));
            }
        }
        assert_eq!(ghosts.recommended(100), Some(100 + 32));
    }

    #[test]
    fn keys_that_never_come_back_ask_for_nothing_and_are_forgotten() {
        let ghosts = Ghosts::default();
        for key in 0..100_000_u64 {
            ghosts.evicted(&key);
            ghosts.missed(&(key + 1_000_000));
        }
        assert_eq!(ghosts.recommended(100), None);
        let followed = ghosts.followed.lock().unwrap();
        assert_eq!(followed.order.len(), FOLLOWED_MAX);
        assert_eq!(followed.evicted_at.len(), FOLLOWED_MAX);
    }
}
