//! A wrapper around any allocator that counts, for programs whose allocator does not count by itself.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use super::ThreadCounters;

/// Wraps the allocator of a program and counts calls and bytes of each thread.
///
/// Needed where the allocator has no counters of its own, or where the number of calls is wanted beside the bytes. It
/// adds some nanoseconds to a call, and counts the bytes asked for, not the slightly larger blocks they live in.
///
/// ```
/// use std::alloc::System;
/// use rsr_monitoring::CountingAllocator;
///
/// #[global_allocator]
/// static ALLOCATOR: CountingAllocator<System> = CountingAllocator::new(System);
///
/// fn main() {
///     assert!(rsr_monitoring::counts_threads());
/// }
/// ```
#[derive(Debug, Default)]
pub struct CountingAllocator<A> {
    inner: A,
}

impl<A> CountingAllocator<A> {
    /// Counts what goes through `inner`.
    pub const fn new(inner: A) -> Self {
        Self { inner }
    }
}

#[derive(Clone, Copy)]
struct Counts {
    allocated: u64,
    freed: u64,
    n_allocations: u64,
    /// Most of `allocated - freed` since the last reset, and that difference at the reset.
    peak: i64,
    base: i64,
}

thread_local! {
    // Without a destructor, so that it can be written while a thread is being taken down.
    static COUNTS: Cell<Counts> = const {
        Cell::new(Counts { allocated: 0, freed: 0, n_allocations: 0, peak: 0, base: 0 })
    };
}

static IN_USE: AtomicBool = AtomicBool::new(false);

fn count(allocated: usize, freed: usize) {
    COUNTS.with(|cell| {
        let mut counts = cell.get();
        counts.allocated = counts.allocated.wrapping_add(allocated as u64);
        counts.freed = counts.freed.wrapping_add(freed as u64);
        if allocated > 0 {
            counts.n_allocations = counts.n_allocations.wrapping_add(1);
        }
        counts.peak = counts.peak.max(net(counts));
        cell.set(counts);
    });
    if !IN_USE.load(Ordering::Relaxed) {
        IN_USE.store(true, Ordering::Relaxed);
    }
}

fn net(counts: Counts) -> i64 {
    ThreadCounters {
        allocated: counts.allocated,
        freed: counts.freed,
        n_allocations: counts.n_allocations,
    }
    .net()
}

// SAFETY: every call goes to the inner allocator with the same arguments and its answer comes back unchanged; counting
// allocates nothing.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CountingAllocator<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise, passed on.
        unsafe { self.inner.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise, passed on.
        unsafe { self.inner.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { self.inner.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size, layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { self.inner.realloc(block, layout, new_size) }
    }
}

#[inline]
pub(super) fn is_in_use() -> bool {
    IN_USE.load(Ordering::Relaxed)
}

#[inline]
pub(super) fn thread_counters() -> Option<ThreadCounters> {
    is_in_use().then(|| {
        let counts = COUNTS.get();
        ThreadCounters {
            allocated: counts.allocated,
            freed: counts.freed,
            n_allocations: counts.n_allocations,
        }
    })
}

pub(super) fn reset_thread_peak() {
    COUNTS.with(|cell| {
        let mut counts = cell.get();
        counts.base = net(counts);
        counts.peak = counts.base;
        cell.set(counts);
    });
}

pub(super) fn thread_peak() -> u64 {
    let counts = COUNTS.get();
    u64::try_from(counts.peak - counts.base).unwrap_or(0)
}
