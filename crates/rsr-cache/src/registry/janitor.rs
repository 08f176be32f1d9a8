//! A thread that sweeps expired entries though nobody looks.

use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::CacheRegistry;

/// Sweeps all caches of a registry every `cache.cleanup_interval` until this is dropped.
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

impl CacheRegistry {
    /// Starts a thread that sweeps all caches every `cache.cleanup_interval`, those registered later too.
    ///
    /// # Errors
    ///
    /// Where the system has no thread to give.
    pub fn spawn_janitor(&self) -> io::Result<Janitor> {
        let signal = Arc::new(Signal::default());
        let (registry, seen) = (self.clone(), Arc::clone(&signal));
        let thread = thread::Builder::new()
            .name("cache-janitor".to_owned())
            .spawn(move || work(&registry, &seen))?;
        Ok(Janitor {
            signal,
            thread: Some(thread),
        })
    }
}

impl Janitor {
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
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work(registry: &CacheRegistry, signal: &Signal) {
    let mut state = signal.lock();
    while !state.is_stopping {
        let asked = state.n_asked;
        drop(state);
        if let Some(swept) = registry.cleanup_if_due() {
            for failure in swept
                .caches
                .values()
                .filter_map(|outcome| outcome.as_ref().err())
            {
                tracing::error!(
                    cache = failure.name,
                    panic = failure.message,
                    "a cache could not be swept"
                );
            }
        }
        state = signal.lock();
        state.n_done = asked;
        signal.changed.notify_all();
        if !state.is_stopping && state.n_asked == asked {
            let waited = signal
                .changed
                .wait_timeout(state, registry.cleanup_interval());
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
            tracing::error!("the cache janitor panicked");
        }
    }
}

impl fmt::Debug for Janitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Janitor").finish_non_exhaustive()
    }
}
