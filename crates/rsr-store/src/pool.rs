//! A bounded number of connections, shared in turn.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::error::Error;
use crate::sql::{Begin, Engine, Role, Session};

/// Connections of one role. They are opened when first needed and kept until the pool goes.
pub(crate) struct Pool {
    engine: Arc<dyn Engine>,
    role: Role,
    connections_max: usize,
    wait: Duration,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Box<dyn Session>>,
    n_used: usize,
    n_waiting: usize,
    /// Whether the last one who asked waited in vain.
    has_refused: bool,
}

/// How many connections of a pool are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolUse {
    /// In use now.
    pub n_used: usize,
    /// Open and waiting for use.
    pub n_idle: usize,
    /// Most that may be open at once.
    pub connections_max: usize,
}

impl Pool {
    pub(crate) fn new(
        engine: Arc<dyn Engine>,
        role: Role,
        connections_max: usize,
        wait: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            engine,
            role,
            connections_max: connections_max.max(1),
            wait,
            state: Mutex::new(State::default()),
            freed: Condvar::new(),
        })
    }

    /// Waits for a connection, no longer than the pool's time.
    pub(crate) fn take(self: &Arc<Self>) -> Result<Pooled, Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.n_waiting += 1;
        let full = |state: &mut State| state.n_used >= self.connections_max;
        let (mut state, _timed_out) = self
            .freed
            .wait_timeout_while(state, self.wait, full)
            .unwrap_or_else(PoisonError::into_inner);
        state.n_waiting -= 1;
        state.has_refused = full(&mut state);
        if state.has_refused {
            return Err(Error::Busy {
                pool: self.name(),
                connections: self.connections_max,
                waited: self.wait,
            });
        }
        state.n_used += 1;
        let mut pooled = Pooled {
            session: state.idle.pop(),
            pool: Arc::clone(self),
        };
        drop(state);
        if pooled.session.is_none() {
            // A failure drops `pooled`, which gives its slot back.
            pooled.session = Some(self.engine.connect(self.role)?);
        }
        Ok(pooled)
    }

    /// A connection in a transaction.
    ///
    /// Where connections broke while they were idle, as when a server was restarted, it is a new one.
    pub(crate) fn begin(self: &Arc<Self>, begin: Begin) -> Result<Pooled, Error> {
        let db = self.take()?;
        match db.begin(begin) {
            Ok(()) => return Ok(db),
            Err(Error::ConnectionLost { .. }) => self.forget(db),
            Err(error) => return Err(error),
        }
        let db = self.take()?;
        db.begin(begin)?;
        Ok(db)
    }

    /// Asks something outside of a transaction; a second time where the connection broke while it was idle.
    pub(crate) fn with<T>(
        self: &Arc<Self>,
        ask: impl Fn(&dyn Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let db = self.take()?;
        match ask(&*db) {
            Err(Error::ConnectionLost { .. }) => self.forget(db),
            answer => return answer,
        }
        ask(&*self.take()?)
    }

    /// Closes a connection that broke, and those that were idle as long.
    fn forget(&self, mut broken: Pooled) {
        broken.session = None;
        drop(broken);
        self.close_idle();
    }

    /// Closes the connections that nobody uses.
    pub(crate) fn close_idle(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        drop(idle);
    }

    /// Whether somebody waited in vain, and all connections are still in use.
    pub(crate) fn is_refusing(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.has_refused && state.n_used >= self.connections_max
    }

    pub(crate) fn usage(&self) -> PoolUse {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        PoolUse {
            n_used: state.n_used,
            n_idle: state.idle.len(),
            connections_max: self.connections_max,
        }
    }

    fn name(&self) -> &'static str {
        match self.role {
            Role::Reader => "reader",
            Role::Writer => "writer",
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("role", &self.role)
            .field("connections_max", &self.connections_max)
            .finish_non_exhaustive()
    }
}

/// A connection on loan. It goes back when dropped, its transaction rolled back.
#[derive(Debug)]
pub(crate) struct Pooled {
    session: Option<Box<dyn Session>>,
    pool: Arc<Pool>,
}

impl Pooled {
    /// Whether somebody waits for a connection of its pool.
    pub(crate) fn is_wanted(&self) -> bool {
        let state = self.pool.state.lock();
        state.unwrap_or_else(PoisonError::into_inner).n_waiting > 0
    }
}

impl Deref for Pooled {
    type Target = dyn Session;

    fn deref(&self) -> &(dyn Session + 'static) {
        self.session
            .as_deref()
            .expect("a loan holds its connection until it is dropped")
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        // A connection that cannot be rolled back is closed rather than lent again.
        let healthy = self
            .session
            .take()
            .filter(|session| session.rollback().is_ok());
        let mut state = self
            .pool
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.n_used -= 1;
        state.idle.extend(healthy);
        drop(state);
        self.pool.freed.notify_one();
    }
}
