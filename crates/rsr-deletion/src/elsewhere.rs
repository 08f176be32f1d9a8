//! What other machines are deleting, as this one last heard.

use std::collections::HashSet;
use std::sync::PoisonError;

use crate::filter::{Filter, IdHasher, IdHashing};
use crate::sync::{Mutex, MutexGuard};
use crate::tracker::DeletionId;

/// Ids of other machines' deletions. They count in the same filter as this machine's own.
pub(crate) struct Elsewhere<Id> {
    ids: Mutex<HashSet<Id, IdHashing>>,
    /// Held from a question to the taking in of its answer, so that an older answer never replaces a newer one.
    pub(crate) asking: Mutex<()>,
}

impl<Id: DeletionId> Elsewhere<Id> {
    pub(crate) fn new() -> Self {
        Self {
            ids: Mutex::new(HashSet::default()),
            asking: Mutex::new(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Id, IdHashing>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn contains(&self, id: Id) -> bool {
        self.lock().contains(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Takes over what other machines are deleting now.
    pub(crate) fn replace(&self, now: HashSet<Id, IdHashing>, filter: &Filter) {
        let mut ids = self.lock();
        for begun in now.difference(&ids) {
            filter.add(IdHasher::of(*begun));
        }
        let before = std::mem::replace(&mut *ids, now);
        for ended in before.difference(&ids) {
            filter.remove(IdHasher::of(*ended));
        }
    }
}
