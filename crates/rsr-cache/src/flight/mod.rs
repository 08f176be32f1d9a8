//! Single flight: of all who miss a key together one computes, and the others wait for it.

use std::any::Any;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::future::poll_fn;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc as StdArc, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::backend::Hasher;
use crate::sync::{Arc, AtomicUsize, Condvar, Mutex, MutexGuard, Ordering, fence};

mod nesting;

pub(crate) use nesting::{Waiting, enter};

#[cfg(not(rsr_loom))]
const SHARDS: usize = 16;
#[cfg(rsr_loom)]
const SHARDS: usize = 1;

/// The loads under way, by key.
pub(crate) struct Flights<K, V> {
    n_active: AtomicUsize,
    shards: Box<[Shard<K, V>]>,
    hasher: Hasher,
}

struct Shard<K, V> {
    flights: Mutex<HashMap<K, Arc<Flight<V>>, Hasher>>,
}

/// One load and who waits for it.
pub(crate) struct Flight<V> {
    pub(crate) id: u64,
    state: Mutex<State<V>>,
    landed: Condvar,
}

struct State<V> {
    outcome: Option<StdArc<Outcome<V>>>,
    wakers: Vec<Waker>,
}

/// How a load ended.
pub(crate) enum Outcome<V> {
    Value(V),
    Failed(StdArc<dyn Any + Send + Sync>),
    Panicked(String),
    Refused {
        retry_after: Duration,
    },
    /// Nobody finished it: an async caller went away. Who waited tries again.
    Abandoned,
}

/// What a caller is to do.
pub(crate) enum Joined<'a, K: Hash + Eq, V> {
    Lead(Leader<'a, K, V>),
    Wait(Arc<Flight<V>>),
}

impl<K, V> Flights<K, V> {
    pub(crate) fn new() -> Self {
        let shard = |_| Shard {
            flights: Mutex::new(HashMap::default()),
        };
        Self {
            n_active: AtomicUsize::new(0),
            shards: (0..SHARDS).map(shard).collect(),
            hasher: Hasher::default(),
        }
    }
}

type Loading<'a, K, V> = MutexGuard<'a, HashMap<K, Arc<Flight<V>>, Hasher>>;

impl<K: Hash + Eq, V> Flights<K, V> {
    fn lock<Q: Hash + ?Sized>(&self, key: &Q) -> Loading<'_, K, V> {
        let index = usize::try_from(self.hasher.hash_one(key) >> 32).unwrap_or(0) % SHARDS;
        let flights = self.shards[index].flights.lock();
        flights.unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the load of a key, as its leader where there is none.
    pub(crate) fn join(&self, key: K) -> Joined<'_, K, V>
    where
        K: Clone,
    {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut flights = self.lock(&key);
        if let Some(flight) = flights.get(&key) {
            return Joined::Wait(Arc::clone(flight));
        }
        let flight = Arc::new(Flight {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            state: Mutex::new(State {
                outcome: None,
                wakers: Vec::new(),
            }),
            landed: Condvar::new(),
        });
        flights.insert(key.clone(), Arc::clone(&flight));
        self.n_active.fetch_add(1, Ordering::SeqCst);
        // Pairs with the fence of `is_flying`.
        fence(Ordering::SeqCst);
        drop(flights);
        Joined::Lead(Leader {
            flights: self,
            key,
            flight,
            is_landed: false,
        })
    }

    /// False where no load began before this.
    ///
    /// Who changes the truth and then asks here either sees a load that may have read the old one, or that load reads
    /// the new one: between two sides that each write and then read, only fences promise that.
    fn is_flying(&self) -> bool {
        fence(Ordering::SeqCst);
        self.n_active.load(Ordering::SeqCst) > 0
    }

    /// Takes the key's load out: it answers its callers, but writes no more, and later callers start anew.
    pub(crate) fn supersede<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if self.is_flying() {
            let superseded = self.lock(key).remove(key);
            if superseded.is_some() {
                self.n_active.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }

    /// Takes every load out, as [`Flights::supersede`].
    pub(crate) fn supersede_all(&self) {
        if self.is_flying() {
            for shard in &self.shards {
                let mut flights = shard.flights.lock().unwrap_or_else(PoisonError::into_inner);
                let superseded = std::mem::take(&mut *flights);
                self.n_active.fetch_sub(superseded.len(), Ordering::SeqCst);
                drop(flights);
                drop(superseded);
            }
        }
    }
}

/// The one who computes. Dropped without landing, it frees the key and lets the others try again.
pub(crate) struct Leader<'a, K: Hash + Eq, V> {
    flights: &'a Flights<K, V>,
    key: K,
    flight: Arc<Flight<V>>,
    is_landed: bool,
}

impl<K: Hash + Eq, V> Leader<'_, K, V> {
    pub(crate) fn id(&self) -> u64 {
        self.flight.id
    }

    pub(crate) fn key(&self) -> &K {
        &self.key
    }

    /// Frees the key, and hands the outcome to all who wait. `store` runs in the same step as the key is freed, and not
    /// at all where somebody wrote or invalidated the key meanwhile.
    pub(crate) fn land(mut self, outcome: Outcome<V>, store: impl FnOnce()) -> StdArc<Outcome<V>> {
        self.finish(outcome, store)
    }

    fn finish(&mut self, outcome: Outcome<V>, store: impl FnOnce()) -> StdArc<Outcome<V>> {
        self.is_landed = true;
        let outcome = StdArc::new(outcome);
        let mut flights = self.flights.lock(&self.key);
        let is_current = flights
            .get(&self.key)
            .is_some_and(|flight| Arc::ptr_eq(flight, &self.flight));
        let removed = if is_current {
            store();
            flights.remove(&self.key)
        } else {
            None
        };
        drop(flights);
        if removed.is_some() {
            self.flights.n_active.fetch_sub(1, Ordering::SeqCst);
        }
        self.flight.land(StdArc::clone(&outcome));
        outcome
    }
}

impl<K: Hash + Eq, V> Drop for Leader<'_, K, V> {
    fn drop(&mut self) {
        if !self.is_landed {
            self.finish(Outcome::Abandoned, || ());
        }
    }
}

impl<V> Flight<V> {
    fn lock(&self) -> MutexGuard<'_, State<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn land(&self, outcome: StdArc<Outcome<V>>) {
        let mut state = self.lock();
        state.outcome = Some(outcome);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.landed.notify_all();
        for waker in wakers {
            waker.wake();
        }
    }

    /// Blocks until the load has ended.
    pub(crate) fn wait(&self) -> StdArc<Outcome<V>> {
        let mut state = self.lock();
        loop {
            if let Some(outcome) = &state.outcome {
                return StdArc::clone(outcome);
            }
            let woken = self.landed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until the load has ended, without blocking the thread.
    pub(crate) async fn wait_async(&self) -> StdArc<Outcome<V>> {
        poll_fn(|context| {
            let mut state = self.lock();
            if let Some(outcome) = &state.outcome {
                return Poll::Ready(StdArc::clone(outcome));
            }
            let waker = context.waker();
            if !state.wakers.iter().any(|known| known.will_wake(waker)) {
                state.wakers.push(waker.clone());
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(all(test, rsr_loom))]
mod loom_tests;
