//! Caches by name, over all of them: rules 1, 9, 12 to 15.

use std::sync::Arc;

use rsr_base::{ByteSize, MemoryBudget, Reclaim};
use rsr_cache::{Cache, CacheRegistry, RegistryError, Severity, WarmEnd};
use rsr_settings::CacheSettings;
use rsr_testkit::ManualClock;

use super::seconds;

fn settings() -> CacheSettings {
    CacheSettings {
        ttl: seconds(100),
        max_size: 100,
        cleanup_interval: seconds(300),
        ..CacheSettings::default()
    }
}

fn on_manual_clock(settings: CacheSettings) -> (CacheRegistry, ManualClock) {
    let clock = ManualClock::new();
    (
        CacheRegistry::with_clock(settings, Arc::new(clock.clone())),
        clock,
    )
}

#[test]
fn the_same_name_and_parameters_give_the_same_cache() {
    let registry = CacheRegistry::new(settings());
    let make = || {
        registry
            .get_or_create(registry.builder::<u32, u32>("any name: _global, ✓"))
            .unwrap()
    };
    make().insert(1, 1);
    assert_eq!(make().get(&1), Some(1));
    assert_eq!(
        registry
            .get::<u32, u32>("any name: _global, ✓")
            .unwrap()
            .get(&1),
        Some(1)
    );
    assert_eq!(make().stats().ttl, Some(seconds(100)));
}

#[test]
fn other_parameters_or_types_are_an_error_that_shows_both() {
    let registry = CacheRegistry::new(settings());
    registry
        .get_or_create(registry.builder::<u32, u32>("titles"))
        .unwrap();
    let error = registry
        .get_or_create(registry.builder::<u32, u32>("titles").max_entries(7))
        .unwrap_err();
    assert!(matches!(&error, RegistryError::Mismatch { .. }));
    let message = error.to_string();
    assert!(
        message.contains("of 100 entries") && message.contains("of 7 entries"),
        "{message}"
    );
    assert!(
        registry
            .get_or_create(registry.builder::<u64, u32>("titles"))
            .is_err()
    );
    assert!(matches!(
        registry.get::<u64, u32>("titles"),
        Err(RegistryError::Types { .. })
    ));
    let unknown = registry.get::<u32, u32>("tiles").unwrap_err().to_string();
    assert_eq!(
        unknown,
        r#"no cache is named "tiles"; known are ["titles"]"#
    );
    assert!(
        registry
            .adopt(&Cache::<u32, u32>::builder("titles").build().unwrap())
            .is_err()
    );
}

#[derive(Clone)]
struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        assert!(
            std::thread::panicking(),
            "this value cannot be dropped in peace"
        );
    }
}

#[test]
fn totals_are_over_all_and_one_that_fails_does_not_stop_the_rest() {
    let (registry, clock) = on_manual_clock(settings());
    let good = registry
        .get_or_create(registry.builder::<u32, u32>("_global"))
        .unwrap();
    let bad = registry
        .get_or_create(registry.builder::<u32, Arc<PanicsInDrop>>("bad"))
        .unwrap();
    (0..40).for_each(|key| good.insert(key, key));
    (1..=3).for_each(|key| bad.insert(key, Arc::new(PanicsInDrop)));
    let all = registry.stats_all();
    assert_eq!(all.caches["_global"].size, 40);
    assert_eq!(
        (
            all.global.total_caches,
            all.global.total_entries,
            all.global.total_max_entries
        ),
        (2, 43, 200)
    );
    assert!((all.global.global_utilization_percent() - 21.5).abs() < 1e-9);
    clock.advance(seconds(100));
    assert_eq!(registry.cleanup_all(true).total.n_removed, 43);
    let swept = registry.cleanup_all(false);
    assert_eq!(swept.total.n_removed, 40);
    assert!(
        swept.caches["bad"]
            .as_ref()
            .unwrap_err()
            .message
            .contains("in peace")
    );
    assert!(!bad.is_empty(), "the panic ended the sweep of that cache");
    good.insert(1, 1);
    let cleared = registry.clear_all(false);
    assert_eq!(cleared.caches["_global"].as_ref().unwrap().n_removed, 1);
    assert!(
        bad.is_empty(),
        "each value was accounted for though its destructor panicked"
    );
}

