//! A histogram.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Observations sorted by size. Cloning gives another handle on the same figures.
///
/// An observation is one addition to its bucket and one to the sum; no lock.
#[derive(Clone)]
pub struct Histogram {
    inner: Arc<Inner>,
}

struct Inner {
    bounds: Arc<[f64]>,
    /// One for each bound, and one for what is above the last. Not cumulative; the writer adds up.
    buckets: Box<[AtomicU64]>,
    sum_bits: AtomicU64,
}

impl Histogram {
    pub(super) fn new(bounds: Arc<[f64]>) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self {
            inner: Arc::new(Inner {
                bounds,
                buckets,
                sum_bits: AtomicU64::new(0.0_f64.to_bits()),
            }),
        }
    }

    /// Counts one observation. What is not a number is passed over.
    pub fn observe(&self, value: f64) {
        if value.is_nan() {
            return;
        }
        let place = self.inner.bounds.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.inner.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.inner
            .sum_bits
            .update(Ordering::Relaxed, Ordering::Relaxed, |bits| {
                (f64::from_bits(bits) + value).to_bits()
            });
    }

    /// Counts one observation of a number of bytes or things.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the text formats know no numbers but 64-bit floating point"
    )]
    pub fn observe_count(&self, value: u64) {
        self.observe(value as f64);
    }

    /// Counts one observation of a time, in seconds.
    pub fn observe_duration(&self, value: Duration) {
        self.observe(value.as_secs_f64());
    }

    /// Observations so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts().iter().sum()
    }

    /// The sum of all observations.
    #[must_use]
    pub fn sum(&self) -> f64 {
        f64::from_bits(self.inner.sum_bits.load(Ordering::Relaxed))
    }

    pub(super) fn bounds(&self) -> &[f64] {
        &self.inner.bounds
    }

    /// One count for each bound and one for what is above, not cumulative.
    pub(super) fn counts(&self) -> Vec<u64> {
        self.inner
            .buckets
            .iter()
            .map(|bucket| bucket.load(Ordering::Relaxed))
            .collect()
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count())
            .field("sum", &self.sum())
            .finish_non_exhaustive()
    }
}
