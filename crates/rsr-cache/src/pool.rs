//! One bound of bytes over several caches.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};

use rsr_base::{ByteSize, MemoryBudget, Reservation};

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
    /// Where the bytes are reserved before they are taken.
    promised: OnceLock<Promised>,
}

/// What a budget has promised to the caches of a pool.
struct Promised {
    reservation: Mutex<Reservation>,
    /// Its size, to be compared without the lock.
    size: AtomicU64,
}

/// Bytes that are reserved ahead of what is held, so that an entry up to this size is covered before it is kept, and not
/// every write asks the budget.
const AHEAD: u64 = 512 << 10;

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
    /// Evicts where the bound is passed, and keeps what the budget has promised ahead. O(caches) where there is either.
    #[inline]
    pub(crate) fn keep_bound(&self) {
        if self.pool.limit.load(Ordering::Relaxed) != UNBOUNDED {
            self.pool.enforce();
        }
        self.pool.settle();
    }
}

impl Pool {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit: AtomicU64::new(limit),
            members: RwLock::new(Vec::new()),
            is_enforcing: AtomicBool::new(false),
            promised: OnceLock::new(),
        })
    }

    /// Reserves what is held from this budget from now on; a second one changes nothing.
    pub(crate) fn reserve_from(&self, budget: &MemoryBudget) {
        if let Ok(nothing) = budget.try_reserve(ByteSize::ZERO) {
            self.promised.get_or_init(|| Promised {
                reservation: Mutex::new(nothing),
                size: AtomicU64::new(0),
            });
        }
        self.settle();
    }

    /// Brings the reservation to a little more than what is held. Where the budget has no more to give, entries go until
    /// what is held fits.
    pub(crate) fn settle(&self) {
        let Some(promised) = self.promised.get() else {
            return;
        };
        let used = self.used();
        let size = promised.size.load(Ordering::Relaxed);
        if used + AHEAD / 2 <= size && size <= used + 2 * AHEAD {
            return;
        }
        let covered = {
            let mut reservation = promised
                .reservation
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let wanted = ByteSize::from_bytes(used + AHEAD);
            reservation.shrink_to(wanted);
            // Refused: what is promised already has to do.
            let _is_refused = reservation.try_grow_to(wanted).is_err();
            let covered = reservation.size().bytes();
            promised.size.store(covered, Ordering::Relaxed);
            covered
        };
        if used > covered && !self.is_enforcing.swap(true, Ordering::AcqRel) {
            let enforcing = Enforcing(&self.is_enforcing);
            self.evict_down_to(covered - covered / SLACK);
            drop(enforcing);
        }
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
