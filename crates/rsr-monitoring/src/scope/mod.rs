//! The memory of one piece of work, wherever it runs.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use rsr_base::ByteSize;

use crate::allocator;

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
    freed: AtomicU64,
    n_allocations: AtomicU64,
    /// Bytes held at the last time the work was left, and the most ever held.
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
        if !allocator::counts_threads() {
            return ScopeUsage::default();
        }
        let totals = &*self.totals;
        let bytes =
            |counter: &AtomicU64| Some(ByteSize::from_bytes(counter.load(Ordering::Relaxed)));
        ScopeUsage {
            allocated: bytes(&totals.allocated),
            freed: bytes(&totals.freed),
            peak: Some(ByteSize::from_bytes(
                u64::try_from(totals.peak.load(Ordering::Relaxed)).unwrap_or(0),
            )),
            n_allocations: allocator::thread_counters()
                .and_then(|counters| counters.n_allocations)
                .map(|_known| totals.n_allocations.load(Ordering::Relaxed)),
        }
    }
}

impl Totals {
    fn add(&self, before: allocator::ThreadCounters, after: allocator::ThreadCounters, peak: i64) {
        let allocated = after.allocated.wrapping_sub(before.allocated);
        let freed = after.freed.wrapping_sub(before.freed);
        self.allocated.fetch_add(allocated, Ordering::Relaxed);
        self.freed.fetch_add(freed, Ordering::Relaxed);
        if let (Some(before), Some(after)) = (before.n_allocations, after.n_allocations) {
            self.n_allocations
                .fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
        }
        let held_before = self
            .held
            .fetch_add(after.net() - before.net(), Ordering::Relaxed);
        self.peak.fetch_max(
            held_before.saturating_add(peak - before.net()),
            Ordering::Relaxed,
        );
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
    before: Option<allocator::ThreadCounters>,
    outer_part: u32,
    /// Leaving must happen on the thread that was entered.
    on_one_thread: PhantomData<*const ()>,
}

impl<'a> Entered<'a> {
    /// Takes the scope out of `home` for as long as the work runs; `None` counts nothing.
    pub(crate) fn new(home: &'a mut Option<Scope>) -> Self {
        let before = allocator::thread_counters();
        let outer_part = PART.get();
        let outer = home.take().map(|scope| {
            // A scope without a mark belongs to what the one around it belongs to.
            let part = scope.totals.part.load(Ordering::Relaxed);
            if part != 0 {
                PART.set(part);
            }
            CURRENT.with_borrow_mut(|current| {
                let held = before.map_or(0, allocator::ThreadCounters::net);
                if before.is_none() {
                    // Nothing to count: the scope is only made known to `Scope::current`.
                } else {
                    if current.scope.is_some() {
                        current.peak = current.highest(held);
                    }
                    allocator::reset_thread_peak();
                }
                let inner = Current {
                    scope: Some(scope),
                    entered: held,
                    base: held,
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
    fn drop(&mut self) {
        let Some(mut outer) = self.outer.take() else {
            return;
        };
        PART.set(self.outer_part);
        let after = allocator::thread_counters();
        CURRENT.with_borrow_mut(|current| {
            if let (Some(before), Some(after)) = (self.before, after) {
                let held = after.net();
                let peak = current.highest(held);
                if let Some(scope) = &current.scope {
                    scope.totals.add(before, after, peak);
                }
                if outer.scope.is_some() {
                    allocator::reset_thread_peak();
                    outer.peak = outer.peak.max(peak);
                    outer.base = held;
                }
            }
            *self.home = std::mem::replace(current, outer).scope;
        });
    }
}
