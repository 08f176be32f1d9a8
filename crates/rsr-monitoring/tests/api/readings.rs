//! Figures of process, group and machine, from trees of files and from the machine the test runs on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rsr_base::ByteSize;
use rsr_monitoring::{LimitSource, Readings};
use rsr_testkit::ManualClock;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn readings(name: &str) -> Readings {
    Readings::new(&fixture(name), Arc::new(ManualClock::new()))
}

#[track_caller]
fn check_limit(name: &str, size: ByteSize, source: LimitSource) {
    let limit = readings(name).limit().expect("there is always a limit");
    assert_eq!((limit.size, limit.source), (size, source), "{name}");
}

#[test]
fn the_tightest_limit_of_all_groups_holds() {
    check_limit(
        "cgroup-v2",
        ByteSize::from_mib(1536),
        LimitSource::GroupHigh,
    );
    check_limit("cgroup-v1", ByteSize::from_mib(512), LimitSource::GroupV1);
    check_limit(
        "unlimited",
        ByteSize::from_mib(16 << 10),
        LimitSource::Machine,
    );
}

#[test]
fn a_group_tells_its_usage_without_what_the_kernel_can_drop() {
    for (name, usage, working_set) in [("cgroup-v2", 700, 600), ("cgroup-v1", 200, 150)] {
        let group = readings(name).take().group.expect("the group is there");
        assert_eq!(group.usage, ByteSize::from_mib(usage), "{name}");
        assert_eq!(group.working_set, ByteSize::from_mib(working_set), "{name}");
    }
    assert_eq!(readings("unlimited").take().group, None);
}

#[test]
fn the_groups_own_stalls_go_before_the_machines() {
    let some = |name| readings(name).take().stall.expect("there are stalls").some;
    assert!((some("cgroup-v2") - 0.12).abs() < 1e-9);
    assert!((some("cgroup-v1") - 0.015).abs() < 1e-9);
}

#[test]
fn process_and_machine_are_read() {
    let reading = readings("cgroup-v1").take();
    let process = reading.process.expect("the process is there");
    assert_eq!(process.resident, ByteSize::from_mib(20));
    assert_eq!(process.virtual_size, ByteSize::from_mib(100));
    assert_eq!(process.peak_resident, Some(ByteSize::from_mib(40)));
    assert_eq!(process.n_threads, Some(7));
    assert_eq!(process.n_open_files, Some(3));
    let system = reading.system.expect("the machine is there");
    assert_eq!(system.used(), ByteSize::from_mib(12 << 10));
    assert!((system.used_ratio() - 0.75).abs() < 1e-9);
}

#[test]
fn what_is_not_there_is_absent_and_not_zero() {
    let reading = readings("empty").take();
    assert_eq!(reading.process, None);
    assert_eq!(reading.system, None);
    assert_eq!(reading.group, None);
    assert_eq!(reading.stall, None);
    assert_eq!(reading.limit, None);
}

#[test]
fn a_limit_that_changes_is_seen_within_half_a_minute() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    };
    write("proc/self/cgroup", "0::/a\n");
    write("sys/fs/cgroup/a/memory.max", "1000000\n");
    let clock = ManualClock::new();
    let readings = Readings::new(folder.path(), Arc::new(clock.clone()));
    let limit = || readings.limit().map(|limit| limit.size.bytes());
    assert_eq!(limit(), Some(1_000_000));
    write("sys/fs/cgroup/a/memory.max", "2000000\n");
    clock.advance(Duration::from_secs(29));
    assert_eq!(limit(), Some(1_000_000), "kept for half a minute");
    clock.advance(Duration::from_secs(1));
    assert_eq!(limit(), Some(2_000_000));
}

#[cfg(target_os = "linux")]
#[test]
fn this_process_is_seen() {
    let readings = Readings::of_this_process();
    // Other tests run beside this one: what they hold comes on top.
    let block = std::hint::black_box(vec![1_u8; 64 << 20]);
    let resident = readings.resident().expect("Linux tells it");
    assert!(resident >= ByteSize::from_mib(64), "{resident}");
    let reading = readings.take();
    let process = reading.process.expect("Linux tells it");
    assert!(process.virtual_size >= process.resident);
    assert!(process.peak_resident >= Some(ByteSize::from_mib(64)));
    assert!(process.n_threads >= Some(1));
    assert!(process.n_open_files >= Some(3));
    assert!(reading.limit.is_some());
    drop(block);
}

#[cfg(feature = "jemalloc")]
#[test]
fn the_heap_is_seen() {
    let readings = Readings::of_this_process();
    let block = std::hint::black_box(vec![1_u8; 64 << 20]);
    let heap = readings.heap().expect("jemalloc tells it");
    assert!(heap.allocated >= ByteSize::from_mib(64));
    assert!(heap.resident >= heap.allocated);
    drop(block);
}
