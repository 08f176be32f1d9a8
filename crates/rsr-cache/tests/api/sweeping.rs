//! Cleaning up while others write: rule 9.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rsr_cache::Cache;
use rsr_testkit::Seeded;

use super::{each_store, seconds};

#[test]
fn a_dry_run_lists_what_a_sweep_removes_and_removes_nothing() {
    each_store(
        |builder| {
            builder
                .ttl(seconds(10))
                .weigher(|key: &u32, _: &u32| u64::from(*key))
        },
        |cache: Cache<u32, u32>, clock| {
            (1..=10).for_each(|key| cache.insert(key, key));
            clock.advance(seconds(5));
            (11..=20).for_each(|key| cache.insert(key, key));
            clock.advance(seconds(5));
            assert_eq!(cache.stats().expired_entries, 10);
            let mut listed = cache.cleanup_dry_run();
            assert_eq!(cache.len(), 20);
            let mut removed = cache.cleanup();
            listed.keys.sort_unstable();
            removed.keys.sort_unstable();
            assert_eq!(listed.keys, removed.keys);
            assert_eq!((listed.bytes.bytes(), removed.bytes.bytes()), (55, 55));
            assert_eq!((cache.len(), cache.stats().expired_entries), (10, 0));
        },
    );
}

/// A writer refreshes keys that have just expired while a sweeper removes expired ones: no refreshed value is lost.
#[test]
fn a_sweep_never_takes_a_value_written_meanwhile() {
    const KEYS: u32 = 64;
    each_store(
        |builder| builder.max_entries(100_000).ttl(seconds(10)),
        |cache: Cache<u32, u32>, clock| {
            let is_done = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !is_done.load(Ordering::Relaxed) {
                        cache.cleanup();
                    }
                });
                scope.spawn(|| {
                    while !is_done.load(Ordering::Relaxed) {
                        for key in 0..KEYS {
                            cache.lookup(&key);
                        }
                    }
                });
                let mut n_lost = 0;
                for round in 0..300 {
                    clock.advance(seconds(10));
                    for key in 0..KEYS {
                        cache.insert(key, round);
                        n_lost += u32::from(cache.get(&key) != Some(round));
                    }
                }
                is_done.store(true, Ordering::Relaxed);
                assert_eq!(n_lost, 0);
            });
        },
    );
}

/// Threads do everything at once; afterwards the accounts agree with what is there.
#[test]
fn accounts_agree_after_a_storm() {
    each_store(
        |builder| {
            builder
                .max_entries(1_000)
                .ttl(seconds(50))
                .weigher(|_: &u64, value: &u64| *value % 100 + 1)
        },
        |cache: Cache<u64, u64>, clock| {
            thread::scope(|scope| {
                for seed in 0..4 {
                    let (cache, clock) = (&cache, &clock);
                    scope.spawn(move || {
                        let mut random = Seeded::new(seed);
                        for _ in 0..20_000 {
                            let key = random.below(3_000);
                            match random.below(1_000) {
                                0 => cache.clear(),
                                1..5 => clock.advance(seconds(1)),
                                5 => drop(cache.cleanup()),
                                6..100 => {
                                    cache.remove(&key);
                                }
                                100..500 => cache.insert(key, random.next_u64()),
                                500..600 => {
                                    let loaded = cache.get_or_load(&key, || Ok::<_, String>(key));
                                    loaded.unwrap();
                                }
                                _ => {
                                    cache.get(&key);
                                }
                            }
                        }
                    });
                }
            });
            cache.cleanup();
            let stats = cache.stats();
            let held: Vec<u64> = (0..3_000).filter_map(|key| cache.get(&key)).collect();
            assert_eq!(stats.size, held.len() as u64);
            assert_eq!(
                stats.bytes.bytes(),
                held.iter().map(|value| value % 100 + 1).sum::<u64>()
            );
            let removed = rsr_cache::RemovalCause::ALL.map(|cause| stats.removed.of(cause));
            assert_eq!(stats.n_inserts, stats.size + removed.iter().sum::<u64>());
            cache.clear();
            let stats = cache.stats();
            assert_eq!(
                (stats.size, stats.bytes.bytes(), stats.expired_entries),
                (0, 0, 0)
            );
        },
    );
}
