//! Profiles of this very process.

use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rsr_base::ByteSize;
use rsr_monitoring::{HeapDump, ProfileError, Profiler, ProfilerLimits, Scope, is_sampling};
use rsr_testkit::ManualClock;

/// Sampling is one switch for the whole process: tests that turn it take turns.
pub(crate) static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn profiler(limits: ProfilerLimits) -> (tempfile::TempDir, ManualClock, Profiler) {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let shared = Arc::new(clock.clone());
    let profiler = Profiler::open(&folder.path().join("profiles"), limits, shared).unwrap();
    (folder, clock, profiler)
}

#[inline(never)]
fn planted_leak_of_the_test(n: usize) -> Vec<Vec<u8>> {
    let made: Vec<_> = (0..n).map(|place| vec![place as u8; 64 << 10]).collect();
    // A call that is a function's last one leaves no frame.
    std::hint::black_box(&made);
    made
}

#[test]
fn the_function_that_holds_most_is_named() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (_folder, _clock, profiler) = profiler(ProfilerLimits::default());
    let id = profiler.start(None);
    assert!(is_sampling());
    let before = profiler.snapshot().unwrap();
    let kept = planted_leak_of_the_test(1_000);
    let after = profiler.stop(&id).unwrap();
    assert!(!is_sampling());
    assert_eq!(after.id, id);

    let before = HeapDump::read(&before.path).unwrap().name();
    let after = HeapDump::read(&after.path).unwrap().name();
    let grown = after.against(&before);
    // Other tests of this process allocate meanwhile: their stacks are beside the planted one.
    let planted = |frame: &rsr_monitoring::Frame| {
        frame.function.contains("planted_leak_of_the_test")
            && frame.file.ends_with("tests/api/profiles.rs")
    };
    let stacks = grown.stacks().iter();
    let stacks: Vec<_> = stacks
        .filter(|stack| stack.frames.iter().any(planted))
        .collect();
    assert!(!stacks.is_empty(), "{}", grown.to_tree());
    let frame = stacks[0]
        .frames
        .iter()
        .find(|frame| planted(frame))
        .unwrap();
    assert!(frame.line > 0);
    // 62.5 MiB were planted; sampling one in 512 KiB is right to some per cent.
    let mib = stacks.iter().map(|stack| stack.bytes).sum::<u64>() >> 20;
    assert!((40..90).contains(&mib), "{mib} MiB");
    assert!(grown.to_tree().contains("planted_leak_of_the_test"));
    drop(kept);
}

#[test]
fn profiles_end_by_themselves_and_overlap() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (_folder, clock, profiler) = profiler(ProfilerLimits::default());
    let short = profiler.start(Some(Duration::from_secs(60)));
    let long = profiler.start(None);
    assert_eq!(profiler.running(), [short.clone(), long.clone()]);
    assert!(profiler.stop_expired().is_empty());
    clock.advance(Duration::from_secs(60));
    let ended = profiler.stop_expired();
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].as_ref().unwrap().id, short);
    assert!(is_sampling(), "the other one goes on");
    assert!(matches!(
        profiler.stop(&short),
        Err(ProfileError::NotRunning { .. })
    ));
    profiler.stop(&long).unwrap();
    assert!(!is_sampling());
    assert_eq!(profiler.files().unwrap().len(), 2);
}

#[test]
fn files_are_private_and_bounded() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let limits = ProfilerLimits {
        files_max: 2,
        ..ProfilerLimits::default()
    };
    let (folder, _clock, profiler) = profiler(limits);
    let inside = folder.path().join("profiles");
    let mode = std::fs::metadata(&inside).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    std::fs::write(inside.join("notes.txt"), "not ours").unwrap();
    for _ in 0..5 {
        profiler.snapshot().unwrap();
    }
    assert_eq!(profiler.clean_up().unwrap(), 3);
    assert_eq!(profiler.files().unwrap().len(), 2);
    assert!(inside.join("notes.txt").exists());
}

#[test]
fn a_file_that_is_too_large_is_not_kept() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let limits = ProfilerLimits {
        file_size_max: ByteSize::from_bytes(10),
        ..ProfilerLimits::default()
    };
    let (_folder, _clock, profiler) = profiler(limits);
    assert!(matches!(
        profiler.snapshot(),
        Err(ProfileError::TooLarge { .. })
    ));
    assert!(profiler.files().unwrap().is_empty());
}