#[test]
fn the_bound_over_all_caches_holds_after_every_write() {
    let (registry, _clock) = on_manual_clock(CacheSettings {
        max_bytes: Some(ByteSize::from_bytes(10_000)),
        ..settings()
    });
    let weigh = |_: &u32, value: &u32| u64::from(*value);
    let large = registry
        .get_or_create(registry.builder::<u32, u32>("large").weigher(weigh))
        .unwrap();
    let small = registry
        .get_or_create(registry.builder::<u32, u32>("small").weigher(weigh))
        .unwrap();
    let deferred = registry
        .get_or_create(
            registry
                .builder::<u32, u32>("deferred")
                .strict(false)
                .weigher(weigh),
        )
        .unwrap();
    for key in 0..2_000 {
        large.insert(key, 900);
        small.insert(key % 5, 10);
        deferred.insert(key, 100);
        small.get(&(key % 5));
        let held = registry.stats_all().global.total_bytes;
        assert!(held <= ByteSize::from_bytes(10_000), "{held} after {key}");
    }
    assert!(
        !small.is_empty(),
        "a small cache that is used is not emptied for a large one that is not"
    );
    registry.set_max_bytes(Some(ByteSize::from_bytes(1_000)));
    assert!(registry.held() <= ByteSize::from_bytes(1_000));
    assert_eq!(
        registry.stats_all().global.max_bytes,
        Some(ByteSize::from_bytes(1_000))
    );
}

#[test]
fn the_janitor_sweeps_idle_caches() {
    let (registry, clock) = on_manual_clock(settings());
    let janitor = registry.spawn_janitor().unwrap();
    let cache = registry
        .get_or_create(registry.builder::<u32, u32>("idle"))
        .unwrap();
    cache.insert(1, 1);
    clock.advance(seconds(299));
    janitor.nudge();
    assert_eq!((cache.len(), cache.stats().expired_entries), (1, 1));
    clock.advance(seconds(1));
    janitor.nudge();
    assert_eq!(cache.len(), 0);
}

#[test]
fn pressure_is_answered_by_the_cache_that_holds_most() {
    let (registry, _clock) = on_manual_clock(settings());
    let weigh = |_: &u32, value: &u32| u64::from(*value);
    let large = registry
        .get_or_create(registry.builder::<u32, u32>("large").weigher(weigh))
        .unwrap();
    let small = registry
        .get_or_create(registry.builder::<u32, u32>("small").weigher(weigh))
        .unwrap();
    (0..50).for_each(|key| large.insert(key, 100));
    (0..50).for_each(|key| small.insert(key, 1));
    assert_eq!(registry.reclaim(ByteSize::from_bytes(1_000)).bytes(), 1_000);
    assert_eq!((large.len(), small.len()), (40, 50));
}

#[test]
fn the_monitor_finds_what_its_limits_say() {
    let (registry, clock) = on_manual_clock(settings());
    let make = |name: &str| {
        registry
            .get_or_create(registry.builder::<u32, u32>(name))
            .unwrap()
    };
    let (full, brim, late, cold) = (make("full"), make("brim"), make("late"), make("cold"));
    (0..20).for_each(|key| late.insert(key, key));
    clock.advance(seconds(100));
    (0..81).for_each(|key| full.insert(key, key));
    (0..96).for_each(|key| brim.insert(key, key));
    (0..80).for_each(|key| late.insert(key + 50, key));
    (0..1_000).for_each(|key| assert_eq!(cold.get(&key), None));
    let report = registry.monitor();
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.severity, finding.cache.as_deref()))
        .collect();
    assert_eq!(
        found,
        [
            (Severity::High, Some("brim")),
            (Severity::High, Some("late")),
            (Severity::Medium, Some("full")),
            (Severity::Medium, Some("late")),
            (Severity::Low, Some("cold")),
        ]
    );
    assert!(report.has_high());
    (0..40).for_each(|key| cold.insert(key, key));
    let all = registry.monitor().findings;
    assert!(
        all.iter()
            .any(|finding| finding.cache.is_none() && finding.severity == Severity::Medium)
    );
    assert!(all.iter().all(|finding| !finding.recommendation.is_empty()));
}

#[test]
fn a_cache_that_is_too_small_recommends_its_size() {
    let cache: Cache<u32, u32> = Cache::builder("small").max_entries(100).build().unwrap();
    for _ in 0..20 {
        for key in 0..150 {
            if cache.get(&key).is_none() {
                cache.insert(key, key);
            }
        }
    }
    let recommended = cache.stats().recommended_size.unwrap();
    assert!((150..=250).contains(&recommended), "{recommended}");
}

