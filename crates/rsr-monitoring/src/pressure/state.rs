//! The level of a process, who hears of it, and what is done about it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rsr_base::{ByteSize, MemoryBudget, Reclaim, SharedClock};

use super::{PressureLevel, PressureSteps};
use crate::Reading;

/// Changes that are kept; older ones are dropped.
const CHANGES_MAX: usize = 100;

/// A group this close to its limit, in the kernel's own count, is about to be killed.
const GUARD_SHARE: f64 = 0.97;

/// Tasks that stand still for this share of the time are short of memory, whatever the counts say.
const GUARD_STALL: f64 = 0.4;

/// How long a refused client should wait.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Follows how short memory is and acts on it.
///
/// Someone calls [`Pressure::update`] with a fresh [`Reading`] about once a second; everyone else asks
/// [`Pressure::level`] or [`Pressure::admit`], which is one atomic load.
///
/// What counts is the heap's allocated bytes against the limit: resident memory stays high after a burst and would
/// refuse work for ever. The kernel's count and its stalls come in only as the last guard.
///
/// Cloning gives another handle on the same state.
///
/// ```
/// use rsr_base::{ByteSize, MemoryBudget, system_clock};
/// use rsr_monitoring::{Pressure, PressureLevel, PressureSteps, Readings, Work};
///
/// let budget = MemoryBudget::root("process", ByteSize::from_mib(512));
/// let pressure = Pressure::new(PressureSteps::default(), budget, system_clock());
/// if let Some(change) = pressure.update(&Readings::of_this_process().take()) {
///     println!("memory pressure {} -> {}", change.from.name(), change.to.name());
/// }
/// if let Err(shed) = pressure.admit(Work::Heavy) {
///     println!("{shed}");
/// }
/// ```
#[derive(Clone)]
pub struct Pressure {
    inner: Arc<Inner>,
}

struct Inner {
    level: AtomicU8,
    steps: Mutex<PressureSteps>,
    /// Bytes the process plans for; 0 where the readings say.
    planned: AtomicU64,
    budget: MemoryBudget,
    clock: SharedClock,
    sources: Mutex<Vec<Arc<dyn Reclaim>>>,
    changes: Mutex<VecDeque<PressureChange>>,
    n_changes: AtomicU64,
    n_shed: AtomicU64,
    reclaimed: AtomicU64,
    updating: Mutex<()>,
}

/// One change of level.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PressureChange {
    /// When.
    pub at: SystemTime,
    /// The level before.
    pub from: PressureLevel,
    /// The level from then on.
    pub to: PressureLevel,
    /// Share of the limit in use, from 0.
    pub share: f64,
    /// The limit.
    pub limit: ByteSize,
    /// Who held most at that moment, the largest first.
    pub largest: Vec<Consumer>,
}

/// Something that holds memory: a cache, or a pool of the budget.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// What it holds or has reserved.
    pub held: ByteSize,
}

/// How much a piece of work may be missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Work {
    /// Can wait: sweeps, roll-ups in the background.
    Background,
    /// Takes much memory: exports, imports, whole trees.
    Heavy,
    /// Takes little.
    Light,
    /// Health, metrics, administration: never refused.
    Vital,
}

/// Work that was refused because memory is short.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("memory pressure is {}, most is held by {}", level.name(), names(largest))]
#[non_exhaustive]
pub struct Shed {
    /// The level that refused it.
    pub level: PressureLevel,
    /// When to ask again.
    pub retry_after: Duration,
    /// Who holds most, the largest first; at most three.
    pub largest: Vec<Consumer>,
}

fn names(consumers: &[Consumer]) -> String {
    let all: Vec<_> = consumers
        .iter()
        .map(|consumer| format!("{} ({})", consumer.name, consumer.held))
        .collect();
    if all.is_empty() {
        return "no one who is known".to_owned();
    }
    all.join(", ")
}

