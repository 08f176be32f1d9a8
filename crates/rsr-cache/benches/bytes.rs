//! Heap bytes for each entry of a full cache, above its 16 bytes of payload.
//!
//! A binary of its own: the counting allocator would slow the speed cases down.
//! `cargo bench -p rsr-cache --all-features --bench bytes -- [--quick] [--json] [CASE]`
#![expect(clippy::expect_used, reason = "a bench that cannot start says so")]

use std::time::Duration;

use rsr_cache::{Cache, CacheBuilder};
use rsr_testkit::{Bench, CountingAllocator};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

const ENTRIES: u64 = 100_000;
const PAYLOAD: f64 = 16.0;
const TTL: Duration = Duration::from_secs(3_600);

fn main() {
    let bench = Bench::from_args("cache");
    let deferred = |builder: CacheBuilder<u64, u64>| builder.strict(false);
    if bench.wants("bytes-default") {
        let figure = ours(deferred);
        bench.less("bytes-default", "moka", "bytes/entry", figure, moka());
    }
    if bench.wants("bytes-fast") {
        let figure = ours(CacheBuilder::fast);
        bench.less(
            "bytes-fast",
            "quick_cache",
            "bytes/entry",
            figure,
            quick_cache(),
        );
    }
    if bench.wants("bytes-strict") {
        let figure = ours(|builder| builder.strict(true));
        bench.less("bytes-strict", "moka", "bytes/entry", figure, moka());
    }
}

/// What `fill` leaves on the heap, for each entry.
fn measured<T>(fill: impl FnOnce() -> T) -> f64 {
    let before = ALLOCATOR.held();
    let cache = fill();
    let grown = ALLOCATOR.held().saturating_sub(before);
    drop(cache);
    let grown = u32::try_from(grown).expect("less than 4 GiB");
    let entries = u32::try_from(ENTRIES).expect("it fits");
    f64::from(grown) / f64::from(entries) - PAYLOAD
}

fn ours(adapt: impl FnOnce(CacheBuilder<u64, u64>) -> CacheBuilder<u64, u64>) -> f64 {
    measured(|| {
        let builder = Cache::builder("bench").max_entries(ENTRIES).ttl(TTL);
        let cache: Cache<u64, u64> = adapt(builder).build().expect("a cache that can be built");
        (0..ENTRIES).for_each(|key| cache.insert(key, key));
        cache.cleanup();
        cache
    })
}

fn moka() -> f64 {
    measured(|| {
        let cache = moka::sync::Cache::builder()
            .max_capacity(ENTRIES)
            .time_to_live(TTL)
            .eviction_policy(moka::policy::EvictionPolicy::lru())
            .build();
        (0..ENTRIES).for_each(|key| cache.insert(key, key));
        (0..16).for_each(|_| cache.run_pending_tasks());
        cache
    })
}

fn quick_cache() -> f64 {
    measured(|| {
        let entries = usize::try_from(ENTRIES).expect("it fits");
        let cache = quick_cache::sync::Cache::<u64, u64>::new(entries);
        (0..ENTRIES).for_each(|key| cache.insert(key, key));
        cache
    })
}
