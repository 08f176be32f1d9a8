//! One bound of bytes over several caches.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use crate::cache::AnyCache;

/// A bound of none.
pub(crate) const UNBOUNDED: u64 = u64::MAX;
/// The part of the bound that an enforcement leaves free, so that the next write does not need one.
const SLACK: u64 = 64;

/// Sums the bytes of its members up and evicts where they pass the limit.
///
/// Each member counts its own bytes, and the pool keeps no second account of them: a cache may join while others write
/// to it, and nothing is counted twice or left out.
pub(crate) struct Pool {
    limit: AtomicU64,
    members: RwLock<Vec<Joined>>,
    is_enforcing: AtomicBool,
}

/// A member as its pool knows it.
struct Joined {
    bytes: Arc<AtomicU64>,
    cache: Weak<dyn AnyCache>,
}

/// A cache's way to the [`Pool`] that it is in.
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
    /// Evicts where the bound is passed. O(caches) where there is one.
    #[inline]
    pub(crate) fn keep_bound(&self) {
        if self.pool.limit.load(Ordering::Relaxed) != UNBOUNDED {
            self.pool.enforce();
        }
    }
}

impl Pool {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit: AtomicU64::new(limit),
            members: RwLock::new(Vec::new()),
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

    fn used(&self) -> u64 {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        let bytes = members
            .iter()
            .map(|member| member.bytes.load(Ordering::Relaxed));
        bytes.fold(0, u64::saturating_add)
    }

    pub(crate) fn join(self: &Arc<Self>, cache: &Arc<dyn AnyCache>) {
        let joined = Joined {
            bytes: cache.bytes_held(),
            cache: Arc::downgrade(cache),
        };
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        members.push(joined);
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
            if self.used() <= limit || self.is_enforcing.swap(true, Ordering::AcqRel) {
                return;
            }
            let enforcing = Enforcing(&self.is_enforcing);
            self.evict_down_to(limit - limit / SLACK);
            let is_stuck = self.used() > limit;
            drop(enforcing);
            if is_stuck {
                // Nothing more can be evicted: what is counted is on its way in or out in other threads.
                return;
            }
        }
    }

    fn evict_down_to(&self, goal: u64) {
        let members: Vec<_> = {
            let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
            let caches = members.iter().map(|member| &member.cache);
            caches.filter_map(Weak::upgrade).collect()
        };
        let mut by_use: Vec<_> = members
            .iter()
            .map(|cache| (uselessness(&**cache), cache))
            .collect();
        by_use.sort_by(|(left, _), (right, _)| right.total_cmp(left));
        for is_last_round in [false, true] {
            for (_, cache) in &by_use {
                let over = self.used().saturating_sub(goal);
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