impl Pressure {
    /// No pressure yet. Where no reading tells a limit, the budget's holds.
    #[must_use]
    pub fn new(steps: PressureSteps, budget: MemoryBudget, clock: SharedClock) -> Self {
        Self {
            inner: Arc::new(Inner {
                level: AtomicU8::new(0),
                steps: Mutex::new(steps),
                planned: AtomicU64::new(0),
                budget,
                clock,
                sources: Mutex::default(),
                changes: Mutex::default(),
                n_changes: AtomicU64::new(0),
                n_shed: AtomicU64::new(0),
                reclaimed: AtomicU64::new(0),
                updating: Mutex::new(()),
            }),
        }
    }

    /// Asks `source` for memory when it is short, from now on.
    pub fn register(&self, source: Arc<dyn Reclaim>) {
        lock(&self.inner.sources).push(source);
    }

    /// Uses other steps from the next update on.
    pub fn set_steps(&self, steps: PressureSteps) {
        *lock(&self.inner.steps) = steps;
    }

    /// Plans for this many bytes instead of the limit that readings tell; a tighter one that they tell still holds.
    pub fn set_limit(&self, limit: Option<ByteSize>) {
        let bytes = limit.map_or(0, ByteSize::bytes);
        self.inner.planned.store(bytes, Ordering::Relaxed);
    }

    /// The level now. One atomic load.
    #[must_use]
    pub fn level(&self) -> PressureLevel {
        PressureLevel::from_number(self.inner.level.load(Ordering::Relaxed))
    }

    /// Whether work of this kind may start. One atomic load where it may.
    ///
    /// # Errors
    ///
    /// [`Shed`] says how long to wait and who holds the memory.
    pub fn admit(&self, work: Work) -> Result<(), Shed> {
        let level = self.level();
        let refused_from = match work {
            Work::Background => PressureLevel::Defer,
            Work::Heavy => PressureLevel::Shed,
            Work::Light => PressureLevel::Critical,
            Work::Vital => return Ok(()),
        };
        if level < refused_from {
            return Ok(());
        }
        self.inner.n_shed.fetch_add(1, Ordering::Relaxed);
        Err(Shed {
            level,
            retry_after: RETRY_AFTER,
            largest: self.largest(3),
        })
    }

    /// Takes a fresh reading, changes the level where it says so, and lets memory be given back. Answers the change.
    ///
    /// Takes as long as the sources take to give back; a second caller meanwhile returns at once.
    #[must_use = "each change is worth one line in the log"]
    pub fn update(&self, reading: &Reading) -> Option<PressureChange> {
        let Ok(_only_one) = self.inner.updating.try_lock() else {
            return None;
        };
        let planned = ByteSize::from_bytes(self.inner.planned.load(Ordering::Relaxed));
        let known = reading.limit.map(|limit| limit.size);
        let limit = [known, Some(planned).filter(|size| *size > ByteSize::ZERO)]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or_else(|| self.inner.budget.limit());
        let in_use = match (reading.heap, reading.process) {
            (Some(heap), _) => heap.allocated,
            (None, Some(process)) => process.resident,
            (None, None) => return None,
        };
        let steps = *lock(&self.inner.steps);
        let share = share(in_use, limit);
        let before = self.level();
        let after = steps.next(before, share).max(guard(reading));
        self.inner.level.store(after as u8, Ordering::Relaxed);
        let change = (after != before).then(|| self.note(before, after, share, limit));
        if after >= PressureLevel::Reclaim {
            let goal = fraction(limit, steps.reclaim - steps.hysteresis);
            self.reclaim(in_use - goal);
        }
        change
    }

    fn note(
        &self,
        from: PressureLevel,
        to: PressureLevel,
        share: f64,
        limit: ByteSize,
    ) -> PressureChange {
        let change = PressureChange {
            at: self.inner.clock.wall(),
            from,
            to,
            share,
            limit,
            largest: self.largest(5),
        };
        self.inner.n_changes.fetch_add(1, Ordering::Relaxed);
        let mut changes = lock(&self.inner.changes);
        if changes.len() == CHANGES_MAX {
            changes.pop_front();
        }
        changes.push_back(change.clone());
        change
    }

