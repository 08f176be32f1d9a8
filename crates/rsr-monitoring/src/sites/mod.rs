//! Who leaks: call stacks whose sampled allocations survive from generation to generation.
//!
//! ```text
//!  jemalloc's sample hooks ─► LiveSamples (address → stack, size, epoch of birth)
//!                                  │ tick: an epoch ends
//!                                  ▼
//!                               judge ─► SiteGrowth (stack, bytes, generations) ─► HeapDump ─► names
//! ```
//!
//! What a cache or a queue holds turns over: its survivors are young, or as old as the process and no more than before.
//! What leaks survives out of every epoch.

mod judge;
mod live;
pub(crate) mod scoped;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rsr_base::ByteSize;

use crate::HeapDump;
use crate::allocator::Uncounted;
use crate::allocator::hooks::{self, Listener};
use crate::allocator::sampling::{self, Sampling};
use live::LiveSamples;
use scoped::Collection;

/// When the growth of one call stack is a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteRules {
    /// Least growth over the window. The setting is `leaks.site_threshold_mb`.
    pub growth_min: ByteSize,
}

impl Default for SiteRules {
    fn default() -> Self {
        Self {
            growth_min: ByteSize::from_mib(8),
        }
    }
}

impl From<&rsr_settings::LeaksSettings> for SiteRules {
    fn from(settings: &rsr_settings::LeaksSettings) -> Self {
        Self {
            growth_min: settings.site_threshold_mb,
        }
    }
}

/// A call stack that keeps what it allocates.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SiteGrowth {
    /// Names the stack for as long as the process runs.
    pub id: u64,
    /// Bytes born in the window that still live, an estimate from samples.
    pub growth: ByteSize,
    /// Bytes of the stack that live, whenever they were born.
    pub live: ByteSize,
    /// Epochs of the window.
    pub n_epochs: u32,
    /// Epochs of the window out of which something survives.
    pub n_generations: u32,
    /// The stack as a heap profile of its own, to be named.
    pub dump: HeapDump,
}

/// What one call stack holds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SiteSize {
    /// Names the stack for as long as the process runs.
    pub id: u64,
    /// Bytes that live, an estimate from samples.
    pub live: ByteSize,
    /// The stack as a heap profile of its own, to be named.
    pub dump: HeapDump,
}

/// Watches which call stacks keep what they allocate, by jemalloc's samples.
///
/// There is one table for the whole process; it is filled while at least one watcher lives. Holds at most 131,072
/// samples of 2,048 stacks, at most about 16 MB where all are taken, which takes a heap of many GiB; what does not fit is
/// left out and counted.
///
/// The caller says when an epoch ends. A first opinion can be had after 20 of them: with epochs of 15 seconds, five
/// minutes.
#[derive(Debug)]
pub struct CallSites {
    _sampling: Sampling,
}

thread_local! {
    /// Set while this thread uses the table: what the table itself allocates is no one's.
    static IN_TABLE: Cell<bool> = const { Cell::new(false) };
}

static TABLE: Mutex<Table> = Mutex::new(Table {
    samples: None,
    n_watchers: 0,
    collections: Vec::new(),
    next_collection: 0,
});

struct Table {
    samples: Option<LiveSamples>,
    n_watchers: u32,
    /// Samples of marked scopes, apart from the others.
    collections: Vec<Collection>,
    next_collection: u64,
}

impl Table {
    /// Whether no one wants samples any more.
    fn is_unused(&self) -> bool {
        self.n_watchers == 0 && self.collections.is_empty()
    }
}

/// The table, and the mark that this thread is in it.
struct Inside {
    table: MutexGuard<'static, Table>,
}

