//! Filling ahead.

use std::sync::atomic::Ordering;

use super::Cache;
use crate::backend::{Key, Value};

/// How far a warming went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warmed {
    /// Entries written.
    pub n_filled: u64,
    /// Why it stopped.
    pub end: WarmEnd,
}

/// Why a warming stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WarmEnd {
    /// There was nothing more to fill in.
    Done,
    /// The share of the bound was reached.
    Full,
    /// Memory was short.
    Pressure,
}

impl<K: Key, V: Value> Cache<K, V> {
    /// Writes entries ahead of their use, and stops where `share_percent` of the entries or bytes allowed are held, or
    /// `is_short` says that memory is. The items that are then left are not taken from the iterator.
    ///
    /// A key that is valid already is left as it is.
    ///
    /// ```
    /// use rsr_cache::{Cache, WarmEnd};
    ///
    /// let squares: Cache<u64, u64> = Cache::builder("squares").max_entries(100).build()?;
    /// let warmed = squares.warm((0..).map(|n| (n, n * n)), 80, || false);
    /// assert_eq!((warmed.n_filled, warmed.end), (80, WarmEnd::Full));
    /// # Ok::<(), rsr_cache::BuildError>(())
    /// ```
    pub fn warm(
        &self,
        entries: impl IntoIterator<Item = (K, V)>,
        share_percent: u8,
        mut is_short: impl FnMut() -> bool,
    ) -> Warmed {
        let parameters = &self.inner.parameters;
        let share = |whole: u64| {
            let part = u128::from(whole) * u128::from(share_percent.min(100)) / 100;
            u64::try_from(part).unwrap_or(whole)
        };
        let goal = share(self.inner.limits.max_entries());
        let goal_bytes = parameters
            .max_bytes
            .map_or(u64::MAX, |max| share(max.bytes()));
        let mut entries = entries.into_iter();
        let mut n_filled = 0;
        let end = loop {
            let bytes = self.inner.totals.bytes.load(Ordering::Relaxed);
            if self.len() >= goal || bytes >= goal_bytes {
                break WarmEnd::Full;
            }
            if is_short() {
                break WarmEnd::Pressure;
            }
            let Some((key, value)) = entries.next() else {
                break WarmEnd::Done;
            };
            if !self.contains(&key) {
                self.insert(key, value);
                n_filled += 1;
            }
        };
        Warmed { n_filled, end }
    }
}
