//! What caches do to the heap. A binary of its own: the allocator counts the whole process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rsr_base::{ByteSize, Reclaim};
use rsr_cache::{Cache, CacheBuilder, CacheRegistry, CachedProperty};
use rsr_settings::CacheSettings;
use rsr_testkit::{CountingAllocator, ManualClock, left_by, peak_of};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

/// One test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

type Adapt = fn(CacheBuilder<u64, Vec<u8>>) -> CacheBuilder<u64, Vec<u8>>;

fn stores() -> Vec<(&'static str, Adapt)> {
    vec![
        ("strict", |builder| builder.strict(true)),
        ("default", |builder| builder.strict(false)),
        #[cfg(feature = "fast")]
        ("fast", CacheBuilder::fast),
    ]
}

fn held() -> i64 {
    i64::try_from(ALLOCATOR.held()).expect("less than 8 EiB")
}

fn kib(n: i64) -> i64 {
    n << 10
}

#[test]
fn a_million_writes_leave_the_heap_where_ten_thousand_did() {
    let _alone = alone();
    // Unoptimised, a million take most of a minute; continuous integration tests optimised.
    let n_writes = if cfg!(debug_assertions) {
        200_000
    } else {
        1_000_000
    };
    let make = || Cache::<u64, u64>::builder("many").max_entries(10_000);
    let caches = [
        ("strict", make()),
        ("default", make().strict(false)),
        #[cfg(feature = "fast")]
        ("fast", make().fast()),
    ];
    for (store, builder) in caches {
        let cache = builder.build().unwrap();
        assert_eq!(cache.store_name(), store);
        (0..40_000).for_each(|key| cache.insert(key, key));
        cache.cleanup();
        let before = held();
        (40_000..40_000 + n_writes).for_each(|key| cache.insert(key, key));
        cache.cleanup();
        let grown = held() - before;
        assert!(grown < kib(256), "{store}: {grown} bytes more");
    }
}

#[test]
fn clearing_gives_the_memory_back_before_it_returns() {
    let _alone = alone();
    for (store, adapt) in stores() {
        let cache: Cache<u64, Vec<u8>> = adapt(Cache::builder("cleared").max_entries(5_000))
            .build()
            .unwrap();
        // The tables that the fast store keeps are there before.
        cache.insert(0, Vec::new());
        cache.clear();
        let before = held();
        (0..5_000).for_each(|key| cache.insert(key, vec![1; 4_096]));
        let full = held() - before;
        assert!(full > kib(15_000), "{store}: {full}");
        cache.clear();
        let left = held() - before;
        assert!(
            left < kib(600),
            "{store}: {left} bytes are still held of {full}"
        );
    }
}

#[test]
fn a_sweep_and_a_reclaim_give_the_memory_back_before_they_return() {
    let _alone = alone();
    for (store, adapt) in stores() {
        let clock = ManualClock::new();
        let builder = Cache::builder("swept")
            .max_entries(5_000)
            .floor(0)
            .ttl(Duration::from_secs(10));
        let cache: Cache<u64, Vec<u8>> = adapt(builder.clock(Arc::new(clock.clone())).weigh_heap())
            .build()
            .unwrap();
        let before = held();
        (0..2_000).for_each(|key| cache.insert(key, vec![1; 4_096]));
        clock.advance(Duration::from_secs(10));
        (2_000..4_000).for_each(|key| cache.insert(key, vec![1; 4_096]));
        cache.cleanup();
        let half = held() - before;
        assert!(
            half < kib(2_000 * 4 + 1_500),
            "{store}: {half} after the sweep"
        );
        cache.reclaim(ByteSize::from_mib(100));
        let left = held() - before;
        assert!(left < kib(1_000), "{store}: {left} after the reclaim");
    }
}

#[test]
fn a_bound_of_bytes_bounds_the_heap_while_filling() {
    let _alone = alone();
    let registry = CacheRegistry::new(CacheSettings {
        max_size: 100_000,
        max_bytes: Some(ByteSize::from_mib(4)),
        ..CacheSettings::default()
    });
    let builder = registry
        .builder::<u64, Vec<u8>>("bounded")
        .strict(true)
        .weigh_heap();
    let cache = registry.get_or_create(builder).unwrap();
    let ((), peak) = peak_of(&ALLOCATOR, || {
        (0..20_000).for_each(|key| cache.insert(key, vec![1; 4_096]));
    });
    assert!(peak < ByteSize::from_mib(5), "{peak}");
}

#[test]
fn tags_failures_and_ghosts_are_bounded_too() {
    let _alone = alone();
    let cache: Cache<u64, u64> = Cache::builder("bounded")
        .max_entries(100)
        .circuit_breaker(1, Duration::from_secs(60))
        .build()
        .unwrap();
    let work = |keys: std::ops::Range<u64>| {
        for key in keys {
            let how = rsr_cache::Put::new()
                .tag(format!("project:{key}"))
                .tag("all");
            cache.insert_with(key, key, &how);
            assert!(
                cache
                    .get_or_load(&(key + 10_000_000), || Err("down"))
                    .is_err()
            );
        }
    };
    work(0..20_000);
    let before = held();
    work(20_000..100_000);
    let grown = held() - before;
    assert!(grown < kib(200), "{grown}");
}

#[test]
fn nothing_is_left_when_a_cache_is_dropped() {
    let _alone = alone();
    for (store, adapt) in stores() {
        let fill = || {
            let cache: Cache<u64, Vec<u8>> = adapt(Cache::builder("dropped").max_entries(5_000))
                .build()
                .unwrap();
            (0..10_000).for_each(|key| cache.insert(key, vec![1; 1_024]));
        };
        fill();
        let left = left_by(&ALLOCATOR, fill);
        assert!(left < kib(64), "{store}: {left}");
    }
}

#[test]
fn a_property_is_small() {
    let _alone = alone();
    assert!(size_of::<CachedProperty<u64>>() <= 200);
    let properties: Vec<CachedProperty<u64>> = (0..100)
        .map(|_| CachedProperty::new(Duration::from_secs(1)))
        .collect();
    let before = held();
    for property in &properties {
        property.get_or_compute(|| 1).unwrap();
    }
    assert!(held() - before <= 100 * 64);
}
