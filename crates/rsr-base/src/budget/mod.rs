//! A tree of pools that memory is reserved from before it is used.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::ByteSize;

#[cfg(test)]
mod tests;

/// A pool of memory that work reserves from before it grows.
///
/// Pools form a tree. A reservation counts in its pool and in each pool above, and is refused by the first that would
/// pass its limit: a child may be allowed more than is left, but never gets it. Reserving is a few atomic additions
/// for each level, and takes no lock.
///
/// The budget counts promises and does not measure: comparing [`MemoryBudget::used`] with the allocator's figures is
/// the monitor's work.
///
/// Cloning gives another handle on the same pool. A pool lives as long as a handle, a reservation or a child of it.
#[derive(Clone)]
pub struct MemoryBudget {
    pool: Arc<Pool>,
}

struct Pool {
    name: String,
    limit: AtomicU64,
    used: AtomicU64,
    peak: AtomicU64,
    refused: AtomicU64,
    parent: Option<Arc<Self>>,
    children: Mutex<Vec<Weak<Self>>>,
}

/// What one pool holds, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolUsage {
    /// The pool's name; names are for people and need not be unique.
    pub name: String,
    /// Levels below the pool that was asked, which is 0.
    pub depth: usize,
    /// Most bytes the pool may promise.
    pub limit: ByteSize,
    /// Bytes promised now, by the pool and all below it.
    pub used: ByteSize,
    /// Most bytes ever promised at once.
    pub peak: ByteSize,
    /// Reservations this pool refused.
    pub n_refused: u64,
}

/// A reservation that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pool} has {left} of {limit} left, {wanted} more is needed")]
#[non_exhaustive]
pub struct OverBudget {
    /// The pool that refused: the one asked, or one above it.
    pub pool: String,
    /// Its limit.
    pub limit: ByteSize,
    /// What it had left.
    pub left: ByteSize,
    /// What was asked for.
    pub wanted: ByteSize,
}

impl MemoryBudget {
    /// A pool of its own, with nothing above it.
    #[must_use]
    pub fn root(name: impl Into<String>, limit: ByteSize) -> Self {
        Self {
            pool: Pool::new(name.into(), limit, None),
        }
    }

    /// A new pool below this one.
    #[must_use]
    pub fn child(&self, name: impl Into<String>, limit: ByteSize) -> Self {
        let pool = Pool::new(name.into(), limit, Some(Arc::clone(&self.pool)));
        let mut children = self
            .pool
            .children
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        children.retain(|child| child.strong_count() > 0);
        children.push(Arc::downgrade(&pool));
        drop(children);
        Self { pool }
    }

    /// Promises `size` bytes until the reservation is dropped.
    ///
    /// # Errors
    ///
    /// [`OverBudget`] names the pool that has too little left; nothing was reserved. The caller sheds the work, waits,
    /// or asks for less.
    pub fn try_reserve(&self, size: ByteSize) -> Result<Reservation, OverBudget> {
        self.pool.take(size)?;
        Ok(Reservation {
            pool: Arc::clone(&self.pool),
            size,
        })
    }

    /// The pool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.pool.name
    }

    /// Most bytes this pool may promise.
    #[must_use]
    pub fn limit(&self) -> ByteSize {
        ByteSize::from_bytes(self.pool.limit.load(Ordering::Relaxed))
    }

    /// Changes the limit. A limit below what is used takes nothing back; it refuses what comes next.
    pub fn set_limit(&self, limit: ByteSize) {
        self.pool.limit.store(limit.bytes(), Ordering::Relaxed);
    }

    /// Bytes promised now, by this pool and all below it.
    #[must_use]
    pub fn used(&self) -> ByteSize {
        ByteSize::from_bytes(self.pool.used.load(Ordering::Relaxed))
    }

    /// Most bytes ever promised at once.
    #[must_use]
    pub fn peak(&self) -> ByteSize {
        ByteSize::from_bytes(self.pool.peak.load(Ordering::Relaxed))
    }

    /// This pool and all that live below it, a pool before its children. O(pools).
    #[must_use]
    pub fn usage(&self) -> Vec<PoolUsage> {
        let mut all = Vec::new();
        let mut waiting = vec![(Arc::clone(&self.pool), 0)];
        while let Some((pool, depth)) = waiting.pop() {
            all.push(pool.usage(depth));
            let children = pool.children.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.extend(
                children
                    .iter()
                    .rev()
                    .filter_map(Weak::upgrade)
                    .map(|child| (child, depth + 1)),
            );
        }
        all
    }
}

