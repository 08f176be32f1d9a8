//! Deadlines, stale and negative values: rules 2, 3 and 5.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use rsr_cache::{Cache, Lookup, Put};

use super::{each_store, seconds};

#[test]
fn an_entry_dies_its_ttl_after_it_was_written_however_often_it_is_read() {
    each_store(
        |builder| builder.ttl(seconds(10)),
        |cache: Cache<u32, u32>, clock| {
            cache.insert(1, 10);
            for _ in 0..9 {
                clock.advance(seconds(1));
                assert_eq!(cache.get(&1), Some(10));
            }
            clock.advance(Duration::from_nanos(999_999_999));
            assert_eq!(cache.lookup(&1), Lookup::Hit(10));
            clock.advance(Duration::from_nanos(1));
            assert_eq!(cache.lookup(&1), Lookup::Miss);
            assert_eq!(cache.len(), 0, "what is found dead is removed");
            assert_eq!(cache.stats().removed.n_expired, 1);
        },
    );
}

#[test]
fn a_ttl_of_its_own_is_longer_or_shorter_than_the_caches() {
    each_store(
        |builder| builder.ttl(seconds(10)),
        |cache: Cache<u32, u32>, clock| {
            cache.insert_with(1, 1, &Put::new().ttl(seconds(5)));
            cache.insert_with(2, 2, &Put::new().ttl(seconds(500)));
            cache.insert(3, 3);
            clock.advance(seconds(5));
            assert_eq!(
                [1, 2, 3].map(|key| cache.get(&key)),
                [None, Some(2), Some(3)]
            );
            clock.advance(seconds(5));
            assert_eq!([1, 2, 3].map(|key| cache.get(&key)), [None, Some(2), None]);
        },
    );
}

#[test]
fn nothing_is_a_value_with_a_time_of_its_own() {
    each_store(
        |builder| {
            builder.ttl(seconds(100)).negative(
                |value: &Result<Vec<u8>, String>| value.as_ref().map_or(true, Vec::is_empty),
                seconds(10),
            )
        },
        |cache: Cache<u32, Result<Vec<u8>, String>>, clock| {
            cache.insert(1, Ok(vec![7]));
            cache.insert(2, Ok(Vec::new()));
            cache.insert(3, Err("gone".to_owned()));
            assert_eq!(cache.lookup(&1), Lookup::Hit(Ok(vec![7])));
            assert_eq!(cache.lookup(&2), Lookup::Negative(Ok(Vec::new())));
            assert_eq!(cache.get(&3), Some(Err("gone".to_owned())));
            assert_eq!(cache.lookup(&4), Lookup::Miss);
            clock.advance(seconds(10));
            assert_eq!(cache.lookup(&1), Lookup::Hit(Ok(vec![7])));
            assert!(cache.lookup(&2).is_miss() && cache.lookup(&3).is_miss());
            let stats = cache.stats();
            assert_eq!(
                (stats.n_hits, stats.n_negative_hits, stats.n_misses),
                (4, 2, 3)
            );
        },
    );
}

#[test]
fn a_stale_value_is_told_from_a_valid_one_and_from_none() {
    each_store(
        |builder| builder.ttl(seconds(10)).stale_for(seconds(5)),
        |cache: Cache<u32, u32>, clock| {
            cache.insert(1, 10);
            clock.advance(seconds(10));
            assert_eq!(cache.lookup(&1), Lookup::Stale(10));
            assert_eq!(cache.get(&1), None, "`get` answers valid values alone");
            let stats = cache.stats();
            assert_eq!((stats.stale_entries, stats.expired_entries), (1, 0));
            clock.advance(seconds(5));
            assert_eq!(cache.stats().expired_entries, 1);
            assert_eq!(cache.lookup(&1), Lookup::Miss);
        },
    );
}

#[test]
fn a_cache_of_no_entries_keeps_nothing_and_divides_by_nothing() {
    let cache: Cache<u32, u32> = Cache::builder("none").max_entries(0).build().unwrap();
    cache.insert(1, 1);
    assert_eq!(cache.get(&1), None);
    assert!(cache.stats().utilization_percent().abs() < f64::EPSILON);
    assert_eq!(
        Cache::<u32, u32>::builder("unused")
            .build()
            .unwrap()
            .stats()
            .hit_ratio(),
        None
    );
}

#[derive(Clone, Debug)]
enum Step {
    Write(u8, u16, u8),
    Read(u8),
    Remove(u8),
    Wait(u8),
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..20_u8, any::<u16>(), 1..60_u8).prop_map(|(key, value, ttl)| Step::Write(key, value, ttl)),
        6 => (0..20_u8).prop_map(Step::Read),
        1 => (0..20_u8).prop_map(Step::Remove),
        3 => (0..20_u8).prop_map(Step::Wait),
        1 => Just(Step::Sweep),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A map from keys to value and deadline, read by the same clock, answers the same.
    #[test]
    fn deadlines_and_staleness_follow_the_model(steps in steps(), stale_for in 0..30_u64) {
        each_store(
            |builder| builder.stale_for(seconds(stale_for)),
            |cache: Cache<u8, u16>, clock| {
                let mut model: HashMap<u8, (u16, u64)> = HashMap::new();
                let mut now = 0_u64;
                for step in &steps {
                    match step {
                        Step::Write(key, value, ttl) => {
                            cache.insert_with(*key, *value, &Put::new().ttl(seconds((*ttl).into())));
                            model.insert(*key, (*value, now + u64::from(*ttl)));
                        }
                        Step::Read(key) => {
                            let expected = match model.get(key) {
                                Some((value, deadline)) if now < *deadline => Lookup::Hit(*value),
                                Some((value, deadline)) if now < deadline + stale_for => Lookup::Stale(*value),
                                _ => Lookup::Miss,
                            };
                            assert_eq!(cache.lookup(key), expected);
                        }
                        Step::Remove(key) => {
                            let expected = model.remove(key).filter(|(_, deadline)| now < *deadline);
                            assert_eq!(cache.remove(key), expected.map(|(value, _)| value));
                        }
                        Step::Wait(by) => {
                            now += u64::from(*by);
                            clock.advance(seconds((*by).into()));
                        }
                        Step::Sweep => {
                            let mut listed = cache.cleanup_dry_run().keys;
                            let mut removed = cache.cleanup().keys;
                            listed.sort_unstable();
                            removed.sort_unstable();
                            assert_eq!(listed, removed);
                            model.retain(|_, (_, deadline)| now < *deadline + stale_for);
                            assert_eq!(cache.len(), model.len() as u64);
                            assert_eq!(cache.stats().expired_entries, 0);
                        }
                    }
                }
            },
        );
    }
}
