//! Counting without making threads wait for each other.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// All but the last belong to one thread each; the last is for all other threads.
const STRIPES: usize = 16;
const SHARED: usize = STRIPES - 1;

/// What a lookup can count.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(crate) enum Read {
    Hit = 0,
    Miss = 1,
    Stale = 2,
    Negative = 3,
}

/// Counters of lookups, striped: a thread adds to a cache line that it alone writes to, or to one that it shares with
/// those that came when all others were taken.
///
/// Adding costs a load and a store, in the shared stripe an atomic addition; reading sums [`STRIPES`] lines, whatever
/// the cache's size.
#[derive(Debug, Default)]
pub(crate) struct ReadCounters {
    stripes: [Stripe; STRIPES],
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Stripe {
    counts: [AtomicU64; 4],
}

/// Sums over all stripes at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReadCounts {
    pub(crate) n_hits: u64,
    pub(crate) n_misses: u64,
    pub(crate) n_stale: u64,
    pub(crate) n_negative: u64,
}

impl ReadCounters {
    #[inline]
    pub(crate) fn add(&self, what: Read) {
        let stripe = Stripes::of_thread();
        let counter = &self.stripes[stripe].counts[what as usize];
        if stripe == SHARED {
            counter.fetch_add(1, Ordering::Relaxed);
        } else {
            // Nobody else writes here, so nothing is lost in between; an addition in one step would cost five times this.
            let count = counter.load(Ordering::Relaxed);
            counter.store(count.wrapping_add(1), Ordering::Relaxed);
        }
    }

    pub(crate) fn sum(&self) -> ReadCounts {
        let of = |what: Read| {
            self.stripes
                .iter()
                .map(|stripe| stripe.counts[what as usize].load(Ordering::Relaxed))
                .fold(0, u64::wrapping_add)
        };
        ReadCounts {
            n_hits: of(Read::Hit),
            n_misses: of(Read::Miss),
            n_stale: of(Read::Stale),
            n_negative: of(Read::Negative),
        }
    }
}

/// Which stripes have an owner, a bit each.
struct Stripes {
    taken: AtomicU32,
}

/// A thread's own stripe, the same in all counters, until the thread ends.
struct Own {
    stripe: usize,
}

static ALL: Stripes = Stripes {
    taken: AtomicU32::new(0),
};

impl Stripes {
    /// The stripe that this thread adds to, below [`STRIPES`].
    #[inline]
    fn of_thread() -> usize {
        thread_local! {
            static OWN: Own = ALL.take();
        }
        // A thread that is ending, in the destructor of one of its own values, has given its stripe back.
        OWN.try_with(|own| own.stripe).unwrap_or(SHARED)
    }

    fn take(&'static self) -> Own {
        let lowest_free = |taken: u32| {
            let stripe = taken.trailing_ones() as usize;
            (stripe < SHARED).then(|| taken | 1 << stripe)
        };
        // Acquiring sees what the last owner has stored, which it released.
        let before = self
            .taken
            .try_update(Ordering::Acquire, Ordering::Relaxed, lowest_free);
        Own {
            stripe: before.map_or(SHARED, |taken| taken.trailing_ones() as usize),
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if self.stripe != SHARED {
            ALL.taken.fetch_and(!(1 << self.stripe), Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn no_addition_is_lost_between_threads() {
        let counters = ReadCounters::default();
        thread::scope(|scope| {
            for _ in 0..STRIPES + 3 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        counters.add(Read::Hit);
                        counters.add(Read::Negative);
                    }
                });
            }
        });
        let sum = counters.sum();
        assert_eq!((sum.n_hits, sum.n_negative), (19_000, 19_000));
        assert_eq!((sum.n_misses, sum.n_stale), (0, 0));
    }

    #[test]
    fn a_stripe_goes_from_a_thread_that_ends_to_the_next() {
        let counters = ReadCounters::default();
        for _ in 0..200 {
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| counters.add(Read::Miss));
                }
            });
        }
        assert_eq!(counters.sum().n_misses, 800);
        let own = thread::spawn(Stripes::of_thread).join().unwrap();
        assert!(own <= SHARED);
    }
}
