//! Asking whether an id is being deleted, against a plain concurrent map.
//!
//! `cargo bench -p rsr-deletion -- [--quick] [--json] [CASE]`

use std::hint::black_box;

use rsr_base::ProjectId;
use rsr_deletion::DeletionTracker;
use rsr_testkit::{Bench, Seeded};

const BATCH: i64 = 1 << 14;

fn main() {
    let bench = Bench::from_args("cache");
    let mut random = Seeded::new(1);
    let ids: Vec<ProjectId> = (0..BATCH)
        .map(|_| ProjectId(random.below(1 << 31).cast_signed()))
        .collect();
    let tracker: DeletionTracker = DeletionTracker::default();
    let map = dashmap::DashMap::<ProjectId, u64>::new();
    macro_rules! contains {
        ($tracker:expr) => {
            || {
                let mut n_found = 0_u64;
                for id in &ids {
                    n_found += u64::from($tracker(black_box(id)));
                }
                black_box(n_found);
                ids.len() as u64
            }
        };
    }
    bench.speed(
        "tracker-contains-empty",
        "dashmap",
        contains!(|id: &ProjectId| tracker.contains(*id)),
        contains!(|id: &ProjectId| map.contains_key(id)),
    );
    let guards: Vec<_> = (0..20)
        .map(|_| ProjectId(random.below(1 << 31).cast_signed()))
        .map(|id| {
            map.insert(id, 0);
            tracker.begin(id)
        })
        .collect();
    bench.speed(
        "tracker-contains",
        "dashmap",
        contains!(|id: &ProjectId| tracker.contains(*id)),
        contains!(|id: &ProjectId| map.contains_key(id)),
    );
    drop(guards);
    bench.speed(
        "tracker-begin-drop",
        "dashmap",
        || {
            for id in &ids {
                drop(tracker.begin(*id));
            }
            ids.len() as u64
        },
        || {
            for id in &ids {
                map.insert(*id, 0);
                map.remove(id);
            }
            ids.len() as u64
        },
    );
}
