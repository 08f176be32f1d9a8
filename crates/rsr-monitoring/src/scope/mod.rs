//! The memory of one piece of work, wherever it runs.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};

use rsr_base::ByteSize;

use crate::allocator::{self, ThreadCounters};

/// Counts the bytes that one piece of work allocates and frees: a request, an import, one roll-up.
///
/// The allocator's own counters of the running thread are read when the work is entered and when it is left, so only
/// what runs inside counts, on any number of threads, and two pieces of work that take turns on one thread do not see
/// each other. Entering and leaving takes some nanoseconds and no system call.
///
/// A scope inside another counts for both. Work handed to another thread or task counts where it is started with
/// [`Scope::carry`] or `Scope::carry_future`.
///
/// Cloning gives another handle on the same counts.
///
/// ```
/// use rsr_monitoring::Scope;
///
/// let scope = Scope::new();
/// let page = scope.run(|| vec![0_u8; 100_000]);
/// let memory = scope.usage();
/// // Absent where the allocator does not count, as in this example.
/// assert!(memory.allocated.is_none_or(|bytes| bytes.bytes() >= 100_000));
/// # drop(page);
/// ```
#[derive(Clone, Default)]
pub struct Scope {
    totals: Arc<Totals>,
}

#[derive(Debug, Default)]
struct Totals {
    allocated: AtomicU64,
    n_allocations: AtomicU64,
    /// Bytes held at the last time the work was left (allocated less freed), and the most ever held.
    held: AtomicI64,
    peak: AtomicI64,
    /// What its samples are collected for; 0 for nothing.
    part: AtomicU32,
}

/// What a [`Scope`] has counted so far. Figures that the allocator does not tell are absent, never 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScopeUsage {
    /// Bytes allocated.
    pub allocated: Option<ByteSize>,
    /// Bytes freed, whoever allocated them.
    pub freed: Option<ByteSize>,
    /// Most bytes held at once, above what was held at the start; exact to 64 KiB a thread with jemalloc.
    pub peak: Option<ByteSize>,
    /// Calls that allocated; known only under `CountingAllocator`.
    pub n_allocations: Option<u64>,
}

impl ScopeUsage {
    /// Bytes allocated less bytes freed: what the work left behind, or below zero where it freed what others made.
    #[must_use]
    pub fn retained(&self) -> Option<i64> {
        let (allocated, freed) = (self.allocated?.bytes(), self.freed?.bytes());
        Some(
            i64::try_from(i128::from(allocated) - i128::from(freed)).unwrap_or(
                if allocated > freed {
                    i64::MAX
                } else {
                    i64::MIN
                },
            ),
        )
    }
}

thread_local! {
    static CURRENT: RefCell<Current> = const { RefCell::new(Current { scope: None, entered: 0, base: 0, peak: 0 }) };
}

thread_local! {
    /// The thread's counters when its high-water mark was last reset.
    static MARKED: Cell<ThreadCounters> = const { Cell::new(ThreadCounters { allocated: 0, freed: 0, n_allocations: None }) };
}

/// What a thread may allocate or free before its high-water mark is asked. Asking and resetting it takes as long as all
/// the rest together, and the counters alone bound how far a peak can lie beyond the two ends: twice this is the 64 KiB
/// to which a peak is exact.
const UNMARKED_MAX: u64 = 32 << 10;

fn is_little(from: ThreadCounters, to: ThreadCounters) -> bool {
    to.allocated.wrapping_sub(from.allocated) < UNMARKED_MAX
        && to.freed.wrapping_sub(from.freed) < UNMARKED_MAX
}

/// Begins a new high-water mark of the thread, whose counters these are.
fn reset_mark(counters: ThreadCounters) {
    allocator::reset_thread_peak();
    MARKED.set(counters);
}

/// As [`reset_mark`], where the last mark is too far back; answers what the thread held at the one that counts now.
fn fresh_mark(counters: ThreadCounters) -> i64 {
    let marked = MARKED.get();
    if is_little(marked, counters) {
        return marked.net();
    }
    reset_mark(counters);
    counters.net()
}

thread_local! {
    // Apart from the above, since it is read in the middle of an allocation, when that may be borrowed.
    static PART: Cell<u32> = const { Cell::new(0) };
}

