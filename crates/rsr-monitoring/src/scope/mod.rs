//! The memory of one piece of work, wherever it runs.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
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

/// What a thread may allocate or free before its high-water mark is asked. Asking and resetting it takes as long as all
/// the rest together, and the counters alone bound how far a peak can lie beyond the two ends: twice this is the 64 KiB
/// to which a peak is exact.
const UNMARKED_MAX: u64 = 32 << 10;

#[inline]
fn is_little(from: ThreadCounters, to: ThreadCounters) -> bool {
    to.allocated.wrapping_sub(from.allocated) < UNMARKED_MAX
        && to.freed.wrapping_sub(from.freed) < UNMARKED_MAX
}

thread_local! {
    // Nothing in it has a destructor, so that each access is a plain one and the watch over call stacks may read it in
    // the middle of an allocation, at any moment of the thread's life.
    static THREAD: Thread = const {
        Thread {
            scope: Cell::new(ManuallyDrop::new(None)),
            part: Cell::new(0),
            entered: Moment::start(),
            base: Cell::new(0),
            peak: Cell::new(0),
            marked: Moment::start(),
        }
    };
}

/// What a thread knows of its innermost scope, in fields of their own: most of the time that entering took was waiting
/// for copies of whole structures that had just been written.
struct Thread {
    /// Never left here at the end of a thread but by one that forgets an [`Entered`].
    scope: Cell<ManuallyDrop<Option<Scope>>>,
    /// What is sampled belongs to this; 0 for nothing, as outside of any scope.
    part: Cell<u32>,
    /// When the scope was entered.
    entered: Moment,
    /// What the thread held when its high-water mark was last reset.
    base: Cell<i64>,
    /// Most it has held since the scope was entered, as far as it is known before the mark is read again.
    peak: Cell<i64>,
    /// When the high-water mark was last reset.
    marked: Moment,
}

/// The thread's counters at one moment; all 0 where nothing is counted.
struct Moment {
    allocated: Cell<u64>,
    freed: Cell<u64>,
    n_allocations: Cell<u64>,
}

impl Moment {
    const fn start() -> Self {
        Self {
            allocated: Cell::new(0),
            freed: Cell::new(0),
            n_allocations: Cell::new(0),
        }
    }

    #[inline]
    fn get(&self) -> ThreadCounters {
        ThreadCounters {
            allocated: self.allocated.get(),
            freed: self.freed.get(),
            n_allocations: self.n_allocations.get(),
        }
    }

    #[inline]
    fn set(&self, counters: ThreadCounters) {
        self.allocated.set(counters.allocated);
        self.freed.set(counters.freed);
        self.n_allocations.set(counters.n_allocations);
    }
}

/// What was current where a scope was entered inside another.
struct Outer {
    scope: Scope,
    part: u32,
    entered: ThreadCounters,
    peak: i64,
}

impl Thread {
    #[inline]
    fn replace(&self, scope: Option<Scope>) -> Option<Scope> {
        ManuallyDrop::into_inner(self.scope.replace(ManuallyDrop::new(scope)))
    }

    fn current(&self) -> Option<Scope> {
        let scope = self.replace(None);
        self.replace(scope.clone());
        scope
    }

    /// Begins a new high-water mark of the thread, whose counters these are.
    fn reset_mark(&self, counters: ThreadCounters) {
        allocator::reset_thread_peak();
        self.marked.set(counters);
    }

    /// As [`Self::reset_mark`], where the last mark is too far back; answers what the thread held at the one that counts
    /// now.
    #[inline]
    fn fresh_mark(&self, counters: ThreadCounters) -> i64 {
        let marked = self.marked.get();
        if is_little(marked, counters) {
            return marked.net();
        }
        self.reset_mark(counters);
        counters.net()
    }

    /// The peak, with what the thread's high-water mark has seen since it was reset.
    fn highest(&self, held: i64) -> i64 {
        let marked = i64::try_from(allocator::thread_peak()).unwrap_or(i64::MAX);
        self.peak
            .get()
            .max(self.base.get().saturating_add(marked))
            .max(held)
    }

