//! One counter, one gauge.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::histogram::Histogram;

/// What a family is made of: [`Counter`], [`Gauge`] or [`Histogram`].
pub trait Series: Clone + sealed::Sealed {}

pub(super) mod sealed {
    use super::Slot;

    /// Keeps [`Series`](super::Series) to the kinds that can be written.
    #[expect(
        unnameable_types,
        reason = "a sealing trait cannot be named outside, on purpose"
    )]
    pub trait Sealed: Sized {
        /// The handle in a slot of this kind; a family holds no other.
        fn of(slot: &Slot) -> Self;
    }
}

/// What the registry keeps of a series.
#[expect(unnameable_types, reason = "only the sealed trait speaks of it")]
#[derive(Clone, Debug)]
pub enum Slot {
    /// Of a family of counters.
    Counter(Counter),
    /// Of a family of gauges.
    Gauge(Gauge),
    /// Of a family of histograms.
    Histogram(Histogram),
}

/// A figure that only rises. Cloning gives another handle on the same figure.
#[derive(Clone, Default)]
pub struct Counter {
    value: Arc<AtomicU64>,
}

impl Counter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.value.fetch_add(n, Ordering::Relaxed);
    }

    /// Takes over a total that is counted elsewhere. A total below the one known is passed over: counters never fall.
    pub fn follow(&self, total: u64) {
        self.value.fetch_max(total, Ordering::Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counter").field(&self.value()).finish()
    }
}

/// A figure that rises and falls, or is not known. Cloning gives another handle on the same figure.
#[derive(Clone)]
pub struct Gauge {
    bits: Arc<AtomicU64>,
}

/// Stands for "not known"; a NaN that is set by hand counts as not known too.
const ABSENT: f64 = f64::NAN;

impl Gauge {
    /// Sets the figure.
    pub fn set(&self, value: f64) {
        self.bits.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Sets a count or a number of bytes; beyond 2^53 the nearest figure that a scrape can carry.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the text formats know no numbers but 64-bit floating point"
    )]
    pub fn set_count(&self, value: u64) {
        self.set(value as f64);
    }

    /// Sets a figure that may be absent; then the series is left out of scrapes.
    pub fn set_or_clear(&self, value: Option<u64>) {
        match value {
            Some(value) => self.set_count(value),
            None => self.clear(),
        }
    }

    /// Adds to the figure; one that is absent counts as 0.
    pub fn add(&self, change: f64) {
        self.bits
            .update(Ordering::Relaxed, Ordering::Relaxed, |bits| {
                let value = f64::from_bits(bits);
                (if value.is_nan() {
                    change
                } else {
                    value + change
                })
                .to_bits()
            });
    }

    /// Makes the figure absent.
    pub fn clear(&self) {
        self.set(ABSENT);
    }

    /// The figure, if it is known.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        let value = f64::from_bits(self.bits.load(Ordering::Relaxed));
        (!value.is_nan()).then_some(value)
    }
}

impl Default for Gauge {
    fn default() -> Self {
        Self {
            bits: Arc::new(AtomicU64::new(ABSENT.to_bits())),
        }
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gauge").field(&self.value()).finish()
    }
}

macro_rules! series {
    ($($name:ident),*) => {$(
        impl Series for $name {}
        impl sealed::Sealed for $name {
            fn of(slot: &Slot) -> Self {
                match slot {
                    Slot::$name(series) => series.clone(),
                    _ => unreachable!("a family holds series of its own kind alone"),
                }
            }
        }
    )*};
}

series!(Counter, Gauge, Histogram);