#[test]
fn warming_stops_at_its_share_or_under_pressure() {
    let cache: Cache<u32, u32> = Cache::builder("warm").max_entries(100).build().unwrap();
    cache.insert(0, 7);
    let mut n_asked = 0;
    let warmed = cache.warm((0..50).map(|key| (key, key)), 50, || {
        n_asked += 1;
        n_asked > 20
    });
    assert_eq!((warmed.n_filled, warmed.end), (19, WarmEnd::Pressure));
    assert_eq!(cache.get(&0), Some(7));
    assert_eq!(
        cache
            .warm((0..1_000).map(|key| (key, key)), 50, || false)
            .end,
        WarmEnd::Full
    );
    assert_eq!(cache.len(), 50);
    assert_eq!(cache.warm([], 80, || false).end, WarmEnd::Done);
}

#[test]
fn changed_settings_reach_the_caches_that_live_by_them() {
    let clock = ManualClock::new();
    let settings = CacheSettings {
        max_size: 10,
        ttl: seconds(100),
        ..CacheSettings::default()
    };
    let registry = CacheRegistry::with_clock(settings.clone(), Arc::new(clock.clone()));
    let follows = registry
        .get_or_create(registry.builder::<u32, u32>("follows"))
        .unwrap();
    let own = registry.builder::<u32, u32>("own").max_entries(10);
    let own = registry.get_or_create(own.ttl(seconds(7))).unwrap();
    let fixed = registry.builder::<u32, u32>("fixed").strict(false);
    let fixed = registry.get_or_create(fixed).unwrap();
    (0..10).for_each(|key| follows.insert(key, key));

    let changed = CacheSettings {
        max_size: 4,
        ttl: seconds(10),
        max_bytes: Some(ByteSize::from_kib(1)),
        ..settings.clone()
    };
    assert_eq!(registry.follow(&changed), ["fixed"], "moka keeps its bound");
    let stats = follows.stats();
    assert_eq!((stats.size, stats.max_size), (4, 4), "at once");
    assert_eq!((stats.ttl, stats.removed.n_size), (Some(seconds(10)), 6));
    assert_eq!(own.stats().max_size, 10);
    assert_eq!(own.stats().ttl, Some(seconds(7)));
    assert_eq!(fixed.stats().max_size, 10);
    assert_eq!(fixed.stats().ttl, Some(seconds(10)));
    assert_eq!(
        registry.stats_all().global.max_bytes,
        Some(ByteSize::from_kib(1))
    );

    follows.insert(20, 20);
    clock.advance(seconds(10));
    assert_eq!(follows.get(&20), None, "written after the change");
    assert_eq!(follows.get(&9), Some(9), "written before it");
    let later = registry
        .get_or_create(registry.builder::<u32, u32>("later"))
        .unwrap();
    assert_eq!(later.stats().max_size, 4);
    let again = registry
        .get_or_create(registry.builder::<u32, u32>("follows"))
        .unwrap();
    assert_eq!(again.len(), follows.len(), "it is the same cache");

    let more = CacheSettings {
        max_size: 1_000,
        ..settings
    };
    assert_eq!(registry.follow(&more), ["fixed"]);
    (0..1_000).for_each(|key| follows.insert(key, key));
    assert_eq!(follows.len(), 1_000);
}

#[cfg(feature = "fast")]
#[test]
fn a_fast_cache_can_shrink_and_grow() {
    let cache: Cache<u32, u32> = Cache::builder("fast")
        .max_entries(4_000)
        .fast()
        .build()
        .unwrap();
    (0..4_000).for_each(|key| cache.insert(key, key));
    assert!(cache.set_max_entries(1_000));
    assert!(cache.len() <= 1_000);
    assert_eq!(cache.stats().max_size, 1_000);
    assert!(!cache.set_max_entries(0), "a shard holds one at least");
    assert!(cache.set_max_entries(4_000));
    (0..4_000).for_each(|key| cache.insert(key, key));
    assert!(cache.len() > 3_500, "{}", cache.len());
}