impl fmt::Debug for MemoryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBudget")
            .field("name", &self.pool.name)
            .field("limit", &self.limit())
            .field("used", &self.used())
            .finish_non_exhaustive()
    }
}

impl Pool {
    fn new(name: String, limit: ByteSize, parent: Option<Arc<Self>>) -> Arc<Self> {
        Arc::new(Self {
            name,
            limit: AtomicU64::new(limit.bytes()),
            used: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            parent,
            children: Mutex::new(Vec::new()),
        })
    }

    /// This pool, then each above it.
    fn upwards(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |pool| pool.parent.as_deref())
    }

    fn take(&self, size: ByteSize) -> Result<(), OverBudget> {
        for pool in self.upwards() {
            if let Err(refusal) = pool.take_here(size.bytes()) {
                for taken in self
                    .upwards()
                    .take_while(|below| !std::ptr::eq(*below, pool))
                {
                    taken.give_here(size.bytes());
                }
                return Err(refusal);
            }
        }
        Ok(())
    }

    fn take_here(&self, size: u64) -> Result<(), OverBudget> {
        let limit = self.limit.load(Ordering::Relaxed);
        let grown = |used: u64| used.checked_add(size).filter(|sum| *sum <= limit);
        match self
            .used
            .try_update(Ordering::Relaxed, Ordering::Relaxed, grown)
        {
            Ok(before) => {
                self.peak.fetch_max(before + size, Ordering::Relaxed);
                Ok(())
            }
            Err(used) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(OverBudget {
                    pool: self.name.clone(),
                    limit: ByteSize::from_bytes(limit),
                    left: ByteSize::from_bytes(limit.saturating_sub(used)),
                    wanted: ByteSize::from_bytes(size),
                })
            }
        }
    }

    fn give(&self, size: ByteSize) {
        for pool in self.upwards() {
            pool.give_here(size.bytes());
        }
    }

    fn give_here(&self, size: u64) {
        let before = self.used.fetch_sub(size, Ordering::Relaxed);
        debug_assert!(
            before >= size,
            "a pool gives back only what was taken from it"
        );
    }

    fn usage(&self, depth: usize) -> PoolUsage {
        PoolUsage {
            name: self.name.clone(),
            depth,
            limit: ByteSize::from_bytes(self.limit.load(Ordering::Relaxed)),
            used: ByteSize::from_bytes(self.used.load(Ordering::Relaxed)),
            peak: ByteSize::from_bytes(self.peak.load(Ordering::Relaxed)),
            n_refused: self.refused.load(Ordering::Relaxed),
        }
    }
}

/// Bytes promised by a [`MemoryBudget`], given back when this is dropped.
#[must_use = "a reservation that is dropped at once holds nothing"]
pub struct Reservation {
    pool: Arc<Pool>,
    size: ByteSize,
}

impl Reservation {
    /// Bytes this reservation holds.
    #[must_use]
    pub fn size(&self) -> ByteSize {
        self.size
    }

    /// Adds `more` bytes.
    ///
    /// # Errors
    ///
    /// [`OverBudget`] as for [`MemoryBudget::try_reserve`]; what was held before is still held.
    pub fn try_grow(&mut self, more: ByteSize) -> Result<(), OverBudget> {
        self.pool.take(more)?;
        self.size = self.size + more;
        Ok(())
    }

    /// Adds what is missing to hold `size` in all. One that holds more is left as it is.
    ///
    /// # Errors
    ///
    /// As [`Reservation::try_grow`].
    pub fn try_grow_to(&mut self, size: ByteSize) -> Result<(), OverBudget> {
        if size <= self.size {
            return Ok(());
        }
        self.try_grow(size - self.size)
    }

    /// Gives back all above `size`; a reservation of less is left as it is.
    pub fn shrink_to(&mut self, size: ByteSize) {
        self.pool.give(self.size - size);
        self.size = self.size.min(size);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.pool.give(self.size);
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("pool", &self.pool.name)
            .field("size", &self.size)
            .finish()
    }
}
