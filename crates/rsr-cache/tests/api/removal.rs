//! Who leaves, why, and who is told: rules 7, 8 and 17.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rsr_base::{ByteSize, Reclaim};
use rsr_cache::{Cache, HeapSize, Lookup, Put, RemovalCause};

use super::{each_store, seconds};

type Told = Arc<Mutex<Vec<(u32, u32, RemovalCause)>>>;

#[test]
fn a_listener_learns_key_value_and_cause() {
    let told = Told::default();
    each_store(
        |builder| {
            let told = Arc::clone(&told);
            builder
                .ttl(seconds(10))
                .on_removal(move |key: &u32, value: &u32, cause| {
                    told.lock().unwrap().push((*key, *value, cause));
                })
        },
        |cache: Cache<u32, u32>, clock| {
            told.lock().unwrap().clear();
            cache.insert(1, 10);
            cache.insert(1, 11);
            cache.remove(&1);
            cache.insert(2, 20);
            clock.advance(seconds(10));
            cache.cleanup();
            cache.insert(3, 30);
            cache.clear();
            let told = told.lock().unwrap();
            assert_eq!(
                *told,
                [
                    (1, 10, RemovalCause::Replaced),
                    (1, 11, RemovalCause::Explicit),
                    (2, 20, RemovalCause::Expired),
                    (3, 30, RemovalCause::Explicit),
                ]
            );
            let removed = cache.stats().removed;
            assert_eq!(
                (removed.n_replaced, removed.n_explicit, removed.n_expired),
                (1, 2, 1)
            );
        },
    );
}

#[test]
fn a_listener_may_use_the_cache_and_may_panic() {
    let cache: Cache<u32, u32> = Cache::builder("told").max_entries(1).build().unwrap();
    let inner = Arc::new(Mutex::new(None::<Cache<u32, u32>>));
    let seen = Arc::clone(&inner);
    let telling: Cache<u32, u32> = Cache::builder("telling")
        .max_entries(1)
        .on_removal(move |key, value, cause| {
            assert_eq!(cause, RemovalCause::Size);
            let cache = seen.lock().unwrap().clone().unwrap();
            cache.insert(*key, *value);
            assert!(*key > 1, "the first panics");
        })
        .build()
        .unwrap();
    *inner.lock().unwrap() = Some(cache.clone());
    for key in 1..=3 {
        telling.insert(key, key * 10);
    }
    assert_eq!(cache.get(&2), Some(20));
    assert_eq!(telling.stats().n_listener_panics, 1);
    assert_eq!(telling.get(&3), Some(30));
}

#[test]
fn a_tag_takes_its_entries_with_it_and_no_others() {
    each_store(
        |builder| builder.ttl(seconds(10)),
        |cache: Cache<u32, u32>, clock| {
            let tagged = Put::new().tag("project:42").tag("organisation:1");
            cache.insert_with(1, 1, &tagged);
            cache.insert_with(2, 2, &Put::new().tag("project:42"));
            cache.insert_with(3, 3, &Put::new().tag("project:4"));
            cache.insert(4, 4);
            cache.insert_with(5, 5, &tagged);
            cache.insert(5, 6);
            assert_eq!(cache.invalidate_tag("project:42"), 2);
            assert_eq!(
                [1, 2, 3, 4, 5].map(|key| cache.get(&key)),
                [None, None, Some(3), Some(4), Some(6)]
            );
            assert_eq!(cache.invalidate_tag("organisation:1"), 0);
            clock.advance(seconds(10));
            cache.cleanup();
            cache.insert_with(3, 7, &Put::new().tag("project:5"));
            assert_eq!(
                cache.invalidate_tag("project:4"),
                0,
                "the old tag left with the old entry"
            );
            assert_eq!(cache.lookup(&3), Lookup::Hit(7));
        },
    );
}

#[test]
fn under_pressure_the_expired_go_first_and_the_floor_stays() {
    each_store(
        |builder| {
            builder
                .max_entries(2_000)
                .ttl(seconds(10))
                .floor(100)
                .weigher(|_: &u32, _: &u32| 10)
        },
        |cache: Cache<u32, u32>, clock| {
            (0..500).for_each(|key| cache.insert(key, key));
            clock.advance(seconds(10));
            (500..1_000).for_each(|key| cache.insert(key, key));
            assert_eq!(cache.held().bytes(), 10_000);
            assert_eq!(cache.reclaim(ByteSize::from_bytes(3_000)).bytes(), 5_000);
            assert!(
                (500..1_000).all(|key| cache.contains(&key)),
                "the expired were enough"
            );
            let given = cache.reclaim(ByteSize::from_bytes(1_000)).bytes();
            assert!((1_000..1_500).contains(&given), "{given}");
            cache.reclaim(ByteSize::MAX);
            assert!((100..=130).contains(&cache.len()), "{}", cache.len());
            let stats = cache.stats();
            assert_eq!(stats.bytes_reclaimed.bytes() + stats.bytes.bytes(), 10_000);
        },
    );
}

