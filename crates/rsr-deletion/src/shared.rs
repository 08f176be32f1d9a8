//! Telling other machines.

use std::error::Error;
use std::fmt::Debug;
use std::time::Duration;

/// What other machines know of deletions. Implemented by a store that several machines use.
///
/// A tracker with one of these is asked first itself; the shared one adds what others are deleting. An implementation
/// ties what it records to the life of its connection or to a lease, so that a machine that dies releases what it held.
pub trait SharedTracker<Id>: Send + Sync + Debug {
    /// Records that this machine is deleting `id`. `token` tells this deletion from others of the same id and machine.
    ///
    /// # Errors
    ///
    /// Where it cannot be recorded; the deletion must then not begin.
    fn begin(&self, id: Id, token: u64) -> Result<(), SharedError>;

    /// Says that the deletion is still going on.
    ///
    /// # Errors
    ///
    /// Where it cannot be recorded; the record goes stale after the time that the others use.
    fn renew(&self, id: Id, token: u64) -> Result<(), SharedError>;

    /// Takes the record away. A record that is already gone is no error.
    ///
    /// # Errors
    ///
    /// Where it cannot be taken away now; it ends with the machine's lease.
    fn release(&self, id: Id, token: u64) -> Result<(), SharedError>;

    /// True while another machine is deleting `id` and has not gone stale. Asked on hot paths: an implementation answers
    /// from memory that it keeps up to date.
    fn contains(&self, id: Id) -> bool;

    /// Takes records away that are older than this, whoever made them; answers how many.
    ///
    /// # Errors
    ///
    /// Where the records cannot be read or written now.
    fn sweep(&self, stale_after: Duration) -> Result<u64, SharedError>;
}

/// Why the shared tracker could not be told.
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
