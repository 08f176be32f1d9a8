//! Counting without making threads wait for each other.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const STRIPES: usize = 16;

/// What a lookup can count.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(crate) enum Read {
    Hit = 0,
    Miss = 1,
    Stale = 2,
    Negative = 3,
}

/// Counters of lookups, striped: a thread adds to a cache line that few others touch.
///
/// Adding costs one uncontended atomic addition; reading sums [`STRIPES`] lines, whatever the cache's size.
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
        self.stripes[stripe_of_thread()].counts[what as usize].fetch_add(1, Ordering::Relaxed);
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

/// The stripe that this thread adds to, below [`STRIPES`]: handed out in turn.
#[inline]
fn stripe_of_thread() -> usize {
    const UNSET: usize = usize::MAX;
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static STRIPE: Cell<usize> = const { Cell::new(UNSET) };
    }
    STRIPE.with(|stripe| {
        let mut index = stripe.get();
        if index == UNSET {
            index = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
            stripe.set(index);
        }
        index
    })
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
}
