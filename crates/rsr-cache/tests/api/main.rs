//! What rsr-cache promises to its users, a module a topic.

mod cached;
mod lifetime;
mod loading;
mod misuse;
mod model;
mod registry;
mod removal;
mod sweeping;

use std::sync::Arc;
use std::time::Duration;

use rsr_cache::{Cache, CacheBuilder, Key, Value};
use rsr_testkit::ManualClock;

/// A cache on a clock that the test moves, in each of the stores.
fn each_store<K: Key, V: Value>(
    adapt: impl Fn(CacheBuilder<K, V>) -> CacheBuilder<K, V>,
    check: impl Fn(Cache<K, V>, ManualClock),
) {
    for store in ["strict", "default", "fast"] {
        let clock = ManualClock::new();
        let builder = Cache::builder("test").clock(Arc::new(clock.clone()));
        let builder = match store {
            "strict" => builder.strict(true),
            "default" => builder.strict(false),
            #[cfg(feature = "fast")]
            _ => builder.fast(),
            #[cfg(not(feature = "fast"))]
            _ => continue,
        };
        let cache = adapt(builder).build().expect("it can be built");
        assert_eq!(cache.store_name(), store, "the store asked for");
        check(cache, clock);
    }
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
