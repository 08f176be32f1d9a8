//! The samples of marked scopes alone: a share of the requests, one operation.

use std::sync::{Mutex, PoisonError};

use super::{Inside, LiveSamples, hooks, listener};
use crate::allocator::sampling::{self, Sampling};
use crate::{HeapDump, Scope};

/// Names that scopes can be marked with.
const PARTS_MAX: usize = 32;
/// Collections that can be filled at the same time.
const COLLECTIONS_MAX: usize = 64;

static PARTS: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());

/// The number a scope carries for this name; `None` where there are too many names.
fn number_of(part: &'static str) -> Option<u32> {
    let mut parts = PARTS.lock().unwrap_or_else(PoisonError::into_inner);
    let place = match parts.iter().position(|known| *known == part) {
        Some(place) => place,
        None if parts.len() < PARTS_MAX => {
            parts.push(part);
            parts.len() - 1
        }
        None => return None,
    };
    // 0 is a scope without a mark.
    u32::try_from(place + 1).ok()
}

/// What is collected of one part.
pub(super) struct Collection {
    number: u64,
    pub(super) part: u32,
    pub(super) samples: LiveSamples,
}

/// Collects the samples of scopes that carry one mark, until it is dropped.
#[derive(Debug)]
pub(crate) struct ScopedSamples {
    number: u64,
    _sampling: Sampling,
}

impl ScopedSamples {
    /// Collects from now on; `None` where the process cannot be profiled or too much is collected already.
    pub(crate) fn begin(part: &'static str) -> Option<Self> {
        let period = sampling::period()?;
        let part = number_of(part)?;
        let mut inside = Inside::enter();
        let table = &mut *inside.table;
        if table.collections.len() >= COLLECTIONS_MAX {
            return None;
        }
        table.next_collection += 1;
        let number = table.next_collection;
        table.collections.push(Collection {
            number,
            part,
            samples: LiveSamples::new(period, hooks::function_at),
        });
        drop(inside);
        let collecting = Self {
            number,
            _sampling: Sampling::begin(),
        };
        hooks::listen(Some(listener())).then_some(collecting)
    }

    /// What lives of it.
    pub(crate) fn live(&self) -> HeapDump {
        self.dump(LiveSamples::dump)
    }

    /// What was ever allocated.
    pub(crate) fn allocated(&self) -> HeapDump {
        self.dump(LiveSamples::dump_ever)
    }

    fn dump(&self, of: impl FnOnce(&LiveSamples) -> HeapDump) -> HeapDump {
        let mut dump = {
            let inside = Inside::enter();
            let mut all = inside.table.collections.iter();
            all.find(|collection| collection.number == self.number)
                .map(|collection| of(&collection.samples))
                .unwrap_or_default()
        };
        dump.map_this_process();
        dump
    }
}

impl Drop for ScopedSamples {
    fn drop(&mut self) {
        let mut inside = Inside::enter();
        inside
            .table
            .collections
            .retain(|collection| collection.number != self.number);
        let is_over = inside.table.is_unused();
        drop(inside);
        if is_over {
            hooks::listen(None);
        }
    }
}

/// Marks a scope: what is sampled at its polls belongs to `part`. `false` where there are too many names.
pub(crate) fn mark(scope: &Scope, part: &'static str) -> bool {
    let number = number_of(part);
    if let Some(number) = number {
        scope.set_part(number);
    }
    number.is_some()
}
