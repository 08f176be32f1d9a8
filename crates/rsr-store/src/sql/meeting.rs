//! What machines that share a database tell each other through it.

use std::fmt::Debug;
use std::time::Duration;

use super::Session;
use crate::error::Error;

/// A word to all machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Something was written. An engine says so itself with each transaction that is kept.
    Changed,
    /// A job waits.
    Queued,
    /// A deletion began or ended.
    Deleting,
}

/// Words that came together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) has_changed: bool,
    pub(crate) has_queued: bool,
    pub(crate) is_deleting: bool,
}

impl Words {
    pub(crate) fn add(&mut self, word: Word) {
        match word {
            Word::Changed => self.has_changed = true,
            Word::Queued => self.has_queued = true,
            Word::Deleting => self.is_deleting = true,
        }
    }
}

/// An engine that several machines use at once.
pub(crate) trait Meeting {
    /// A connection that hears every word said from now on, this process's own too.
    fn listen(&self) -> Result<Box<dyn Listening>, Error>;
    /// A connection that holds marks for as long as it lives.
    fn hold(&self) -> Result<Box<dyn Holding>, Error>;
}

/// A connection that hears.
pub(crate) trait Listening: Session {
    /// Waits for words, but no longer than this; answers what has come by then.
    fn wait(&self, up_to: Duration) -> Result<Words, Error>;
}

/// A connection whose marks on ids the others see. They go when it does, however this process ends.
pub(crate) trait Holding: Send + Debug {
    /// Marks an id once more.
    fn mark(&self, id: i64) -> Result<(), Error>;
    /// Takes one mark of an id away.
    fn unmark(&self, id: i64) -> Result<(), Error>;
    /// Ids that others have marked.
    fn marked_elsewhere(&self) -> Result<Vec<i64>, Error>;
}