#[test]
fn a_strict_cache_gives_back_what_was_used_longest_ago() {
    let cache: Cache<u32, u32> = Cache::builder("order")
        .floor(0)
        .weigher(|_: &u32, _: &u32| 1)
        .build()
        .unwrap();
    (0..10).for_each(|key| cache.insert(key, key));
    cache.get(&0);
    assert_eq!(cache.reclaim(ByteSize::from_bytes(8)).bytes(), 8);
    let held: Vec<u32> = (0..10).filter(|key| cache.contains(key)).collect();
    assert_eq!(held, [0, 9]);
}

#[test]
fn a_removal_answers_with_what_it_removed_whoever_else_collects() {
    each_store(
        |builder| builder.ttl(seconds(10)),
        |cache: Cache<u32, u32>, clock| {
            const ROUNDS: u32 = 5_000;
            let is_done = AtomicBool::new(false);
            thread::scope(|scope| {
                // Lookups and writes settle for whatever left, and must not take what another call answers with.
                for _ in 0..2 {
                    scope.spawn(|| {
                        while !is_done.load(Ordering::Relaxed) {
                            cache.insert(0, 0);
                            cache.get(&0);
                        }
                    });
                }
                let ended = Ended(&is_done);
                for key in 1..ROUNDS {
                    cache.insert(key, key);
                    assert_eq!(cache.remove(&key), Some(key), "{}", cache.store_name());
                }
                drop(ended);
            });
            cache.clear();
            cache.insert(1, 1);
            clock.advance(seconds(10));
            assert_eq!(cache.cleanup().keys, [1]);
            assert_eq!((cache.len(), cache.stats().bytes.bytes()), (0, 0));
        },
    );
}

/// Says that a test's threads may end, also where it fails.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(feature = "fast")]
#[test]
fn evictions_at_the_same_time_leave_the_bound_of_a_fast_cache_as_it_was() {
    let cache: Cache<u64, u64> = Cache::builder("fast")
        .max_entries(20_000)
        .fast()
        .floor(0)
        .build()
        .unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let cache = &cache;
            scope.spawn(move || {
                for round in 0..300 {
                    (0..20).for_each(|key| cache.insert(thread << 32 | round << 8 | key, key));
                    cache.reclaim(ByteSize::from_bytes(16));
                }
            });
        }
    });
    (0..100_000).for_each(|key| cache.insert(key, key));
    assert!(cache.len() > 19_000, "{} of 20,000 fit", cache.len());
}

#[test]
fn heap_sizes_add_up() {
    let text = String::with_capacity(64);
    let nested = vec![(1_u64, text)];
    assert_eq!(nested.heap_bytes(), size_of::<(u64, String)>() + 64);
    assert_eq!(Some(Box::new(7_u32)).heap_bytes(), 4);
    assert_eq!(
        Arc::new([0_u8; 100]).heap_bytes(),
        2 * size_of::<usize>() + 100
    );
    let cache: Cache<u64, String> = Cache::builder("heap").weigh_heap().build().unwrap();
    cache.insert(1, String::with_capacity(1_000));
    assert_eq!(cache.stats().bytes.bytes(), 1_000 + 8 + 24);
}

#[test]
fn what_one_call_removed_is_free_at_once_or_after_a_sweep() {
    each_store(
        |builder| builder.max_entries(100),
        |cache: Cache<u32, Arc<u32>>, _clock| {
            let put = |how: &Put| {
                let value = Arc::new(7);
                let held = Arc::downgrade(&value);
                cache.insert_with(1, value, how);
                held
            };
            let removed = put(&Put::new());
            assert_eq!(cache.remove(&1).as_deref(), Some(&7));
            let replaced = put(&Put::new());
            let tagged = put(&Put::new().tag("tag"));
            assert_eq!(cache.invalidate_tag("tag"), 1);
            let held = [removed, replaced, tagged];
            let is_free = || held.iter().all(|held| held.strong_count() == 0);
            // moka frees when no reader of the process is in the middle of a read any more; other tests read too.
            let sweeps_max = if cache.store_name() == "default" {
                100_000
            } else {
                0
            };
            for _sweep in 0..sweeps_max {
                if is_free() {
                    break;
                }
                cache.cleanup();
                thread::yield_now();
            }
            assert!(is_free(), "{}", cache.store_name());
        },
    );
}
