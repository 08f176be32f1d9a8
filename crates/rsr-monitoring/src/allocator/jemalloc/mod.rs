//! jemalloc through its `mallctl` interface.

use std::cell::Cell;
use std::ffi::{CStr, c_void};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use rsr_base::ByteSize;
use tikv_jemalloc_sys as sys;

use super::{HeapReading, ThreadCounters};

#[cfg(feature = "profiling")]
pub(crate) mod hooks;
#[cfg(feature = "profiling")]
pub(crate) mod sampling;

/// A plain number or truth value that `mallctl` copies in and out.
///
/// # Safety
///
/// Every bit pattern that jemalloc writes for a figure of this size is a value of the type.
unsafe trait Figure: Copy + Default {}
// SAFETY: every bit pattern is a `u64`.
unsafe impl Figure for u64 {}
// SAFETY: every bit pattern is a `usize`.
unsafe impl Figure for usize {}
// SAFETY: every address is a `*mut u64`; it is not followed here.
unsafe impl Figure for Address {}

#[derive(Clone, Copy)]
#[repr(transparent)]
struct Address(*mut u64);

impl Default for Address {
    fn default() -> Self {
        Self(ptr::null_mut())
    }
}

/// Reads one figure; `None` where jemalloc has none of that name and size.
fn read<T: Figure>(name: &CStr) -> Option<T> {
    let mut value = T::default();
    let mut length = size_of::<T>();
    // SAFETY: the name ends in NUL, `value` has room for `length` bytes, and nothing is written to jemalloc. A figure
    // of another size is refused by jemalloc with an error.
    let error = unsafe {
        sys::mallctl(
            name.as_ptr(),
            ptr::from_mut(&mut value).cast::<c_void>(),
            &raw mut length,
            ptr::null_mut(),
            0,
        )
    };
    (error == 0).then_some(value)
}

/// Writes one figure; `false` where jemalloc refuses it.
fn write<T: Figure>(name: &CStr, mut value: T) -> bool {
    // SAFETY: the name ends in NUL, `value` holds as many bytes as stated and is only read.
    let error = unsafe {
        sys::mallctl(
            name.as_ptr(),
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::from_mut(&mut value).cast::<c_void>(),
            size_of::<T>(),
        )
    };
    error == 0
}

/// Runs an action that takes no value; `false` where jemalloc refuses it.
fn act(name: &CStr) -> bool {
    // SAFETY: the name ends in NUL and nothing is passed in or out.
    let error = unsafe {
        sys::mallctl(
            name.as_ptr(),
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            0,
        )
    };
    error == 0
}

/// Where jemalloc counts the bytes of one thread.
#[derive(Clone, Copy)]
struct Counters {
    allocated: NonNull<u64>,
    freed: NonNull<u64>,
}

