//! Telling other machines.

use std::error::Error;
use std::fmt::Debug;

/// What other machines know of deletions. Implemented by a store that several machines use.
///
/// The tracker itself keeps count, staleness and memory: it tells of each deletion that begins and ends here, and asks
/// what the others are deleting, in [`DeletionTracker::refresh`](crate::DeletionTracker::refresh). An implementation ties
/// what it records to the life of this process, by a session or a lease, so that a machine that dies releases what it
/// held.
pub trait SharedTracker<Id>: Send + Sync + Debug {
    /// Records one deletion of `id` by this machine. Others of the same id count beside it.
    ///
    /// # Errors
    ///
    /// Where it cannot be recorded; nothing is then.
    fn begin(&self, id: Id) -> Result<(), SharedError>;

    /// Takes the record of one deletion of `id` away.
    ///
    /// # Errors
    ///
    /// Where it cannot be taken away now; it ends with what ties it to this process.
    fn release(&self, id: Id) -> Result<(), SharedError>;

    /// The ids that other machines are deleting now, in any order.
    ///
    /// Asked again and again, so this is where an implementation that lost its session records anew what this machine
    /// holds.
    ///
    /// # Errors
    ///
    /// Where the others cannot be asked now.
    fn elsewhere(&self) -> Result<Vec<Id>, SharedError>;
}

/// Why other machines could not be told or asked.
#[derive(Debug, thiserror::Error)]
#[error("the shared deletion tracker cannot be reached")]
pub struct SharedError {
    #[source]
    cause: Box<dyn Error + Send + Sync>,
}

impl SharedError {
    /// An error with the store's own as its cause.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: cause.into(),
        }
    }
}
