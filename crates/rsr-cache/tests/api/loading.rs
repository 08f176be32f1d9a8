//! Single flight, staleness under load, the breaker: rules 4, 5 and 11.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use rsr_cache::{Cache, LoadError, Lookup, Put};

use super::{each_store, seconds};

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The smallest executor.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut context) {
            return answer;
        }
        thread::park();
    }
}

#[test]
fn blocking_and_async_callers_that_miss_together_share_one_computation() {
    const CALLERS: usize = 8;
    each_store(
        |builder| builder,
        |cache: Cache<u32, u32>, _clock| {
            let n_runs = AtomicU32::new(0);
            let go = Barrier::new(2);
            let started = Barrier::new(2);
            thread::scope(|scope| {
                let leader = scope.spawn(|| {
                    cache.get_or_load(&1, || {
                        n_runs.fetch_add(1, Ordering::SeqCst);
                        started.wait();
                        go.wait();
                        Ok::<_, String>(11)
                    })
                });
                started.wait();
                let others: Vec<_> = (0..CALLERS)
                    .map(|n| {
                        let (cache, n_runs) = (&cache, &n_runs);
                        let load = move || {
                            n_runs.fetch_add(1, Ordering::SeqCst);
                            Ok::<_, String>(99)
                        };
                        scope.spawn(move || {
                            if n % 2 == 0 {
                                cache.get_or_load(&1, load)
                            } else {
                                block_on(cache.get_or_load_async(&1, || async { load() }))
                            }
                        })
                    })
                    .collect();
                while cache.stats().n_loads_shared < CALLERS as u64 {
                    thread::yield_now();
                }
                go.wait();
                assert_eq!(leader.join().unwrap().unwrap(), 11);
                for other in others {
                    assert_eq!(other.join().unwrap().unwrap(), 11);
                }
            });
            assert_eq!(
                (n_runs.load(Ordering::SeqCst), cache.stats().n_loads),
                (1, 1)
            );
        },
    );
}

type Answers = Vec<Result<u32, LoadError<String>>>;

/// Starts a load that ends in `end`, lets others join it, and returns all answers.
fn failing_together(
    end: impl FnOnce() -> Result<u32, String> + Send,
) -> (Cache<u32, u32>, Answers) {
    let cache: Cache<u32, u32> = Cache::builder("failing").build().expect("it can be built");
    let go = Barrier::new(2);
    let started = Barrier::new(2);
    let answers = thread::scope(|scope| {
        let leader = scope.spawn(|| {
            cache.get_or_load(&1, || {
                started.wait();
                go.wait();
                end()
            })
        });
        started.wait();
        let other = scope.spawn(|| cache.get_or_load(&1, || Ok(0)));
        let last = scope.spawn(|| block_on(cache.get_or_load_async(&1, || async { Ok(0) })));
        while cache.stats().n_loads_shared < 2 {
            thread::yield_now();
        }
        go.wait();
        [leader, other, last]
            .map(|thread| thread.join().expect("panics are caught"))
            .into()
    });
    (cache, answers)
}

#[test]
fn an_error_reaches_all_and_leaves_the_key_free() {
    let (cache, answers) = failing_together(|| Err("no connection".to_owned()));
    for answer in answers {
        assert!(matches!(answer, Err(LoadError::Failed(error)) if *error == "no connection"));
    }
    assert_eq!(cache.get_or_load(&1, || Ok::<_, String>(5)).unwrap(), 5);
    let stats = cache.stats();
    assert_eq!((stats.n_loads, stats.n_load_failures), (2, 1));
}

#[test]
fn a_panic_reaches_all_and_leaves_the_key_free() {
    let (cache, answers) = failing_together(|| panic!("out of {}", "range"));
    for answer in answers {
        assert!(
            matches!(answer, Err(LoadError::Panicked { message }) if message == "out of range")
        );
    }
    assert_eq!(cache.get_or_load(&1, || Ok::<_, String>(5)).unwrap(), 5);
}

#[test]
fn a_key_loaded_inside_its_own_loader_is_an_error() {
    let cache: Cache<u32, u32> = Cache::builder("nested").build().unwrap();
    let nested = cache.get_or_load(&1, || {
        let two = cache.get_or_load(&2, || cache.get_or_load(&1, || Ok::<_, String>(0)));
        assert!(
            matches!(&two, Err(LoadError::Failed(error)) if matches!(**error, LoadError::Reentrant))
        );
        Ok::<_, String>(1)
    });
    assert_eq!(nested.unwrap(), 1);
    let nested = block_on(cache.get_or_load_async(&3, || async {
        cache
            .get_or_load_async(&3, || async { Ok::<_, String>(0) })
            .await
    }));
    assert!(
        matches!(nested, Err(LoadError::Failed(error)) if matches!(*error, LoadError::Reentrant))
    );
}

#[test]
fn two_threads_that_wait_for_each_others_keys_do_not_wait_for_ever() {
    let cache: Cache<u32, u32> = Cache::builder("crossed").build().unwrap();
    let inside = Barrier::new(2);
    let load = |own: u32, other: u32| {
        let inside = &inside;
        let cache = &cache;
        move || {
            cache.get_or_load(&own, || {
                inside.wait();
                cache.get_or_load(&other, || Ok::<_, String>(0))
            })
        }
    };
    let (left, right) = thread::scope(|scope| {
        let left = scope.spawn(load(1, 2));
        let right = scope.spawn(load(2, 1));
        (left.join().unwrap(), right.join().unwrap())
    });
    assert!(left.is_err() && right.is_err(), "{left:?} {right:?}");
    assert_eq!(cache.get_or_load(&1, || Ok::<_, String>(7)).unwrap(), 7);
}

