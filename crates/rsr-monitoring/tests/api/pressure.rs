//! The ladder and what is done on it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use rsr_base::{ByteSize, MemoryBudget, Reclaim};
use rsr_monitoring::{Pressure, PressureLevel, PressureSteps, Readings, Work};
use rsr_testkit::ManualClock;

/// Holds bytes down to a floor.
struct Cache {
    held: AtomicU64,
    floor: u64,
}

impl Reclaim for Cache {
    fn name(&self) -> &str {
        "projects"
    }

    fn held(&self) -> ByteSize {
        ByteSize::from_bytes(self.held.load(Ordering::Relaxed))
    }

    fn reclaim(&self, wanted: ByteSize) -> ByteSize {
        let held = self.held.load(Ordering::Relaxed);
        let given = wanted.bytes().min(held.saturating_sub(self.floor));
        self.held.store(held - given, Ordering::Relaxed);
        ByteSize::from_bytes(given)
    }
}

/// A reading of a process that holds this much, under a limit of 1,000 MiB. Without jemalloc's own figures.
fn reading(mib: u64) -> rsr_monitoring::Reading {
    reading_of_group(mib, &[])
}

/// The same with files of its control group.
fn reading_of_group(mib: u64, files: &[(&str, &str)]) -> rsr_monitoring::Reading {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let write = |path: &str, text: String| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    };
    write(
        "proc/self/statm",
        format!("{} {} 0 0 0 0 0\n", mib * 256, mib * 256),
    );
    write("proc/self/cgroup", "0::/a\n".to_owned());
    write("sys/fs/cgroup/a/memory.max", (1000_u64 << 20).to_string());
    for (name, text) in files {
        write(&format!("sys/fs/cgroup/a/{name}"), (*text).to_owned());
    }
    let mut reading = Readings::new(Path::new(folder.path()), Arc::new(ManualClock::new())).take();
    reading.heap = None;
    reading
}

fn pressure() -> Pressure {
    let budget = MemoryBudget::root("process", ByteSize::from_mib(900));
    Pressure::new(
        PressureSteps::default(),
        budget,
        Arc::new(ManualClock::new()),
    )
}

#[test]
fn what_the_kernel_counts_is_the_last_guard() {
    let mib = |mib: u64| (mib << 20).to_string();
    let stalled = |percent: &str| {
        format!(
            "some avg10={percent} avg60=0.00 avg300=0.00 total=0\nfull avg10={percent} avg60=0.00 avg300=0.00 total=0\n"
        )
    };
    for (used, dropped, percent, expected) in [
        (960, 0, "39.00", PressureLevel::Normal),
        (980, 0, "0.00", PressureLevel::Reclaim),
        // What the kernel can drop at once is not counted.
        (980, 200, "0.00", PressureLevel::Normal),
        (100, 0, "41.00", PressureLevel::Defer),
        (980, 0, "41.00", PressureLevel::Shed),
    ] {
        let pressure = pressure();
        let stat = format!("inactive_file {}\n", mib(dropped));
        let reading = reading_of_group(
            100,
            &[
                ("memory.current", &mib(used)),
                ("memory.stat", &stat),
                ("memory.pressure", &stalled(percent)),
            ],
        );
        let _change = pressure.update(&reading);
        assert_eq!(pressure.level(), expected, "{used} MiB, {percent} %");
    }
}

#[cfg(feature = "jemalloc")]
#[test]
fn what_no_reservation_covers_is_told() {
    let budget = MemoryBudget::root("process", ByteSize::from_mib(900));
    let steps = PressureSteps::default();
    let pressure = Pressure::new(steps, budget.clone(), Arc::new(ManualClock::new()));
    assert_eq!(
        pressure.unreserved(&reading(100)),
        None,
        "no allocator tells"
    );
    let readings = Readings::of_this_process();
    let now = readings.take();
    let heap = now.heap.expect("the tests run on jemalloc").allocated;
    let held = i64::try_from(heap.bytes()).expect("a few MiB");
    assert_eq!(pressure.unreserved(&now), Some(held));
    let _reserved = budget
        .try_reserve(ByteSize::from_mib(800))
        .expect("it fits");
    assert_eq!(pressure.unreserved(&now), Some(held - (800 << 20)));
}

