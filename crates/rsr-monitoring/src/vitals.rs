//! The few figures that every request shows, kept where reading them costs nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use rsr_base::ByteSize;

use crate::{Reading, Readings};

/// The newest figures of process and machine, read and written without a lock.
///
/// Someone who measures now and then stores what was found ([`Vitals::store`]); whoever needs a figure in the middle of
/// a request loads it. Between two measurements the heap's figure follows what requests left behind, each of those that
/// left 4 KiB or more.
///
/// Cloning gives another handle on the same figures.
#[derive(Clone, Debug, Default)]
pub struct Vitals {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Heap bytes as measured; `u64::MAX` before the first measurement.
    heap: AtomicU64,
    /// Bytes that measured work left behind since then.
    drift: AtomicI64,
    /// Used share of the machine's memory in hundredths of a percent; `u32::MAX` where unknown.
    system_used: AtomicU32,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            heap: AtomicU64::new(u64::MAX),
            drift: AtomicI64::new(0),
            system_used: AtomicU32::new(u32::MAX),
        }
    }
}

impl Vitals {
    /// No figures yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Measures everything and keeps what requests show. About 100 µs.
    pub fn refresh(&self, readings: &Readings) -> Reading {
        let reading = readings.take();
        self.store(&reading);
        reading
    }

    /// Keeps what requests show of this reading: the heap's allocated bytes, or the resident ones where the allocator
    /// does not tell, and the machine's used share.
    pub fn store(&self, reading: &Reading) {
        let heap = match (reading.heap, reading.process) {
            (Some(heap), _) => Some(heap.allocated),
            (None, process) => process.map(|process| process.resident),
        };
        self.inner.drift.store(0, Ordering::Relaxed);
        self.inner
            .heap
            .store(heap.map_or(u64::MAX, ByteSize::bytes), Ordering::Relaxed);
        let used = reading.system.map_or(u32::MAX, |system| {
            let total = system.total.bytes().max(1);
            let share = u128::from(system.used().bytes()) * 10_000 / u128::from(total);
            u32::try_from(share).unwrap_or(u32::MAX)
        });
        self.inner.system_used.store(used, Ordering::Relaxed);
    }

    /// Bytes the heap holds now, as far as it is known.
    #[must_use]
    pub fn heap(&self) -> Option<ByteSize> {
        let measured = self.inner.heap.load(Ordering::Relaxed);
        let drift = self.inner.drift.load(Ordering::Relaxed);
        (measured != u64::MAX).then(|| ByteSize::from_bytes(measured.saturating_add_signed(drift)))
    }

    /// The used share of the machine's memory, from 0 to 100.
    #[must_use]
    pub fn system_used_percent(&self) -> Option<f64> {
        let used = self.inner.system_used.load(Ordering::Relaxed);
        (used != u32::MAX).then(|| f64::from(used) / 100.0)
    }

    /// Lets the heap's figure follow work whose bytes were measured: what it left behind, or below zero what it freed.
    pub fn drift(&self, bytes: i64) {
        if bytes != 0 {
            self.inner.drift.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}
