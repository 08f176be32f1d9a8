//! One bound of bytes over several caches.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::cache::AnyCache;

/// A bound of none.
pub(crate) const UNBOUNDED: u64 = u64::MAX;
/// The part of the bound that an enforcement leaves free, so that the next write does not need one.
const SLACK: u64 = 64;

/// Counts the bytes of its members and evicts where they pass the limit.
pub(crate) struct Pool {
    limit: AtomicU64,
    used: AtomicU64,
    members: Mutex<Vec<Weak<dyn AnyCache>>>,
    is_enforcing: AtomicBool,
}

/// A cache's share in a [`Pool`].
#[expect(unnameable_types, reason = "it appears in a sealed trait alone")]
#[derive(Clone)]
pub struct Member {
    pool: Arc<Pool>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").finish_non_exhaustive()
    }
}

impl Member {
    #[inline]
    pub(crate) fn take(&self, bytes: u64) {
        self.pool.used.fetch_add(bytes, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn give(&self, bytes: u64) {
        self.pool.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn keep_bound(&self) {
        let limit = self.pool.limit.load(Ordering::Relaxed);
        if self.pool.used.load(Ordering::Relaxed) > limit {
            self.pool.enforce();
        }
    }
}

impl Pool {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit: AtomicU64::new(limit),
            used: AtomicU64::new(0),
            members: Mutex::new(Vec::new()),
            is_enforcing: AtomicBool::new(false),
        })
    }

    pub(crate) fn limit(&self) -> Option<u64> {
        Some(self.limit.load(Ordering::Relaxed)).filter(|limit| *limit != UNBOUNDED)
    }

    pub(crate) fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
        self.enforce();
    }

    pub(crate) fn join(self: &Arc<Self>, cache: &Arc<dyn AnyCache>) {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.retain(|member| member.strong_count() > 0);
        members.push(Arc::downgrade(cache));
        drop(members);
        cache.join_pool(Member {
            pool: Arc::clone(self),
        });
        self.enforce();
    }

    /// Evicts until the limit holds. One thread does it at a time; the others go on, and what they write is seen by the
    /// one before it stops.
    fn enforce(&self) {
        loop {
            let limit = self.limit.load(Ordering::Relaxed);
            if self.used.load(Ordering::Relaxed) <= limit
                || self.is_enforcing.swap(true, Ordering::AcqRel)
            {
                return;
            }
            let enforcing = Enforcing(&self.is_enforcing);
            self.evict_down_to(limit - limit / SLACK);
            let is_stuck = self.used.load(Ordering::Relaxed) > limit;
            drop(enforcing);
            if is_stuck {
                // Nothing more can be evicted: what is counted is on its way in or out in other threads.
                return;
            }
        }
    }

    fn evict_down_to(&self, goal: u64) {
        let members: Vec<_> = {
            let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
            members.iter().filter_map(Weak::upgrade).collect()
        };
        let mut by_use: Vec<_> = members
            .iter()
            .map(|cache| (uselessness(&**cache), cache))
            .collect();
        by_use.sort_by(|(left, _), (right, _)| right.total_cmp(left));
        for is_last_round in [false, true] {
            for (_, cache) in &by_use {
                let over = self.used.load(Ordering::Relaxed).saturating_sub(goal);
                if over == 0 {
                    return;
                }
                // First each gives half at most, so that one cache is not emptied for the others' sake.
                let held = cache.held().bytes();
                let most = if is_last_round {
                    held
                } else {
                    held.div_ceil(2)
                };
                cache.give_back(over.min(most));
            }
        }
    }
}

/// Bytes weighed by the share of lookups that they do not help.
fn uselessness(cache: &dyn AnyCache) -> f64 {
    let stats = cache.stats();
    let missed = 1.0 - stats.hit_ratio().unwrap_or(0.0);
    crate::stats::ratio(stats.bytes.bytes(), 1) * (0.05 + missed)
}

/// Ends the enforcement, also where user code panics in it.
struct Enforcing<'a>(&'a AtomicBool);

impl Drop for Enforcing<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
