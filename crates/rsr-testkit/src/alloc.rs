//! An allocator that counts, for assertions on memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, with the bytes it holds and the most it ever held.
///
/// A test binary that asserts on memory installs it:
///
/// ```
/// use rsr_testkit::CountingAllocator;
///
/// #[global_allocator]
/// static ALLOCATOR: CountingAllocator = CountingAllocator::new();
///
/// let (length, peak) = rsr_testkit::peak_of(&ALLOCATOR, || vec![0_u8; 1_000_000].len());
/// assert_eq!(length, 1_000_000);
/// assert!((1_000_000..1_100_000).contains(&peak.bytes()));
/// ```
///
/// Counts are of the whole process: a test that measures runs in a process, or at least a lock, of its own.
/// [`peak_of`] takes a lock against other measurements, not against other tests.
#[derive(Debug, Default)]
pub struct CountingAllocator {
    held: AtomicUsize,
    peak: AtomicUsize,
}

impl CountingAllocator {
    /// An allocator that has given out nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            held: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        }
    }

    /// Bytes given out and not taken back.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    fn grow(&self, size: usize) {
        let held = self.held.fetch_add(size, Ordering::SeqCst) + size;
        self.peak.fetch_max(held, Ordering::SeqCst);
    }

    fn shrink(&self, size: usize) {
        self.held.fetch_sub(size, Ordering::SeqCst);
    }
}

#[expect(
    unsafe_code,
    reason = "the trait is unsafe; every call is passed on as it came"
)]
// SAFETY: each call goes to `System` with the arguments it came with, and counting does not allocate.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        let place = unsafe { System.alloc(layout) };
        if !place.is_null() {
            self.grow(layout.size());
        }
        place
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc_zeroed`.
        let place = unsafe { System.alloc_zeroed(layout) };
        if !place.is_null() {
            self.grow(layout.size());
        }
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(place, layout) };
        self.shrink(layout.size());
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::realloc`.
        let moved = unsafe { System.realloc(place, layout, size) };
        if !moved.is_null() {
            self.grow(size);
            self.shrink(layout.size());
        }
        moved
    }
}

static MEASURING: Mutex<()> = Mutex::new(());

/// Runs `work` and tells how far the heap rose above where it was before.
///
/// Two measurements wait for each other. What other threads of the process allocate meanwhile is counted too.
pub fn peak_of<T>(
    allocator: &CountingAllocator,
    work: impl FnOnce() -> T,
) -> (T, rsr_base::ByteSize) {
    let _alone = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
    let before = allocator.held();
    allocator.peak.store(before, Ordering::SeqCst);
    let answer = work();
    let rise = allocator.peak.load(Ordering::SeqCst).saturating_sub(before);
    (answer, rsr_base::ByteSize::from_bytes(rise as u64))
}

/// Bytes that `work` leaves on the heap when it has returned and its answer is dropped; negative where it freed more.
pub fn left_by<T>(allocator: &CountingAllocator, work: impl FnOnce() -> T) -> i64 {
    let _alone = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
    let before = allocator.held();
    drop(work());
    let after = allocator.held();
    i64::try_from(after).unwrap_or(i64::MAX) - i64::try_from(before).unwrap_or(i64::MAX)
}