#[test]
fn dry_runs_name_the_keys_and_only_a_hundred_of_them() {
    let clock = ManualClock::new();
    let settings = CacheSettings::default();
    let registry = CacheRegistry::with_clock(settings, Arc::new(clock.clone()));
    let builder = registry.builder::<u32, u32>("named").ttl(seconds(10));
    let cache = registry
        .get_or_create(builder.show_keys(|key| format!("project {key}")))
        .unwrap();
    (0..3).for_each(|key| cache.insert(key, key));
    clock.advance(seconds(10));
    (3..5).for_each(|key| cache.insert(key, key));
    let keys = |summary: &rsr_cache::CleanupSummary| {
        let mut keys = summary.keys.clone();
        keys.sort_unstable();
        keys
    };
    let any = registry.get_any("named").unwrap();
    let dry = any.cleanup(true);
    assert_eq!(keys(&dry), ["project 0", "project 1", "project 2"]);
    assert_eq!(any.clear(true).n_removed, 5);
    let swept = any.cleanup(false);
    assert_eq!(keys(&swept), keys(&dry), "the same keys");
    assert_eq!(keys(&any.clear(true)), ["project 3", "project 4"]);
    let cleared = any.clear(false);
    assert_eq!(keys(&cleared), ["project 3", "project 4"]);
    assert_eq!(cleared.bytes, ByteSize::from_bytes(2 * 8));

    (0..300).for_each(|key| cache.insert(key, key));
    let all = any.clear(true);
    assert_eq!((all.n_removed, all.keys.len()), (300, 100));
    assert_eq!(registry.clear_all(true).total.n_removed, 300);
}

#[test]
fn a_cache_that_is_in_use_while_it_joins_is_counted_right() {
    for _ in 0..200 {
        let registry = CacheRegistry::new(CacheSettings {
            max_bytes: Some(ByteSize::from_bytes(1_000)),
            ..CacheSettings::default()
        });
        let cache: Cache<u32, u32> = Cache::builder("busy")
            .weigher(|_: &u32, _: &u32| 100)
            .build()
            .unwrap();
        std::thread::scope(|scope| {
            for thread in 0..2_u32 {
                let cache = &cache;
                scope.spawn(move || {
                    for _ in 0..50 {
                        cache.insert(thread, 1);
                        cache.remove(&thread);
                    }
                });
            }
            registry.adopt(&cache).unwrap();
        });
        cache.clear();
        (0..9).for_each(|key| cache.insert(key, key));
        assert_eq!(cache.len(), 9, "nine of ten fit, and nothing else is held");
    }
}

/// A registry whose caches hold values of a KiB, and a budget of so many of them.
fn budgeted(kib: u64) -> (Cache<u64, Vec<u8>>, CacheRegistry, MemoryBudget) {
    let (registry, _clock) = on_manual_clock(CacheSettings {
        max_size: 100_000,
        ..settings()
    });
    let builder = registry
        .builder::<u64, Vec<u8>>("answers")
        .strict(true)
        .weigher(|_key: &u64, value: &Vec<u8>| value.len() as u64);
    let cache = registry.get_or_create(builder).expect("a new name");
    let root = MemoryBudget::root("process", ByteSize::from_kib(kib));
    registry.reserve_from(&root.child("caches", ByteSize::MAX));
    (cache, registry, root)
}

#[test]
fn what_caches_hold_is_reserved_ahead_and_given_back() {
    let (cache, registry, root) = budgeted(64 << 10);
    for key in 0..10_000 {
        cache.insert(key, vec![0; 1024]);
        let held = registry.stats_all().global.total_bytes;
        assert!(root.used() >= held, "{} for {held}", root.used());
    }
    assert!(
        root.used() <= ByteSize::from_kib(11 << 10),
        "{}",
        root.used()
    );
    cache.clear();
    registry.settle();
    assert!(root.used() <= ByteSize::from_kib(512), "{}", root.used());
    drop((cache, registry));
    assert_eq!(root.used(), ByteSize::ZERO);
}

#[test]
fn caches_evict_where_no_more_is_promised_to_them() {
    let (cache, registry, root) = budgeted(4 << 10);
    let others = root.try_reserve(ByteSize::from_kib(3 << 10)).unwrap();
    for key in 0..10_000 {
        cache.insert(key, vec![0; 1024]);
    }
    let held = registry.stats_all().global.total_bytes;
    assert!(held <= ByteSize::from_kib(1 << 10), "{held}");
    assert!(cache.get(&9_999).is_some(), "the newest stays");
    assert!(root.used() <= root.limit());
    drop(others);
    for key in 10_000..12_000 {
        cache.insert(key, vec![0; 1024]);
    }
    let held = registry.stats_all().global.total_bytes;
    assert!(held > ByteSize::from_kib(2 << 10), "{held}: room came back");
}
