//! Computing what is missing, once.

use std::any::Any;
use std::borrow::Borrow;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use super::{Cache, Inner, Put, count};
use crate::backend::{Key, Value};
use crate::entry::Lookup;
use crate::flight::{Flight, Joined, Leader, Outcome, Waiting, enter};
use crate::removal::Victims;
use crate::sync::Arc as FlightArc;

/// Why a load gave no value. Every caller that waited for the same load gets the same answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError<E> {
    /// The loader failed. The error is shared with everyone who waited for it.
    Failed(Arc<E>),
    /// The loader that this caller waited for failed with an error of another type.
    FailedElsewhere,
    /// The loader panicked. The key is free again.
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// The load would have waited for itself: it was asked for inside its own loader, directly or through others.
    Reentrant,
    /// The key's loader failed too often; it is not asked for a while.
    Refused {
        /// When it is worth asking again.
        retry_after: Duration,
    },
}

impl<E> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(_) => f.write_str("the loader failed"),
            Self::FailedElsewhere => f.write_str("the loader that was waited for failed"),
            Self::Panicked { message } => write!(f, "the loader panicked: {message}"),
            Self::Reentrant => f.write_str("a key was loaded from inside its own loader"),
            Self::Refused { retry_after } => write!(
                f,
                "the loader failed too often and is not asked for another {retry_after:?}"
            ),
        }
    }
}

impl<E: Error + 'static> Error for LoadError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) => Some(&**error),
            _ => None,
        }
    }
}

/// What the first half of a load comes to.
enum Next<'a, K: Key, V> {
    Answer(V),
    Lead(Leader<'a, K, V>, Option<V>),
    Wait(FlightArc<Flight<V>>, Waiting),
    SelfWait,
    Refused(Duration),
}

impl<K: Key, V: Value> Cache<K, V> {
    /// The valid value of a key, computed by `loader` if there is none.
    ///
    /// Of all callers that miss a key together one runs its loader, with no lock held; the others wait for it, blocking
    /// their threads. Where a stale value may be served, one caller refreshes it and the others are served at once.
    ///
    /// ```
    /// use rsr_cache::Cache;
    ///
    /// let squares: Cache<u64, u64> = Cache::builder("squares").build()?;
    /// let square = squares.get_or_load(&12, || Ok::<_, std::num::ParseIntError>(12 * 12));
    /// assert_eq!(square.unwrap(), 144);
    /// let failed = squares.get_or_load(&13, || "thirteen".parse::<u64>());
    /// assert_eq!(failed.unwrap_err().to_string(), "the loader failed");
    /// assert_eq!(squares.stats().n_loads, 2);
    /// # Ok::<(), rsr_cache::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`LoadError`]; nothing was stored, and the next call tries again unless it is refused.
    pub fn get_or_load<Q, E>(
        &self,
        key: &Q,
        loader: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: Send + Sync + 'static,
    {
        self.get_or_load_with(key, &Put::default(), loader)
    }

    /// As [`Cache::get_or_load`], for a loader that cannot fail.
    ///
    /// # Errors
    ///
    /// [`LoadError::Panicked`] or [`LoadError::Reentrant`].
    pub fn get_or_insert_with<Q>(
        &self,
        key: &Q,
        loader: impl FnOnce() -> V,
    ) -> Result<V, LoadError<Infallible>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.get_or_load(key, || Ok(loader()))
    }

    /// As [`Cache::get_or_load`], with a time to live or tags of its own for what is loaded.
    ///
    /// # Errors
    ///
    /// [`LoadError`] as there.
    pub fn get_or_load_with<Q, E>(
        &self,
        key: &Q,
        how: &Put,
        loader: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: Send + Sync + 'static,
    {
        loop {
            match self.inner.start(key) {
                Next::Answer(value) => return Ok(value),
                Next::SelfWait => return Err(LoadError::Reentrant),
                Next::Refused(retry_after) => return Err(LoadError::Refused { retry_after }),
                Next::Wait(flight, waiting) => {
                    let outcome = flight.wait();
                    drop(waiting);
                    if let Some(answer) = answer(&outcome, None) {
                        return answer;
                    }
                }
                Next::Lead(leader, stale) => {
                    let inside = enter(leader.id());
                    let loaded = catch_unwind(AssertUnwindSafe(loader));
                    drop(inside);
                    return self.inner.land(leader, stale, how, loaded);
                }
            }
        }
    }

    /// As [`Cache::get_or_load`], for async callers; they share loads with blocking ones. The loader is awaited by the
    /// caller that leads: where that one is dropped half-way, another takes over with its own loader.
    ///
    /// # Errors
    ///
    /// [`LoadError`] as there.
    pub async fn get_or_load_async<Q, E, F>(
        &self,
        key: &Q,
        loader: impl FnOnce() -> F,
    ) -> Result<V, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: Send + Sync + 'static,
        F: Future<Output = Result<V, E>>,
    {
        self.get_or_load_async_with(key, &Put::default(), loader)
            .await
    }

    /// As [`Cache::get_or_load_async`], with a time to live or tags of its own for what is loaded.
    ///
    /// # Errors
    ///
    /// [`LoadError`] as there.
    pub async fn get_or_load_async_with<Q, E, F>(
        &self,
        key: &Q,
        how: &Put,
        loader: impl FnOnce() -> F,
    ) -> Result<V, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: Send + Sync + 'static,
        F: Future<Output = Result<V, E>>,
    {
        loop {
            match self.inner.start(key) {
                Next::Answer(value) => return Ok(value),
                Next::SelfWait => return Err(LoadError::Reentrant),
                Next::Refused(retry_after) => return Err(LoadError::Refused { retry_after }),
                Next::Wait(flight, waiting) => {
                    let outcome = flight.wait_async().await;
                    drop(waiting);
                    if let Some(answer) = answer(&outcome, None) {
                        return answer;
                    }
                }
                Next::Lead(leader, stale) => {
                    let id = leader.id();
                    let loaded = match catch_unwind(AssertUnwindSafe(|| {
                        let _inside = enter(id);
                        loader()
                    })) {
                        Ok(future) => {
                            let mut future = pin!(future);
                            // Each poll is inside the loader, on whichever thread it happens.
                            poll_fn(move |context| {
                                let inside = enter(id);
                                let polled = catch_unwind(AssertUnwindSafe(|| {
                                    future.as_mut().poll(context)
                                }));
                                drop(inside);
                                match polled {
                                    Ok(Poll::Pending) => Poll::Pending,
                                    Ok(Poll::Ready(loaded)) => Poll::Ready(Ok(loaded)),
                                    Err(panic) => Poll::Ready(Err(panic)),
                                }
                            })
                            .await
                        }
                        Err(panic) => Err(panic),
                    };
                    return self.inner.land(leader, stale, how, loaded);
                }
            }
        }
    }
}

/// What an outcome means for one caller; `None` where it must try again.
fn answer<V: Value, E: Send + Sync + 'static>(
    outcome: &Outcome<V>,
    own: Option<&Arc<E>>,
) -> Option<Result<V, LoadError<E>>> {
    Some(match outcome {
        Outcome::Value(value) => Ok(value.clone()),
        Outcome::Failed(error) => Err(match own {
            Some(own) => LoadError::Failed(Arc::clone(own)),
            None => Arc::clone(error)
                .downcast::<E>()
                .map_or(LoadError::FailedElsewhere, LoadError::Failed),
        }),
        Outcome::Panicked(message) => Err(LoadError::Panicked {
            message: message.clone(),
        }),
        Outcome::Refused { retry_after } => Err(LoadError::Refused {
            retry_after: *retry_after,
        }),
        Outcome::Abandoned => return None,
    })
}