    /// Makes this the innermost scope; what it is inside of is put into `outer`.
    #[inline]
    fn enter(&self, scope: Scope, outer: &mut Option<Outer>) {
        let counters = allocator::thread_counters().unwrap_or_default();
        let part = scope.totals.part.load(Ordering::Relaxed);
        let held = counters.net();
        match self.replace(Some(scope)) {
            None => self.base.set(self.fresh_mark(counters)),
            Some(scope) => {
                *outer = Some(self.put_aside(scope, counters));
                self.base.set(held);
            }
        }
        // A scope without a mark belongs to what the one around it belongs to.
        if part != 0 {
            self.part.set(part);
        }
        self.entered.set(counters);
        self.peak.set(held);
    }

    #[cold]
    fn put_aside(&self, scope: Scope, counters: ThreadCounters) -> Outer {
        let peak = self.highest(counters.net());
        self.reset_mark(counters);
        Outer {
            scope,
            part: self.part.get(),
            entered: self.entered.get(),
            peak,
        }
    }

    /// Leaves the innermost scope for what it is inside of: counts what was done and answers the scope.
    #[inline]
    fn leave(&self, outer: &mut Option<Outer>) -> Option<Scope> {
        let before = self.entered.get();
        let after = allocator::thread_counters().unwrap_or_default();
        let peak = if is_little(before, after) {
            self.peak.get().max(after.net())
        } else {
            self.highest(after.net())
        };
        let scope = if outer.is_none() {
            self.part.set(0);
            self.replace(None)
        } else {
            self.take_up(outer, after, peak)
        };
        if let Some(scope) = &scope {
            scope.add(before, after, peak);
        }
        scope
    }

    #[cold]
    fn take_up(
        &self,
        outer: &mut Option<Outer>,
        counters: ThreadCounters,
        peak: i64,
    ) -> Option<Scope> {
        let outer = outer.take()?;
        self.reset_mark(counters);
        self.base.set(counters.net());
        self.part.set(outer.part);
        self.entered.set(outer.entered);
        self.peak.set(outer.peak.max(peak));
        self.replace(Some(outer.scope))
    }
}

/// The mark of the innermost marked scope that this thread is in; 0 for none.
#[cfg(all(feature = "jemalloc", feature = "profiling"))]
pub(crate) fn current_part() -> u32 {
    THREAD.with(|thread| thread.part.get())
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
        THREAD.with(Thread::current)
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
        let (scope, entered) = THREAD.with(|thread| (thread.current(), thread.entered.get().net()));
        let elsewhere = scope?.totals.held.load(Ordering::Relaxed);
        let held = elsewhere.saturating_add(net - entered);
        Some(ByteSize::from_bytes(u64::try_from(held).unwrap_or(0)))
    }

    /// What was counted up to the last time that work was left. O(1).
    #[must_use]
    pub fn usage(&self) -> ScopeUsage {
        if !allocator::counts_threads() {
            return ScopeUsage::default();
        }
        let totals = &*self.totals;
        let allocated = totals.allocated.load(Ordering::Relaxed);
        let held = totals.held.load(Ordering::Relaxed);
        let peak = u64::try_from(totals.peak.load(Ordering::Relaxed)).unwrap_or(0);
        ScopeUsage {
            allocated: Some(ByteSize::from_bytes(allocated)),
            freed: Some(ByteSize::from_bytes(allocated.wrapping_add_signed(-held))),
            peak: Some(ByteSize::from_bytes(peak)),
            n_allocations: allocator::counts_calls()
                .then(|| totals.n_allocations.load(Ordering::Relaxed)),
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
        let n_calls = after.n_allocations.wrapping_sub(before.n_allocations);
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
    is_inside: bool,
    outer: Option<Outer>,
    /// Leaving must happen on the thread that was entered.
    on_one_thread: PhantomData<*const ()>,
}

impl<'a> Entered<'a> {
    /// Takes the scope out of `home` for as long as the work runs; `None` counts nothing.
    #[inline]
    pub(crate) fn new(home: &'a mut Option<Scope>) -> Self {
        let mut entered = Self {
            home,
            is_inside: false,
            outer: None,
            on_one_thread: PhantomData,
        };
        if let Some(scope) = entered.home.take() {
            entered.is_inside = true;
            THREAD.with(|thread| thread.enter(scope, &mut entered.outer));
        }
        entered
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.is_inside {
            *self.home = THREAD.with(|thread| thread.leave(&mut self.outer));
        }
    }
}