#[test]
fn an_async_leader_that_goes_away_is_followed_by_another() {
    let cache: Cache<u32, u32> = Cache::builder("dropped").build().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut leader: Pin<Box<dyn Future<Output = _>>> =
        Box::pin(cache.get_or_load_async(&1, std::future::pending::<Result<u32, String>>));
    assert!(leader.as_mut().poll(&mut context).is_pending());
    let mut follower = Box::pin(cache.get_or_load_async(&1, || async { Ok::<_, String>(2) }));
    assert!(follower.as_mut().poll(&mut context).is_pending());
    drop(leader);
    assert!(matches!(
        follower.as_mut().poll(&mut context),
        Poll::Ready(Ok(2))
    ));
}

#[test]
fn a_write_or_removal_during_a_load_wins_over_it() {
    each_store(
        |builder| builder,
        |cache: Cache<u32, u32>, _clock| {
            let loaded = cache.get_or_load(&1, || {
                cache.insert(1, 2);
                Ok::<_, String>(1)
            });
            assert_eq!((loaded.unwrap(), cache.get(&1)), (1, Some(2)));
            for invalidate in [
                (|cache| {
                    cache.remove(&3);
                }) as fn(&Cache<u32, u32>),
                |cache| {
                    cache.invalidate_tag("any");
                },
                Cache::clear,
            ] {
                let tagged = Put::new().tag("any");
                let loaded = cache.get_or_load_with(&3, &tagged, || {
                    invalidate(&cache);
                    Ok::<_, String>(1)
                });
                assert_eq!((loaded.unwrap(), cache.get(&3)), (1, None));
            }
        },
    );
}

#[test]
fn while_one_refreshes_the_others_get_the_stale_value() {
    each_store(
        |builder| builder.ttl(seconds(10)).stale_for(seconds(10)),
        |cache: Cache<u32, u32>, clock| {
            cache.insert(1, 1);
            clock.advance(seconds(10));
            let refreshed = cache.get_or_load(&1, || {
                let meanwhile = thread::scope(|scope| {
                    let other = scope.spawn(|| cache.get_or_load(&1, || Ok::<_, String>(3)));
                    other.join().unwrap()
                });
                assert_eq!(meanwhile.unwrap(), 1);
                Ok::<_, String>(2)
            });
            assert_eq!(refreshed.unwrap(), 2);
            assert_eq!(
                (cache.lookup(&1), cache.stats().n_loads),
                (Lookup::Hit(2), 1)
            );
        },
    );
}

#[test]
fn a_failed_refresh_serves_the_stale_value_where_that_is_wanted() {
    for is_wanted in [true, false] {
        each_store(
            |builder| {
                builder
                    .ttl(seconds(10))
                    .stale_for(seconds(10))
                    .stale_if_error(is_wanted)
            },
            |cache: Cache<u32, u32>, clock| {
                cache.insert(1, 1);
                clock.advance(seconds(10));
                let refreshed = cache.get_or_load(&1, || Err("down".to_owned()));
                assert_eq!(refreshed.ok(), is_wanted.then_some(1));
                clock.advance(seconds(10));
                assert!(
                    cache.get_or_load(&1, || Err("down".to_owned())).is_err(),
                    "too old to serve"
                );
            },
        );
    }
}

#[test]
fn after_some_failures_a_key_fails_fast_then_gets_one_probe() {
    each_store(
        |builder| builder.circuit_breaker(3, seconds(30)),
        |cache: Cache<u32, u32>, clock| {
            let n_runs = AtomicU32::new(0);
            let fail = || {
                n_runs.fetch_add(1, Ordering::Relaxed);
                Err::<u32, _>("down".to_owned())
            };
            for _ in 0..3 {
                assert!(matches!(
                    cache.get_or_load(&1, fail),
                    Err(LoadError::Failed(_))
                ));
            }
            clock.advance(seconds(10));
            let refused = cache.get_or_load(&1, fail);
            assert!(
                matches!(refused, Err(LoadError::Refused { retry_after }) if retry_after == seconds(20))
            );
            assert_eq!(
                cache.get_or_load(&2, || Ok::<_, String>(2)).unwrap(),
                2,
                "other keys are not refused"
            );
            clock.advance(seconds(20));
            assert!(
                matches!(cache.get_or_load(&1, fail), Err(LoadError::Failed(_))),
                "one probe"
            );
            assert!(
                matches!(cache.get_or_load(&1, fail), Err(LoadError::Refused { .. })),
                "it failed"
            );
            assert_eq!(n_runs.load(Ordering::Relaxed), 4);
            clock.advance(seconds(30));
            assert_eq!(cache.get_or_load(&1, || Ok::<_, String>(1)).unwrap(), 1);
            cache.remove(&1);
            assert!(
                matches!(cache.get_or_load(&1, fail), Err(LoadError::Failed(_))),
                "the count starts anew"
            );
            assert_eq!(cache.stats().n_loads_refused, 2);
        },
    );
}
