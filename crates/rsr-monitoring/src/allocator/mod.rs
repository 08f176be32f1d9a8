//! What the allocator knows: the counters of each thread, and the figures of the heap.
//!
//! The only module with `unsafe` code. Everything it shows outside is safe, and absent (`None`) where the process runs
//! on another allocator.
#![cfg_attr(
    any(feature = "jemalloc", feature = "counting-allocator"),
    expect(
        unsafe_code,
        reason = "the allocator speaks C, and an allocator is an unsafe trait"
    )
)]

#[cfg(feature = "counting-allocator")]
mod counting;
#[cfg(feature = "jemalloc")]
mod jemalloc;

use rsr_base::ByteSize;

#[cfg(feature = "counting-allocator")]
pub use counting::CountingAllocator;
#[cfg(all(feature = "jemalloc", feature = "profiling"))]
pub use jemalloc::is_sampling;
#[cfg(feature = "jemalloc")]
pub use jemalloc::purge;
#[cfg(all(feature = "jemalloc", feature = "profiling"))]
pub(crate) use jemalloc::{Uncounted, hooks, sampling};

/// What one thread has allocated and freed since it began.
///
/// A thread that frees what another one allocated counts the freed bytes as its own, so only sums over all threads of a
/// piece of work mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ThreadCounters {
    pub(crate) allocated: u64,
    pub(crate) freed: u64,
    /// Calls that allocated; 0 where they are not counted.
    pub(crate) n_allocations: u64,
}

impl ThreadCounters {
    /// Bytes the thread holds more than it gave back; below zero where it frees what others allocated.
    #[expect(
        clippy::cast_possible_wrap,
        reason = "the difference of two counters, each below 2^63, wraps to the right value"
    )]
    #[inline]
    pub(crate) fn net(self) -> i64 {
        self.allocated.wrapping_sub(self.freed) as i64
    }
}

/// The counters of the calling thread. A few nanoseconds, no system call, no lock.
#[inline]
pub(crate) fn thread_counters() -> Option<ThreadCounters> {
    #[cfg(feature = "counting-allocator")]
    let counted = counting::thread_counters();
    #[cfg(not(feature = "counting-allocator"))]
    let counted: Option<ThreadCounters> = None;

    #[cfg(feature = "jemalloc")]
    if let Some(bytes) = jemalloc::thread_counters() {
        return Some(ThreadCounters {
            n_allocations: counted.map_or(0, |counted| counted.n_allocations),
            ..bytes
        });
    }
    counted
}

/// Whether calls are counted beside bytes: only the counting wrapper does.
pub(crate) fn counts_calls() -> bool {
    #[cfg(feature = "counting-allocator")]
    return counting::is_in_use();
    #[cfg(not(feature = "counting-allocator"))]
    false
}

/// Begins a new high-water mark of the calling thread: from now on [`thread_peak`] counts from what is held now.
pub(crate) fn reset_thread_peak() {
    #[cfg(feature = "counting-allocator")]
    counting::reset_thread_peak();
    #[cfg(feature = "jemalloc")]
    jemalloc::reset_thread_peak();
}

/// Most bytes the calling thread held at once, above what it held at [`reset_thread_peak`].
///
/// jemalloc looks every 64 KiB of allocation, so a peak between two looks can be missed by that much.
pub(crate) fn thread_peak() -> u64 {
    #[cfg(feature = "jemalloc")]
    if let Some(peak) = jemalloc::thread_peak() {
        return peak;
    }
    #[cfg(feature = "counting-allocator")]
    return counting::thread_peak();
    #[cfg(not(feature = "counting-allocator"))]
    0
}

/// Figures of the whole heap, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeapReading {
    /// Bytes that the program holds: allocated and not yet freed.
    pub allocated: ByteSize,
    /// Bytes in pages that hold at least one allocation.
    pub active: ByteSize,
    /// Bytes the allocator keeps about its own work.
    pub metadata: ByteSize,
    /// Bytes of physical memory that the allocator holds, freed pages that it has not returned yet included.
    pub resident: ByteSize,
    /// Bytes of address space the allocator has mapped.
    pub mapped: ByteSize,
    /// Bytes of address space kept for later whose physical memory was given back.
    pub retained: ByteSize,
}

/// The figures of the heap, fresh; `None` where the allocator does not tell. About 35 µs.
pub(crate) fn heap() -> Option<HeapReading> {
    #[cfg(feature = "jemalloc")]
    return jemalloc::heap();
    #[cfg(not(feature = "jemalloc"))]
    None
}

/// Whether allocations of this process are counted for each thread, so that requests can be measured to the byte.
#[must_use]
pub fn counts_threads() -> bool {
    thread_counters().is_some()
}