impl Inside {
    fn enter() -> Self {
        // Set first: taking the lock allocates nothing, but what is freed under it is.
        IN_TABLE.set(true);
        Self {
            table: TABLE.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        IN_TABLE.set(false);
    }
}

fn sampled(address: usize, size: usize, stack: &[usize]) {
    if IN_TABLE.get() {
        return;
    }
    let part = crate::scope::current_part();
    // Whatever request this thread works for did not ask for the table.
    let _uncounted = Uncounted::begin();
    let mut inside = Inside::enter();
    let table = &mut *inside.table;
    if let Some(samples) = &mut table.samples {
        samples.begin(address, size, stack);
    }
    // One in a thousand allocations at most comes here.
    if part != 0 {
        for collection in table.collections.iter_mut() {
            if collection.part == part {
                collection.samples.begin(address, size, stack);
            }
        }
    }
}

fn freed(address: usize) {
    if IN_TABLE.get() {
        return;
    }
    let _uncounted = Uncounted::begin();
    let mut inside = Inside::enter();
    let table = &mut *inside.table;
    if let Some(samples) = &mut table.samples {
        samples.end(address);
    }
    for collection in table.collections.iter_mut() {
        collection.samples.end(address);
    }
}

fn listener() -> Listener {
    Listener { sampled, freed }
}

impl CallSites {
    /// Watches from now on; `None` where the process is not on jemalloc or was started without `prof:true`.
    #[must_use]
    pub fn watch() -> Option<Self> {
        let period = sampling::period()?;
        let mut inside = Inside::enter();
        inside.table.n_watchers += 1;
        if inside.table.samples.is_none() {
            inside.table.samples = Some(LiveSamples::new(period, hooks::function_at));
        }
        drop(inside);
        // Made before anything can fail, so that its drop takes the watcher back.
        let watcher = Self {
            _sampling: Sampling::begin(),
        };
        hooks::listen(Some(listener())).then_some(watcher)
    }

    /// Ends an epoch, and answers which stacks leak, the fastest first. `unaccounted` is what the program holds beyond
    /// what its registered caches hold within their bounds: a stack that only fills those is none.
    ///
    /// O(samples): about a millisecond for a heap of 32 GiB.
    #[must_use]
    pub fn tick(&self, unaccounted: ByteSize, rules: &SiteRules) -> Vec<SiteGrowth> {
        let mut grown = {
            let mut inside = Inside::enter();
            let Some(samples) = &mut inside.table.samples else {
                return Vec::new();
            };
            samples.end_epoch(unaccounted.bytes());
            // Made and moved out under the mark, so these bytes are never taken for someone's.
            judge::judge(samples, rules)
        };
        for site in &mut grown {
            site.dump.map_this_process();
        }
        grown
    }

    /// The stacks that hold most, the largest first. O(stacks).
    #[must_use]
    pub fn largest(&self, n: usize) -> Vec<SiteSize> {
        let mut sizes: Vec<SiteSize> = {
            let inside = Inside::enter();
            let samples = inside.table.samples.as_ref();
            samples
                .map(|samples| samples.largest(n))
                .unwrap_or_default()
        };
        for site in &mut sizes {
            site.dump.map_this_process();
        }
        sizes
    }

    /// Every stack that lives, as a heap profile.
    #[must_use]
    pub fn live(&self) -> HeapDump {
        Self::dump(LiveSamples::dump)
    }

    /// Every stack with what it ever allocated since the watch began, freed or not, as a heap profile.
    #[must_use]
    pub fn allocated(&self) -> HeapDump {
        Self::dump(LiveSamples::dump_ever)
    }

    /// Every stack with what it held at the end of the epoch at which all together held most, as a heap profile.
    #[must_use]
    pub fn at_peak(&self) -> HeapDump {
        Self::dump(LiveSamples::dump_peak)
    }

    fn dump(of: impl FnOnce(&LiveSamples) -> HeapDump) -> HeapDump {
        let mut dump = {
            let inside = Inside::enter();
            inside.table.samples.as_ref().map(of).unwrap_or_default()
        };
        dump.map_this_process();
        dump
    }

    /// Epochs that have ended since the watch began; the first opinion comes after [`CallSites::FIRST_AFTER`].
    #[must_use]
    pub fn n_epochs(&self) -> u32 {
        let inside = Inside::enter();
        inside
            .table
            .samples
            .as_ref()
            .map_or(0, |samples| samples.epoch)
    }

    /// Epochs without which nothing can be said.
    pub const FIRST_AFTER: u32 = 21;

    /// Samples that were left out because the table was full.
    #[must_use]
    pub fn n_left_out(&self) -> u64 {
        let inside = Inside::enter();
        inside
            .table
            .samples
            .as_ref()
            .map_or(0, |samples| samples.n_left_out)
    }
}

impl Drop for CallSites {
    fn drop(&mut self) {
        let mut inside = Inside::enter();
        inside.table.n_watchers -= 1;
        if inside.table.n_watchers == 0 {
            inside.table.samples = None;
        }
        let is_over = inside.table.is_unused();
        drop(inside);
        if is_over {
            hooks::listen(None);
        }
    }
}