thread_local! {
    // Known where jemalloc is the global allocator. Holds no value that needs a destructor, so it can be read at any
    // moment of a thread's life.
    static COUNTERS: Cell<Option<Counters>> = const { Cell::new(None) };
    // Bytes this thread allocated and freed for the watch over call stacks, which are nobody's.
    static UNCOUNTED: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// What the running thread allocates and frees until this is dropped is left out of its counters.
#[cfg(feature = "profiling")]
#[derive(Debug)]
pub(crate) struct Uncounted {
    before: Option<ThreadCounters>,
}

#[cfg(feature = "profiling")]
impl Uncounted {
    pub(crate) fn begin() -> Self {
        Self {
            before: thread_counters(),
        }
    }
}

#[cfg(feature = "profiling")]
impl Drop for Uncounted {
    fn drop(&mut self) {
        if let (Some(before), Some(after)) = (self.before, thread_counters()) {
            let (allocated, freed) = UNCOUNTED.get();
            UNCOUNTED.set((
                allocated.wrapping_add(after.allocated.wrapping_sub(before.allocated)),
                freed.wrapping_add(after.freed.wrapping_sub(before.freed)),
            ));
        }
    }
}

impl Counters {
    fn of_this_thread() -> Option<Self> {
        Some(Self {
            allocated: NonNull::new(read::<Address>(c"thread.allocatedp")?.0)?,
            freed: NonNull::new(read::<Address>(c"thread.deallocatedp")?.0)?,
        })
    }

    #[inline]
    fn now(self) -> ThreadCounters {
        let (allocated, freed) = UNCOUNTED.get();
        ThreadCounters {
            // SAFETY: jemalloc promises that the address stays valid for the life of the thread that asked for it, and
            // this is only kept in variables of that thread (`NonNull` keeps it from going to another); nobody else
            // writes there.
            allocated: unsafe { self.allocated.read() }.wrapping_sub(allocated),
            // SAFETY: as above.
            freed: unsafe { self.freed.read() }.wrapping_sub(freed),
            n_allocations: 0,
        }
    }
}

/// Whether the program's allocations go to jemalloc at all: it may be linked and not be the global allocator.
fn is_global() -> bool {
    static IS_GLOBAL: OnceLock<bool> = OnceLock::new();
    *IS_GLOBAL.get_or_init(|| {
        const PROBE: usize = 4096;
        let Some(counters) = Counters::of_this_thread() else {
            return false;
        };
        let before = counters.now();
        drop(std::hint::black_box(Vec::<u8>::with_capacity(PROBE)));
        counters.now().allocated.wrapping_sub(before.allocated) >= PROBE as u64
    })
}

#[inline]
pub(super) fn thread_counters() -> Option<ThreadCounters> {
    match COUNTERS.get() {
        Some(known) => Some(known.now()),
        None => first_thread_counters(),
    }
}

#[cold]
fn first_thread_counters() -> Option<ThreadCounters> {
    let found = is_global().then(Counters::of_this_thread).flatten()?;
    COUNTERS.set(Some(found));
    Some(found.now())
}

/// A name resolved once into the numbers by which jemalloc finds it, which makes asking cheap.
struct Mib {
    parts: [usize; 3],
}

impl Mib {
    fn resolve(name: &CStr) -> Option<Self> {
        let mut parts = [0; 3];
        let mut length = parts.len();
        // SAFETY: the name ends in NUL, and `parts` has room for `length` numbers.
        let error =
            unsafe { sys::mallctlnametomib(name.as_ptr(), parts.as_mut_ptr(), &raw mut length) };
        (error == 0 && length == 3).then_some(Self { parts })
    }

    fn read_u64(&self) -> Option<u64> {
        let mut value = 0_u64;
        let mut length = size_of::<u64>();
        // SAFETY: `parts` came from `mallctlnametomib`, `value` has room for `length` bytes, nothing is written in.
        let error = unsafe {
            sys::mallctlbymib(
                self.parts.as_ptr(),
                self.parts.len(),
                ptr::from_mut(&mut value).cast::<c_void>(),
                &raw mut length,
                ptr::null_mut(),
                0,
            )
        };
        (error == 0).then_some(value)
    }

    fn act(&self) -> bool {
        // SAFETY: `parts` came from `mallctlnametomib`; nothing is passed in or out.
        let error = unsafe {
            sys::mallctlbymib(
                self.parts.as_ptr(),
                self.parts.len(),
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
                0,
            )
        };
        error == 0
    }
}

struct PeakNames {
    read: Mib,
    reset: Mib,
}

fn peak_names() -> Option<&'static PeakNames> {
    static NAMES: OnceLock<Option<PeakNames>> = OnceLock::new();
    NAMES
        .get_or_init(|| {
            is_global().then_some(())?;
            Some(PeakNames {
                read: Mib::resolve(c"thread.peak.read")?,
                reset: Mib::resolve(c"thread.peak.reset")?,
            })
        })
        .as_ref()
}

pub(super) fn reset_thread_peak() {
    if let Some(names) = peak_names() {
        names.reset.act();
    }
}

pub(super) fn thread_peak() -> Option<u64> {
    peak_names()?.read.read_u64()
}

pub(super) fn heap() -> Option<HeapReading> {
    if !is_global() {
        return None;
    }
    // Figures are copies, brought up to date by moving the epoch on.
    write(c"epoch", 1_u64).then_some(())?;
    let bytes = |name| read::<usize>(name).map(|bytes| ByteSize::from_bytes(bytes as u64));
    // jemalloc counts what threads keep ready for their next allocations as allocated: a few hundred kilobytes that come
    // and go with the threads and that nobody holds.
    let kept_ready = read::<usize>(c"stats.arenas.4096.tcache_bytes").unwrap_or_default();
    let allocated = read::<usize>(c"stats.allocated")?.saturating_sub(kept_ready);
    Some(HeapReading {
        allocated: ByteSize::from_bytes(allocated as u64),
        active: bytes(c"stats.active")?,
        metadata: bytes(c"stats.metadata")?,
        resident: bytes(c"stats.resident")?,
        mapped: bytes(c"stats.mapped")?,
        retained: bytes(c"stats.retained")?,
    })
}

/// Whether allocations are being sampled for heap profiles.
#[cfg(feature = "profiling")]
#[must_use]
pub fn is_sampling() -> bool {
    sampling::is_active()
}

/// Gives the operating system back every page that holds no allocation, where jemalloc is in use.
///
/// Takes time in proportion to the pages given back; the next allocations fault them in again.
pub fn purge() {
    if is_global() {
        // 4096 is jemalloc's number for "all arenas" (`MALLCTL_ARENAS_ALL`).
        act(c"arena.4096.purge");
    }
}
