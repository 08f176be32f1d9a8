//! A thread that sweeps though nobody asks.

use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::tracker::{DeletionId, DeletionTracker};

/// Sweeps a tracker every `deletion.cleanup_interval` until this is dropped.
#[must_use = "the janitor stops when this is dropped"]
pub struct Janitor {
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_stopping: bool,
    /// Passes asked for by [`Janitor::nudge`], and passes done.
    n_asked: u64,
    n_done: u64,
}

impl Janitor {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Where the system has no thread to give.
    pub fn spawn<Id: DeletionId>(tracker: DeletionTracker<Id>) -> io::Result<Self> {
        let signal = Arc::new(Signal::default());
        let seen = Arc::clone(&signal);
        let thread = thread::Builder::new()
            .name("deletion-janitor".to_owned())
            .spawn(move || work(&tracker, &seen))?;
        Ok(Self {
            signal,
            thread: Some(thread),
        })
    }

    /// Makes the janitor look at the clock now, and waits until it has: a sweep that is due is done when this returns.
    pub fn nudge(&self) {
        let mut state = self.signal.lock();
        state.n_asked += 1;
        let asked = state.n_asked;
        self.signal.changed.notify_all();
        while state.n_done < asked {
            let woken = self.signal.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Signal {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work<Id: DeletionId>(tracker: &DeletionTracker<Id>, signal: &Signal) {
    let mut state = signal.lock();
    while !state.is_stopping {
        let asked = state.n_asked;
        drop(state);
        tracker.sweep_if_due();
        state = signal.lock();
        state.n_done = asked;
        signal.changed.notify_all();
        if !state.is_stopping && state.n_asked == asked {
            let waited = signal
                .changed
                .wait_timeout(state, tracker.cleanup_interval());
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        self.signal.lock().is_stopping = true;
        self.signal.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the deletion janitor panicked");
        }
    }
}

impl fmt::Debug for Janitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Janitor").finish_non_exhaustive()
    }
}
