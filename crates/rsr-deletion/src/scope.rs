//! Guards that outlive the function that deleted, and end with the transaction.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::guard::DeletionGuard;
use crate::tracker::DeletionId;

/// A transaction, or a level inside one, as far as deletions are concerned.
///
/// Made beside the database's own transaction and dropped with it. Between a delete and its commit others still see the
/// record, so the id must stay tracked until then: [`DeletionGuard::release_on_commit`] gives the guard to this, and the
/// guards go when the outermost level ends. A level inside ([`Transaction::nested`]) adds to the same list, and its own
/// end releases nothing.
///
/// ```
/// use rsr_base::ProjectId;
/// use rsr_deletion::{DeletionTracker, Transaction};
///
/// let tracker = DeletionTracker::default();
/// let outer = Transaction::begin();
/// {
///     let inner = outer.nested();
///     tracker.begin(ProjectId(7)).release_on_commit(&inner);
/// }
/// assert!(tracker.contains(ProjectId(7)), "the savepoint ended, the transaction did not");
/// drop(outer);
/// assert!(!tracker.contains(ProjectId(7)));
/// ```
#[must_use = "the transaction ends when this is dropped"]
pub struct Transaction<Id: DeletionId = rsr_base::ProjectId> {
    kept: Arc<Kept<Id>>,
    is_outermost: bool,
}

/// The guards of a transaction; `None` once it has ended.
struct Kept<Id: DeletionId> {
    guards: Mutex<Option<Vec<DeletionGuard<Id>>>>,
}

impl<Id: DeletionId> Transaction<Id> {
    /// An outermost transaction.
    pub fn begin() -> Self {
        Self {
            kept: Arc::new(Kept {
                guards: Mutex::new(Some(Vec::new())),
            }),
            is_outermost: true,
        }
    }

    /// A level inside this one, such as a savepoint.
    pub fn nested(&self) -> Self {
        Self {
            kept: Arc::clone(&self.kept),
            is_outermost: false,
        }
    }

    /// Guards held until the outermost level ends.
    #[must_use]
    pub fn n_held(&self) -> usize {
        let guards = self.kept.guards.lock();
        let guards = guards.unwrap_or_else(PoisonError::into_inner);
        guards.as_ref().map_or(0, Vec::len)
    }

    /// Ends this level; the same as dropping it, and reads better.
    pub fn end(self) {
        drop(self);
    }

    pub(crate) fn keep(&self, guard: DeletionGuard<Id>) {
        let guards = self.kept.guards.lock();
        let mut guards = guards.unwrap_or_else(PoisonError::into_inner);
        match &mut *guards {
            Some(guards) => guards.push(guard),
            // A level inside that outlived the outermost: there is nothing left to wait for.
            None => {
                drop(guards);
                drop(guard);
            }
        }
    }
}

impl<Id: DeletionId> Drop for Transaction<Id> {
    fn drop(&mut self) {
        if self.is_outermost {
            let guards = self.kept.guards.lock();
            let ended = guards.unwrap_or_else(PoisonError::into_inner).take();
            drop(ended);
        }
    }
}

impl<Id: DeletionId> fmt::Debug for Transaction<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("is_outermost", &self.is_outermost)
            .field("n_held", &self.n_held())
            .finish()
    }
}