/// The mark of the innermost marked scope that this thread is in; 0 for none.
#[cfg(all(feature = "jemalloc", feature = "profiling"))]
pub(crate) fn current_part() -> u32 {
    PART.get()
}

/// The innermost scope of a thread. `base` and `peak` are differences of the thread's counters, in bytes.
struct Current {
    scope: Option<Scope>,
    /// What the thread held when the scope was entered.
    entered: i64,
    /// What the thread held when its high-water mark was last reset.
    base: i64,
    /// Most it has held since the scope was entered, as far as it is known before the mark is read again.
    peak: i64,
}

impl Current {
    /// The peak, with what the thread's high-water mark has seen since it was reset.
    fn highest(&self, held: i64) -> i64 {
        let marked = i64::try_from(allocator::thread_peak()).unwrap_or(i64::MAX);
        self.peak.max(self.base.saturating_add(marked)).max(held)
    }
}

impl Scope {
    /// A scope that has counted nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The innermost scope the calling code runs in.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.with_borrow(|current| current.scope.clone())
    }

    /// Runs `work` and counts it.
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        let mut slot = Some(self.clone());
        let _entered = Entered::new(&mut slot);
        work()
    }

    /// Makes `work` count for the scope that is current now, wherever it runs later: on a blocking thread, in a pool.
    ///
    /// Outside of any scope it runs as it is.
    ///
    /// ```
    /// use rsr_monitoring::Scope;
    ///
    /// let scope = Scope::new();
    /// let worker = scope.run(|| std::thread::spawn(Scope::carry(|| vec![0_u8; 1 << 20].len())));
    /// assert_eq!(worker.join().ok(), Some(1 << 20));
    /// // The megabyte counts for `scope`, though another thread took it.
    /// assert!(scope.usage().allocated.is_none_or(|bytes| bytes.bytes() >= 1 << 20));
    /// ```
    pub fn carry<R, F: FnOnce() -> R>(work: F) -> impl FnOnce() -> R + use<R, F> {
        let scope = Self::current();
        move || match scope {
            Some(scope) => scope.run(work),
            None => work(),
        }
    }

    /// Marks what is sampled in this scope from its next poll on.
    #[cfg(all(feature = "jemalloc", feature = "profiling"))]
    pub(crate) fn set_part(&self, part: u32) {
        self.totals.part.store(part, Ordering::Relaxed);
    }

    /// Bytes that the innermost scope of this thread holds at this moment: what it has allocated less what it has freed, on
    /// this thread up to now and on others up to when they left it. `None` outside of any scope, and where the allocator
    /// does not count.
    #[must_use]
    pub fn held_now() -> Option<ByteSize> {
        let net = allocator::thread_counters()?.net();
        CURRENT.with_borrow(|current| {
            let elsewhere = current.scope.as_ref()?.totals.held.load(Ordering::Relaxed);
            let held = elsewhere.saturating_add(net - current.entered);
            Some(ByteSize::from_bytes(u64::try_from(held).unwrap_or(0)))
        })
    }

    /// What was counted up to the last time that work was left. O(1).
    #[must_use]
    pub fn usage(&self) -> ScopeUsage {
        let Some(counters) = allocator::thread_counters() else {
            return ScopeUsage::default();
        };
        let totals = &*self.totals;
        let allocated = totals.allocated.load(Ordering::Relaxed);
        let held = totals.held.load(Ordering::Relaxed);
        let peak = u64::try_from(totals.peak.load(Ordering::Relaxed)).unwrap_or(0);
        ScopeUsage {
            allocated: Some(ByteSize::from_bytes(allocated)),
            freed: Some(ByteSize::from_bytes(allocated.wrapping_add_signed(-held))),
            peak: Some(ByteSize::from_bytes(peak)),
            n_allocations: counters
                .n_allocations
                .map(|_known| totals.n_allocations.load(Ordering::Relaxed)),
        }
    }

    /// What [`ScopeUsage::retained`] says, and 0 where the allocator does not count.
    #[cfg(feature = "layer")]
    pub(crate) fn retained(&self) -> i64 {
        self.totals.held.load(Ordering::Relaxed)
    }
}

