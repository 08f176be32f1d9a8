//! Deletions that all machines see.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rsr_base::ProjectId;
use rsr_deletion::{SharedError, SharedTracker};

use crate::error::Error;
use crate::sql::Engine;
use crate::sql::meeting::Holding;
use crate::store::Store;

/// Marks projects that this process deletes on a connection of its own, and sees those of the others.
///
/// The marks go with the connection, so a machine that dies lets go of what it held. Where the connection alone is lost,
/// the next question or deletion opens another and marks anew; in between the others do not see what is deleted here.
#[derive(Debug)]
struct Marks {
    engine: Arc<dyn Engine>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    connection: Option<Box<dyn Holding>>,
    /// What is to be marked, and how often.
    held: BTreeMap<i64, u32>,
}

impl Store {
    /// What a [`DeletionTracker`](rsr_deletion::DeletionTracker) needs so that all machines see its deletions; `None`
    /// for SQLite, whose file belongs to one machine.
    #[must_use]
    pub fn shared_deletions(&self) -> Option<Arc<dyn SharedTracker<ProjectId>>> {
        self.engine().meeting()?;
        Some(Arc::new(Marks {
            engine: Arc::clone(&self.inner.engine),
            state: Mutex::default(),
        }))
    }
}

impl Marks {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks or tells; a second time, over a new connection, where that failed: the old one's marks go when the new one
    /// has made them.
    fn with<T>(
        &self,
        state: &mut State,
        work: impl Fn(&dyn Holding) -> Result<T, Error>,
    ) -> Result<T, SharedError> {
        if let Some(connection) = &state.connection
            && let Ok(done) = work(&**connection)
        {
            return Ok(done);
        }
        let connection = self.connect(&state.held).map_err(SharedError::new)?;
        let done = work(&*connection).map_err(SharedError::new);
        state.connection = Some(connection);
        done
    }

    /// A connection that marks all that is held.
    fn connect(&self, held: &BTreeMap<i64, u32>) -> Result<Box<dyn Holding>, Error> {
        let meeting = self.engine.meeting().ok_or(Error::Locked)?;
        let connection = meeting.hold()?;
        for (id, n) in held {
            for _ in 0..*n {
                connection.mark(*id)?;
            }
        }
        Ok(connection)
    }
}

impl SharedTracker<ProjectId> for Marks {
    fn begin(&self, id: ProjectId) -> Result<(), SharedError> {
        let mut state = self.lock();
        self.with(&mut state, |connection| connection.mark(id.0))?;
        *state.held.entry(id.0).or_default() += 1;
        Ok(())
    }

    fn release(&self, id: ProjectId) -> Result<(), SharedError> {
        let mut state = self.lock();
        if let Some(n) = state.held.get_mut(&id.0) {
            *n -= 1;
            if *n == 0 {
                state.held.remove(&id.0);
            }
        }
        // Where this fails, the connection goes, and its marks with it; the next one marks what is still held.
        let connection = state.connection.take();
        if let Some(connection) = connection {
            connection.unmark(id.0).map_err(SharedError::new)?;
            state.connection = Some(connection);
        }
        Ok(())
    }

    fn elsewhere(&self) -> Result<Vec<ProjectId>, SharedError> {
        let mut state = self.lock();
        let marked = self.with(&mut state, |connection| connection.marked_elsewhere())?;
        Ok(marked.into_iter().map(ProjectId).collect())
    }
}
