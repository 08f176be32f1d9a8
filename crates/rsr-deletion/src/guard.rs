//! The guard that always lets go.

use std::fmt;

use crate::scope::Transaction;
use crate::sync::Arc;
use crate::tracker::{DeletionId, Inner};

/// One deletion under way: its id is tracked until this is dropped, on early return and panic too.
///
/// The guard keeps the id it was given, so what becomes of the record meanwhile makes no difference. It lets go of its
/// own entry and of no other: not of a second deletion of the same id, and not of a newer one, however late it drops.
#[must_use = "dropping the guard ends the tracking"]
pub struct DeletionGuard<Id: DeletionId = rsr_base::ProjectId> {
    pub(crate) inner: Arc<Inner<Id>>,
    pub(crate) id: Id,
    pub(crate) token: u64,
}

impl<Id: DeletionId> DeletionGuard<Id> {
    /// What is being deleted.
    #[must_use]
    pub fn id(&self) -> Id {
        self.id
    }

    /// Says that the deletion is still going on: its age starts anew. One that had gone stale or was swept is tracked again.
    pub fn renew(&self) {
        self.inner.renew(self.id, self.token);
    }

    /// Lets go now.
    pub fn release(self) {
        drop(self);
    }

    /// Hands the guard to a transaction, which lets go when its outermost level ends, by commit or rollback.
    pub fn release_on_commit(self, transaction: &Transaction<Id>) {
        transaction.keep(self);
    }
}

impl<Id: DeletionId> Drop for DeletionGuard<Id> {
    fn drop(&mut self) {
        self.inner.finish(self.id, self.token);
    }
}

impl<Id: DeletionId> fmt::Debug for DeletionGuard<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeletionGuard")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