#[test]
fn the_ladder_goes_up_at_once_and_down_with_a_delay() {
    let pressure = pressure();
    let level = |mib| {
        let change = pressure.update(&reading(mib));
        (pressure.level(), change.is_some())
    };
    assert_eq!(level(600), (PressureLevel::Normal, false));
    assert_eq!(level(710), (PressureLevel::Reclaim, true));
    assert_eq!(level(960), (PressureLevel::Critical, true));
    assert_eq!(
        level(960),
        (PressureLevel::Critical, false),
        "a level that holds is no event"
    );
    assert_eq!(
        level(910),
        (PressureLevel::Critical, false),
        "within the hysteresis"
    );
    assert_eq!(level(890), (PressureLevel::Shed, true));
    assert_eq!(
        level(500),
        (PressureLevel::Normal, true),
        "down all the way at once"
    );
    assert_eq!(pressure.n_changes(), 4);
    assert_eq!(pressure.changes().len(), 4);
}

#[test]
fn each_kind_of_work_is_refused_from_its_own_level() {
    let pressure = pressure();
    let admitted = |mib| {
        let _change = pressure.update(&reading(mib));
        [Work::Background, Work::Heavy, Work::Light, Work::Vital]
            .map(|work| pressure.admit(work).is_ok())
    };
    assert_eq!(admitted(600), [true, true, true, true]);
    assert_eq!(admitted(750), [true, true, true, true]);
    assert_eq!(admitted(820), [false, true, true, true]);
    assert_eq!(admitted(900), [false, false, true, true]);
    assert_eq!(admitted(960), [false, false, false, true]);
    assert_eq!(pressure.n_shed(), 6);
}

#[test]
fn caches_give_back_and_errors_name_who_holds_most() {
    let budget = MemoryBudget::root("process", ByteSize::from_mib(900));
    let exports = budget.child("exports", ByteSize::from_mib(500));
    let _kept = exports
        .try_reserve(ByteSize::from_mib(50))
        .expect("there is room");
    let pressure = Pressure::new(
        PressureSteps::default(),
        budget,
        Arc::new(ManualClock::new()),
    );
    let cache = Arc::new(Cache {
        held: AtomicU64::new(400 << 20),
        floor: 100 << 20,
    });
    pressure.register(cache.clone());
    let change = pressure.update(&reading(900)).expect("the level changes");
    assert_eq!(change.largest[0].name, "projects");
    assert_eq!(change.largest[1].name, "exports");
    // Down to where the first step ends: 65 % of the limit.
    assert_eq!(cache.held(), ByteSize::from_mib(150));
    assert_eq!(pressure.reclaimed(), ByteSize::from_mib(250));
    let shed = pressure
        .admit(Work::Heavy)
        .expect_err("heavy work is refused");
    assert_eq!(
        shed.to_string(),
        "memory pressure is shed, most is held by projects (150MiB), exports (50MiB)"
    );
    assert!(shed.retry_after.as_secs() > 0);
}

#[test]
fn a_tighter_plan_holds() {
    let pressure = pressure();
    pressure.set_limit(Some(ByteSize::from_mib(500)));
    let _change = pressure.update(&reading(480));
    assert_eq!(pressure.level(), PressureLevel::Critical);
    pressure.set_limit(Some(ByteSize::from_mib(5000)));
    let _change = pressure.update(&reading(480));
    assert_eq!(
        pressure.level(),
        PressureLevel::Normal,
        "the group's limit is tighter"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Whatever the shares are: never below what the share alone asks for, never above it by more than the hysteresis
    /// allows, and a share that holds brings no second change.
    #[test]
    fn the_ladder_is_steady(shares in prop::collection::vec(0.0..1.2_f64, 1..50)) {
        let steps = PressureSteps::default();
        let bare = PressureSteps { hysteresis: 0.0, ..steps };
        let mut level = PressureLevel::Normal;
        for share in shares {
            let next = steps.next(level, share);
            prop_assert!(next >= bare.next(PressureLevel::Normal, share));
            prop_assert!(next <= bare.next(PressureLevel::Normal, share + steps.hysteresis).max(level.min(next)));
            prop_assert_eq!(steps.next(next, share), next);
            level = next;
        }
        prop_assert_eq!(steps.next(level, 0.0), PressureLevel::Normal);
    }
}