impl Scope {
    /// Adds what the running thread did between two moments, with `peak` as the most that it held in between.
    fn add(&self, before: ThreadCounters, after: ThreadCounters, peak: i64) {
        let allocated = after.allocated.wrapping_sub(before.allocated);
        if allocated == 0 && after.freed == before.freed {
            return;
        }
        let totals = &*self.totals;
        let n_calls = match (before.n_allocations, after.n_allocations) {
            (Some(before), Some(after)) => after.wrapping_sub(before),
            _ => 0,
        };
        let held = after.net() - before.net();
        let held_before = if Arc::strong_count(&self.totals) == 1 {
            // Nobody else can be here: this thread has the only handle, and no other one can be made but from it. A load
            // and a store take a fraction of what a locked instruction does. The fence lets this thread see what the
            // last other handle added before it went.
            fence(Ordering::Acquire);
            let add = |total: &AtomicU64, more: u64| {
                let sum = total.load(Ordering::Relaxed).wrapping_add(more);
                total.store(sum, Ordering::Relaxed);
            };
            add(&totals.allocated, allocated);
            add(&totals.n_allocations, n_calls);
            let held_before = totals.held.load(Ordering::Relaxed);
            totals
                .held
                .store(held_before.wrapping_add(held), Ordering::Relaxed);
            held_before
        } else {
            totals.allocated.fetch_add(allocated, Ordering::Relaxed);
            totals.n_allocations.fetch_add(n_calls, Ordering::Relaxed);
            totals.held.fetch_add(held, Ordering::Relaxed)
        };
        let peak = held_before.saturating_add(peak - before.net());
        // Looked at first: most of the time it is no new one, and writing costs more.
        if peak > totals.peak.load(Ordering::Relaxed) {
            totals.peak.fetch_max(peak, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scope").field(&self.usage()).finish()
    }
}

/// The scope is current until this is dropped; it lies in the thread's variable meanwhile and then goes back.
pub(crate) struct Entered<'a> {
    home: &'a mut Option<Scope>,
    outer: Option<Current>,
    before: Option<ThreadCounters>,
    outer_part: u32,
    /// Leaving must happen on the thread that was entered.
    on_one_thread: PhantomData<*const ()>,
}

impl<'a> Entered<'a> {
    /// Takes the scope out of `home` for as long as the work runs; `None` counts nothing.
    #[inline]
    pub(crate) fn new(home: &'a mut Option<Scope>) -> Self {
        // At its first use on a thread the C library notes that the variable is to be dropped at the thread's end. Where its
        // memory comes from the counted allocator as well, those bytes are nobody's.
        CURRENT.with(|_current| ());
        let before = allocator::thread_counters();
        let outer_part = PART.get();
        let outer = home.take().map(|scope| {
            // A scope without a mark belongs to what the one around it belongs to.
            let part = scope.totals.part.load(Ordering::Relaxed);
            if part != 0 {
                PART.set(part);
            }
            CURRENT.with_borrow_mut(|current| {
                let held = before.map_or(0, ThreadCounters::net);
                let base = match before {
                    // Nothing to count: the scope is only made known to `Scope::current`.
                    None => held,
                    Some(counters) if current.scope.is_some() => {
                        current.peak = current.highest(held);
                        reset_mark(counters);
                        held
                    }
                    Some(counters) => fresh_mark(counters),
                };
                let inner = Current {
                    scope: Some(scope),
                    entered: held,
                    base,
                    peak: held,
                };
                std::mem::replace(current, inner)
            })
        });
        Self {
            home,
            outer,
            before,
            outer_part,
            on_one_thread: PhantomData,
        }
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        let Some(mut outer) = self.outer.take() else {
            return;
        };
        PART.set(self.outer_part);
        let after = allocator::thread_counters();
        CURRENT.with_borrow_mut(|current| {
            if let (Some(before), Some(after)) = (self.before, after) {
                let held = after.net();
                let peak = if is_little(before, after) {
                    current.peak.max(held)
                } else {
                    current.highest(held)
                };
                if let Some(scope) = &current.scope {
                    scope.add(before, after, peak);
                }
                if outer.scope.is_some() {
                    reset_mark(after);
                    outer.peak = outer.peak.max(peak);
                    outer.base = held;
                }
            }
            *self.home = std::mem::replace(current, outer).scope;
        });
    }
}
