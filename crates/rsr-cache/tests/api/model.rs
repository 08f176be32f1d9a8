//! Bounds and order of use against naive models: rules 1 and 6.

use proptest::prelude::*;
use rsr_base::ByteSize;
use rsr_cache::Cache;
use rsr_testkit::Seeded;

use super::each_store;

/// The most recently used first.
#[derive(Default)]
struct List {
    entries: Vec<(u64, u64)>,
}

impl List {
    fn get(&mut self, key: u64) -> Option<u64> {
        let index = self.entries.iter().position(|(known, _)| *known == key)?;
        let entry = self.entries.remove(index);
        self.entries.insert(0, entry);
        Some(entry.1)
    }

    fn put(&mut self, key: u64, value: u64, max: usize) {
        self.remove(key);
        self.entries.insert(0, (key, value));
        self.entries.truncate(max);
    }

    fn remove(&mut self, key: u64) -> Option<u64> {
        let index = self.entries.iter().position(|(known, _)| *known == key)?;
        Some(self.entries.remove(index).1)
    }
}

#[test]
fn a_strict_cache_is_a_list_in_order_of_use_over_100_000_operations() {
    const MAX: usize = 50;
    let mut random = Seeded::new(11);
    let mut list = List::default();
    let cache: Cache<u64, u64> = Cache::builder("model")
        .max_entries(MAX as u64)
        .build()
        .unwrap();
    for step in 0..100_000_u64 {
        let key = random.below(120);
        match random.below(20) {
            0 => assert_eq!(cache.remove(&key), list.remove(key)),
            1 => {
                let is_held = list.entries.iter().any(|(known, _)| *known == key);
                assert_eq!(cache.contains(&key), is_held, "looking is no use");
            }
            2..10 => assert_eq!(cache.get(&key), list.get(key), "step {step}"),
            _ => {
                cache.insert(key, step);
                list.put(key, step, MAX);
            }
        }
        assert_eq!(cache.len(), list.entries.len() as u64);
        if step % 50_000 == 49_999 {
            cache.clear();
            list.entries.clear();
        }
    }
}

#[test]
fn a_small_lru_cache_is_strict_and_never_holds_one_more() {
    let cache: Cache<u64, u64> = Cache::builder("small").max_entries(10).build().unwrap();
    assert_eq!(cache.store_name(), "strict");
    for key in 0..10_000 {
        cache.insert(key, key);
        assert!(cache.len() <= 10);
    }
    let held: Vec<u64> = (0..10_000).filter(|key| cache.contains(key)).collect();
    assert_eq!(held, (9_990..10_000).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The sum of weights stays within the bound after every write, and the accounts agree with the entries.
    #[test]
    fn strict_bytes_never_pass_the_bound(
        writes in prop::collection::vec((0..60_u64, 0..400_u64), 1..400),
        max_entries in 1..40_u64,
        max_bytes in 1..2_000_u64,
    ) {
        let cache: Cache<u64, u64> = Cache::builder("weighed")
            .strict(true)
            .max_entries(max_entries)
            .max_bytes(ByteSize::from_bytes(max_bytes))
            .weigher(|_key: &u64, value: &u64| *value)
            .build()
            .unwrap();
        for (key, value) in writes {
            cache.insert(key, value);
            let stats = cache.stats();
            prop_assert!(stats.bytes.bytes() <= max_bytes && stats.size <= max_entries);
            let held: Vec<u64> = (0..60).filter_map(|key| cache.get(&key)).collect();
            prop_assert_eq!(stats.size, held.len() as u64);
            prop_assert_eq!(stats.bytes.bytes(), held.iter().map(|value| (*value).max(1)).sum::<u64>());
            prop_assert_eq!(cache.get(&key), Some(value).filter(|value| *value <= max_bytes));
        }
    }
}

#[test]
fn every_store_keeps_both_bounds_once_it_has_settled() {
    each_store(
        |builder| {
            builder
                .max_entries(2_000)
                .max_bytes(ByteSize::from_kib(64))
                .weigher(|_key: &u64, value: &u64| *value)
        },
        |cache: Cache<u64, u64>, _clock| {
            let mut random = Seeded::new(5);
            for key in 0..20_000 {
                // First small ones, which the entries bound; then large ones, which the bytes bound.
                cache.insert(key, if key < 10_000 { 8 } else { random.below(1_000) });
            }
            cache.cleanup();
            let stats = cache.stats();
            assert!(stats.size <= 2_000, "{stats:?}");
            assert!(stats.bytes <= ByteSize::from_kib(64), "{stats:?}");
            assert!(
                stats.bytes >= ByteSize::from_kib(32),
                "most of the room is used: {stats:?}"
            );
            let held: Vec<u64> = (0..20_000).filter_map(|key| cache.get(&key)).collect();
            assert_eq!(stats.size, held.len() as u64);
            assert_eq!(
                stats.bytes.bytes(),
                held.iter().map(|value| (*value).max(1)).sum::<u64>()
            );
            assert!(
                stats.removed.n_size > 0 && stats.removed.n_bytes > 0,
                "{stats:?}"
            );
        },
    );
}

#[test]
fn a_value_too_large_to_keep_does_not_leave_the_old_one() {
    each_store(
        |builder| {
            builder
                .max_bytes(ByteSize::from_bytes(100))
                .weigher(|_key: &u64, value: &u64| *value)
        },
        |cache: Cache<u64, u64>, _clock| {
            cache.insert(1, 10);
            cache.insert(1, 101);
            assert_eq!(cache.get(&1), None);
            let stats = cache.stats();
            assert_eq!(
                (stats.n_rejected, stats.size, stats.bytes),
                (1, 0, ByteSize::ZERO)
            );
        },
    );
}
