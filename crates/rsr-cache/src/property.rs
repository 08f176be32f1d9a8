//! A field that computes itself.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use rsr_base::{CoarseClock, SharedClock};

use crate::cache::LoadError;
use crate::entry::{NEVER, Nanos, deadline_after};
use crate::time::Time;

type Compute<T> = Box<dyn Fn() -> T + Send + Sync>;

/// A value that is computed when it is asked for, expires, and can be reset; without a registry.
///
/// However many threads ask together, one computes and the others wait; no lock is held meanwhile. A property takes a
/// hundred-odd bytes and allocates for its value alone.
///
/// ```
/// use std::time::Duration;
/// use rsr_cache::CachedProperty;
///
/// struct Report {
///     lines: Vec<String>,
///     n_words: CachedProperty<usize>,
/// }
///
/// impl Report {
///     fn n_words(&self) -> usize {
///         let count = || self.lines.iter().map(|line| line.split(' ').count()).sum();
///         self.n_words.get_or_compute(count).expect("counting does not panic")
///     }
/// }
///
/// let report = Report {
///     lines: vec!["clean water".to_owned(), "for all".to_owned()],
///     n_words: CachedProperty::new(Duration::from_secs(60)),
/// };
/// assert_eq!(report.n_words(), 4);
/// assert_eq!(report.n_words.peek(), Some(4));
/// report.n_words.reset();
/// assert_eq!(report.n_words.peek(), None);
/// ```
pub struct CachedProperty<T> {
    ttl: Duration,
    time: Time,
    compute: Option<Compute<T>>,
    state: Mutex<State<T>>,
    computed: Condvar,
}

struct State<T> {
    value: Option<(Arc<T>, Nanos)>,
    computing: Option<ThreadId>,
    /// Counts resets, so that a value computed before one is not kept after it.
    n_resets: u64,
}

impl<T> CachedProperty<T> {
    /// A property whose value is computed by whoever asks; it lives `ttl`.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            time: Time::Coarse(CoarseClock::new()),
            compute: None,
            state: Mutex::new(State {
                value: None,
                computing: None,
                n_resets: 0,
            }),
            computed: Condvar::new(),
        }
    }

    /// A property that knows how to compute itself; see [`CachedProperty::value`].
    #[must_use]
    pub fn computed(ttl: Duration, compute: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self {
            compute: Some(Box::new(compute)),
            ..Self::new(ttl)
        }
    }

    /// The same property on another clock.
    #[must_use]
    pub fn with_clock(self, clock: SharedClock) -> Self {
        Self {
            time: Time::Given(clock),
            ..self
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn valid(&self, state: &State<T>) -> Option<Arc<T>> {
        let (value, deadline) = state.value.as_ref()?;
        (*deadline == NEVER || self.time.now() < *deadline).then(|| Arc::clone(value))
    }

    /// Forgets the value. One that is being computed answers its callers, and is not kept.
    pub fn reset(&self) {
        let mut state = self.lock();
        state.n_resets += 1;
        let forgotten = state.value.take();
        drop(state);
        drop(forgotten);
    }
}

impl<T: Clone> CachedProperty<T> {
    /// The value, if there is a valid one; computes nothing.
    #[must_use]
    pub fn peek(&self) -> Option<T> {
        let valid = self.valid(&self.lock());
        valid.map(|value| T::clone(&value))
    }

    /// The value, computed by the property's own function if there is no valid one; `None` for a property without one,
    /// made by [`CachedProperty::new`], that holds none.
    ///
    /// # Errors
    ///
    /// As [`CachedProperty::get_or_compute`].
    pub fn value(&self) -> Result<Option<T>, LoadError<std::convert::Infallible>> {
        match &self.compute {
            Some(compute) => self.get_or_compute(compute).map(Some),
            None => Ok(self.peek()),
        }
    }

    /// The value, computed by `compute` if there is no valid one.
    ///
    /// # Errors
    ///
    /// [`LoadError::Panicked`] where `compute` panicked (who waited for it tries with its own), [`LoadError::Reentrant`]
    /// where it asked for this very property.
    pub fn get_or_compute(
        &self,
        compute: impl FnOnce() -> T,
    ) -> Result<T, LoadError<std::convert::Infallible>> {
        let me = thread::current().id();
        let mut state = self.lock();
        loop {
            if let Some(value) = self.valid(&state) {
                drop(state);
                return Ok(T::clone(&value));
            }
            match state.computing {
                None => break,
                Some(thread) if thread == me => return Err(LoadError::Reentrant),
                Some(_) => {
                    let woken = self.computed.wait(state);
                    state = woken.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        state.computing = Some(me);
        let n_resets = state.n_resets;
        drop(state);
        let computed = catch_unwind(AssertUnwindSafe(compute)).map(Arc::new);
        let deadline = deadline_after(self.time.now(), Some(self.ttl));
        let mut state = self.lock();
        state.computing = None;
        let mut replaced = None;
        if let Ok(value) = &computed
            && state.n_resets == n_resets
        {
            replaced = state.value.replace((Arc::clone(value), deadline));
        }
        drop(state);
        self.computed.notify_all();
        drop(replaced);
        match computed {
            Ok(value) => Ok(T::clone(&value)),
            Err(panic) => Err(LoadError::Panicked {
                message: crate::panics::message(&*panic),
            }),
        }
    }
}

impl<T> fmt::Debug for CachedProperty<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedProperty")
            .field("ttl", &self.ttl)
            .field("is_valid", &self.valid(&self.lock()).is_some())
            .finish_non_exhaustive()
    }
}