// Bodies of their own: the compiler makes one of what is alike.
#[inline(never)]
fn asked_for_by_a_marked_request(n: usize) -> Vec<Vec<u8>> {
    let mut made = Vec::new();
    for place in 0..n {
        made.push([place as u8; 7].repeat(10_000));
    }
    std::hint::black_box(&made);
    made
}

#[inline(never)]
fn asked_for_by_another_request(n: usize) -> Vec<Vec<u8>> {
    let mut made = vec![Vec::new(); n];
    for (place, bytes) in made.iter_mut().enumerate() {
        bytes.extend(std::iter::repeat_n(place as u8, 80_000));
    }
    std::hint::black_box(&made);
    made
}

#[track_caller]
fn names(folder: &std::path::Path, id: &str) -> String {
    let dump = HeapDump::read(&folder.join(format!("{id}.heap"))).unwrap();
    dump.name().to_tree()
}

#[test]
fn only_samples_of_marked_scopes_are_written() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (folder, _clock, profiler) = profiler(ProfilerLimits::default());
    let folder = folder.path().join("profiles");
    let (marked, other) = (Scope::new(), Scope::new());
    assert!(!profiler.mark(&marked, "requests"), "nothing runs yet");
    let id = profiler.start(None);
    assert!(profiler.mark(&marked, "requests"));
    // The two take turns on one thread, as futures do; what the marked one starts elsewhere is its own.
    let mut kept = Vec::new();
    for _ in 0..20 {
        kept.extend(marked.run(|| asked_for_by_a_marked_request(40)));
        kept.extend(other.run(|| asked_for_by_another_request(40)));
        drop(marked.run(|| Scope::new().run(|| asked_for_by_a_marked_request(10))));
    }
    let elsewhere =
        marked.run(|| std::thread::spawn(Scope::carry(|| asked_for_by_a_marked_request(200))));
    kept.extend(elsewhere.join().unwrap());
    profiler.stop(&id).unwrap();

    let whole = names(&folder, &id);
    assert!(whole.contains("asked_for_by_a_marked_request"), "{whole}");
    assert!(whole.contains("asked_for_by_another_request"), "{whole}");
    for file in [format!("{id}-requests"), format!("{id}-requests-allocs")] {
        let tree = names(&folder, &file);
        assert!(tree.contains("asked_for_by_a_marked_request"), "{tree}");
        assert!(!tree.contains("asked_for_by_another_request"), "{tree}");
    }
    // 53 + 13 MiB live, 13 MiB more were freed; samples are right to some per cent.
    let bytes = |id: &str| {
        let path = folder.join(format!("{id}.heap"));
        HeapDump::read(&path).unwrap().live().bytes() >> 20
    };
    let (live, ever) = (
        bytes(&format!("{id}-requests")),
        bytes(&format!("{id}-requests-allocs")),
    );
    assert!((45..90).contains(&live), "{live} MiB live");
    assert!(ever > live, "{ever} MiB in all, {live} live");
    drop(kept);
}

#[test]
fn an_operation_is_profiled_alone() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (_folder, _clock, profiler) = profiler(ProfilerLimits::default());
    let before = asked_for_by_another_request(400);
    let (kept, files) =
        profiler.profile_operation("aggregation", || asked_for_by_a_marked_request(400));
    let files = files.unwrap();
    assert_eq!(files.len(), 2);
    assert!(files[0].id.ends_with("-aggregation"), "{files:?}");
    assert!(!is_sampling());
    let tree = HeapDump::read(&files[0].path).unwrap().name().to_tree();
    assert!(tree.contains("asked_for_by_a_marked_request"), "{tree}");
    assert!(!tree.contains("asked_for_by_another_request"), "{tree}");
    // And again, after everything was detached.
    let (again, files) =
        profiler.profile_operation("aggregation", || asked_for_by_a_marked_request(400));
    assert!(HeapDump::read(&files.unwrap()[1].path).unwrap().live() > ByteSize::from_mib(8));
    assert_eq!(profiler.files().unwrap().len(), 4);
    drop((before, kept, again));
}