    /// Asks the largest first, until enough came back; then the allocator for its free pages.
    fn reclaim(&self, wanted: ByteSize) {
        let mut sources = lock(&self.inner.sources).clone();
        sources.sort_by_key(|source| std::cmp::Reverse(source.held()));
        let mut missing = wanted;
        for source in sources {
            if missing == ByteSize::ZERO {
                break;
            }
            let given = source.reclaim(missing);
            self.inner
                .reclaimed
                .fetch_add(given.bytes(), Ordering::Relaxed);
            missing = missing - given;
        }
        #[cfg(feature = "jemalloc")]
        crate::purge();
    }

    /// Who holds most: registered sources and pools of the budget, the largest first, at most `n`. O(pools).
    #[must_use]
    pub fn largest(&self, n: usize) -> Vec<Consumer> {
        let sources = lock(&self.inner.sources).clone();
        let pools = self.inner.budget.usage();
        let mut all: Vec<_> = sources
            .iter()
            .map(|source| Consumer {
                name: source.name().to_owned(),
                held: source.held(),
            })
            // The root is the sum of all.
            .chain(
                pools
                    .into_iter()
                    .filter(|pool| pool.depth > 0)
                    .map(|pool| Consumer {
                        name: pool.name,
                        held: pool.used,
                    }),
            )
            .filter(|consumer| consumer.held > ByteSize::ZERO)
            .collect();
        all.sort_by(|a, b| b.held.cmp(&a.held).then_with(|| a.name.cmp(&b.name)));
        all.truncate(n);
        all
    }

    /// The newest changes, oldest first, at most a hundred.
    #[must_use]
    pub fn changes(&self) -> Vec<PressureChange> {
        lock(&self.inner.changes).iter().cloned().collect()
    }

    /// Changes of level since the start.
    #[must_use]
    pub fn n_changes(&self) -> u64 {
        self.inner.n_changes.load(Ordering::Relaxed)
    }

    /// Pieces of work refused since the start.
    #[must_use]
    pub fn n_shed(&self) -> u64 {
        self.inner.n_shed.load(Ordering::Relaxed)
    }

    /// Bytes that sources have given back since the start.
    #[must_use]
    pub fn reclaimed(&self) -> ByteSize {
        ByteSize::from_bytes(self.inner.reclaimed.load(Ordering::Relaxed))
    }

    /// The heap's bytes less all that is promised by the budget: what no reservation covers. Below zero where promises
    /// are not used up. `None` where the allocator does not tell.
    #[must_use]
    pub fn unreserved(&self, reading: &Reading) -> Option<i64> {
        let heap = i128::from(reading.heap?.allocated.bytes());
        i64::try_from(heap - i128::from(self.inner.budget.used().bytes())).ok()
    }
}

impl fmt::Debug for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pressure")
            .field("level", &self.level())
            .field("budget", &self.inner.budget)
            .finish_non_exhaustive()
    }
}

/// The least level that the kernel's own figures ask for.
fn guard(reading: &Reading) -> PressureLevel {
    let stall = reading
        .stall
        .map_or(0.0, |stall| stall.full.unwrap_or(stall.some));
    let near_the_end = match (reading.group, reading.limit) {
        (Some(group), Some(limit)) => share(group.working_set, limit.size) >= GUARD_SHARE,
        _ => false,
    };
    match (near_the_end, stall >= GUARD_STALL) {
        (true, true) => PressureLevel::Shed,
        (true, false) => PressureLevel::Reclaim,
        (false, true) => PressureLevel::Defer,
        (false, false) => PressureLevel::Normal,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio of sizes far below 2^53 bytes"
)]
fn share(part: ByteSize, whole: ByteSize) -> f64 {
    part.bytes() as f64 / whole.bytes().max(1) as f64
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a goal, of sizes far below 2^53 bytes"
)]
fn fraction(whole: ByteSize, share: f64) -> ByteSize {
    ByteSize::from_bytes((whole.bytes() as f64 * share.max(0.0)).round() as u64)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
