//! Lookups and mixed use against moka, quick_cache and a locked LRU; hit ratio on a skewed trace with scans.
//!
//! `cargo bench -p rsr-cache --all-features --bench speed -- [--quick] [--json] [CASE]`
#![expect(clippy::expect_used, reason = "a bench that cannot start says so")]

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rsr_cache::{Cache, CacheBuilder};
use rsr_testkit::{Bench, Seeded};

const ENTRIES: u64 = 100_000;
const TTL: Duration = Duration::from_secs(3_600);
const BATCH: usize = 1 << 14;

fn main() {
    let bench = Bench::from_args("cache");
    hits(&bench);
    mixed(&bench);
    hit_ratio(&bench);
}

fn moka() -> moka::sync::Cache<u64, u64> {
    moka::sync::Cache::builder()
        .max_capacity(ENTRIES)
        .time_to_live(TTL)
        .eviction_policy(moka::policy::EvictionPolicy::lru())
        .build()
}

fn ours(adapt: impl FnOnce(CacheBuilder<u64, u64>) -> CacheBuilder<u64, u64>) -> Cache<u64, u64> {
    let builder = Cache::builder("bench").max_entries(ENTRIES).ttl(TTL);
    adapt(builder).build().expect("a cache that can be built")
}

fn entries() -> usize {
    usize::try_from(ENTRIES).expect("it fits")
}

/// Keys that a full cache holds, in random order. Half the entries are used, so that shards of uneven size hold them.
fn keys_held(seed: u64) -> Vec<u64> {
    let mut random = Seeded::new(seed);
    (0..BATCH).map(|_| random.below(ENTRIES / 2)).collect()
}

fn hits(bench: &Bench) {
    let keys = keys_held(1);
    let fill = |put: &mut dyn FnMut(u64)| (0..ENTRIES / 2).for_each(put);
    let each = |get: &mut dyn FnMut(&u64)| {
        keys.iter().for_each(get);
        keys.len() as u64
    };
    macro_rules! lookups {
        ($cache:expr) => {{
            let cache = $cache;
            let keys = keys.clone();
            fill(&mut |key| {
                black_box(cache.insert(key, key));
            });
            move || {
                for key in &keys {
                    black_box(cache.get(key));
                }
                keys.len() as u64
            }
        }};
    }
    bench.speed(
        "default-hit",
        "moka",
        lookups!(ours(|builder| builder.strict(false))),
        lookups!(moka()),
    );
    let told = |builder: CacheBuilder<u64, u64>| {
        builder.strict(false).on_removal(|key, _value, _cause| {
            black_box(key);
        })
    };
    bench.speed(
        "listener-hit",
        "moka",
        lookups!(ours(told)),
        lookups!(moka()),
    );
    bench.speed(
        "fast-hit",
        "moka",
        lookups!(ours(CacheBuilder::fast)),
        lookups!(moka()),
    );
    bench.speed(
        "fast-hit-quick-cache",
        "quick_cache",
        lookups!(ours(CacheBuilder::fast)),
        lookups!(quick_cache::sync::Cache::<u64, u64>::new(entries())),
    );
    let locked = Mutex::new(lru::LruCache::<u64, u64>::new(
        NonZeroUsize::new(entries()).expect("not zero"),
    ));
    fill(&mut |key| {
        let mut lru = locked.lock().unwrap_or_else(PoisonError::into_inner);
        lru.put(key, key);
    });
    bench.speed(
        "strict-hit",
        "Mutex<lru>",
        lookups!(ours(|builder| builder.strict(true))),
        || {
            each(&mut |key| {
                let mut lru = locked.lock().unwrap_or_else(PoisonError::into_inner);
                black_box(lru.get(key).copied());
            })
        },
    );
    let plain = dashmap::DashMap::<u64, u64>::new();
    fill(&mut |key| {
        plain.insert(key, key);
    });
    bench.speed(
        "fast-hit-dashmap",
        "dashmap",
        lookups!(ours(CacheBuilder::fast)),
        || {
            each(&mut |key| {
                black_box(plain.get(key).map(|found| *found));
            })
        },
    );
}

/// Three lookups to one write, over twice as many keys as fit.
fn mixed(bench: &Bench) {
    let mut random = Seeded::new(2);
    let work: Vec<(u64, bool)> = (0..BATCH * 16)
        .map(|_| (random.below(ENTRIES * 2), random.one_in(4)))
        .collect();
    macro_rules! mix {
        ($cache:expr) => {{
            let cache = $cache;
            let mut rest = work.iter().cycle();
            move || {
                for (key, is_write) in rest.by_ref().take(BATCH) {
                    if *is_write {
                        cache.insert(*key, *key);
                    } else {
                        black_box(cache.get(key));
                    }
                }
                BATCH as u64
            }
        }};
    }
    bench.speed(
        "default-mixed",
        "moka",
        mix!(ours(|builder| builder.strict(false))),
        mix!(moka()),
    );
    bench.speed(
        "fast-mixed",
        "moka",
        mix!(ours(CacheBuilder::fast)),
        mix!(moka()),
    );
    bench.speed(
        "fast-mixed-quick-cache",
        "quick_cache",
        mix!(ours(CacheBuilder::fast)),
        mix!(quick_cache::sync::Cache::<u64, u64>::new(entries())),
    );
}

/// Zipf (exponent 1.08) over 100,000 keys, every third access a key that never comes again; a tenth fits.
fn hit_ratio(bench: &Bench) {
    if !bench.wants("fast-hit-ratio") {
        return;
    }
    const KEYS: u32 = 100_000;
    let n_accesses = if bench.is_quick() { 600_000 } else { 3_000_000 };
    let mut sum = 0.0;
    let cumulative: Vec<f64> = (1..=KEYS)
        .map(|rank| {
            sum += f64::from(rank).powf(-1.08);
            sum
        })
        .collect();
    let trace = || {
        let mut random = Seeded::new(3);
        let mut scan = u64::from(KEYS);
        let cumulative = &cumulative;
        (0..n_accesses).map(move |_| {
            if random.one_in(3) {
                scan += 1;
                return scan;
            }
            let draw = u32::try_from(random.below(1 << 31)).expect("31 bits");
            let at = f64::from(draw) / f64::from(1_u32 << 31) * sum;
            cumulative.partition_point(|upto| *upto < at) as u64
        })
    };
    let run = |get: &dyn Fn(&u64) -> bool, put: &dyn Fn(u64)| {
        let mut n_hits = 0_u32;
        for key in trace() {
            if get(&key) {
                n_hits += 1;
            } else {
                put(key);
            }
        }
        f64::from(n_hits) / f64::from(n_accesses)
    };
    let fast: Cache<u64, u64> = Cache::builder("ratio")
        .max_entries(u64::from(KEYS) / 10)
        .fast()
        .build()
        .expect("a cache that can be built");
    let ours = run(&|key| fast.get(key).is_some(), &|key| fast.insert(key, key));
    let peer = quick_cache::sync::Cache::<u64, u64>::new(KEYS as usize / 10);
    let theirs = run(&|key| peer.get(key).is_some(), &|key| peer.insert(key, key));
    bench.more("fast-hit-ratio", "quick_cache", "hit ratio", ours, theirs);
}