impl<K: Key, V: Value> Inner<K, V> {
    /// Looks the key up, and where that gives no answer, joins its load.
    fn start<Q>(&self, key: &Q) -> Next<'_, K, V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let stale = match self.lookup(key) {
            Lookup::Hit(value) | Lookup::Negative(value) => return Next::Answer(value),
            Lookup::Stale(value) => Some(value),
            Lookup::Miss => None,
        };
        match self.flights.join(key.to_owned()) {
            Joined::Wait(flight) => {
                if let Some(value) = stale {
                    return Next::Answer(value);
                }
                let Some(waiting) = Waiting::on(flight.id) else {
                    return Next::SelfWait;
                };
                count(&self.totals.n_loads_shared);
                Next::Wait(flight, waiting)
            }
            Joined::Lead(leader) => self.lead(leader, stale),
        }
    }

    fn lead<'a>(&self, leader: Leader<'a, K, V>, stale: Option<V>) -> Next<'a, K, V> {
        let now = self.time.now();
        // Another load may have landed between the lookup and here.
        let found = self.store.peek(leader.key());
        if let Some(stored) = found.filter(|stored| self.is_fresh(stored, now)) {
            let value = stored.value.clone();
            leader.land(Outcome::Value(stored.value), || ());
            return Next::Answer(value);
        }
        let breaker = self.breaker.as_ref();
        if let Some(retry_after) = breaker.and_then(|breaker| breaker.refuses(leader.key(), now)) {
            count(&self.totals.n_loads_refused);
            leader.land(Outcome::Refused { retry_after }, || ());
            return match stale {
                Some(value) if self.parameters.stale_if_error => Next::Answer(value),
                _ => Next::Refused(retry_after),
            };
        }
        Next::Lead(leader, stale)
    }

    /// Ends a load: stores a value, remembers a failure, and answers everybody.
    fn land<E: Send + Sync + 'static>(
        &self,
        leader: Leader<'_, K, V>,
        stale: Option<V>,
        how: &Put,
        loaded: thread::Result<Result<V, E>>,
    ) -> Result<V, LoadError<E>> {
        count(&self.totals.n_loads);
        let mut own = None;
        let breaker = self.breaker.as_ref();
        let outcome = match loaded {
            Ok(Ok(value)) => {
                // Weighing and cloning are done before any lock is taken.
                let prepared = self.prepare(leader.key(), value.clone(), how);
                if let Some(breaker) = breaker {
                    breaker.succeeded(leader.key());
                }
                let key = leader.key().clone();
                let mut victims = Victims::new();
                leader.land(Outcome::Value(value.clone()), || {
                    self.commit(key, prepared, how, &mut victims);
                });
                self.settle(victims);
                self.keep_shared_bound();
                return Ok(value);
            }
            Ok(Err(error)) => {
                let error = Arc::new(error);
                own = Some(Arc::clone(&error));
                Outcome::Failed(error as Arc<dyn Any + Send + Sync>)
            }
            Err(panic) => Outcome::Panicked(crate::panics::message(&*panic)),
        };
        count(&self.totals.n_load_failures);
        if let Some(breaker) = breaker {
            breaker.failed(leader.key(), self.time.now());
        }
        let outcome = leader.land(outcome, || ());
        match stale {
            Some(value) if self.parameters.stale_if_error => Ok(value),
            _ => answer(&outcome, own.as_ref()).expect("a load that failed is not abandoned"),
        }
    }
}
