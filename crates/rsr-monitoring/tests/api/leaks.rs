//! The detector on whole series.

use std::time::Duration;

use rsr_base::ByteSize;
use rsr_monitoring::{LeakDetector, LeakEvent, LeakRules, LeakSample, LeakState, analyse};

const STEP: Duration = Duration::from_secs(300);
const HOUR: usize = 12;

/// A sample every five minutes for 36 hours; the figure is MiB as a function of hours.
fn series(mib: impl Fn(f64) -> f64) -> Vec<LeakSample> {
    (0..36 * HOUR)
        .map(|n| {
            let hours = n as f64 / HOUR as f64;
            // Fast noise of two per cent, the same in each run.
            let noise = f64::from((n as u32).wrapping_mul(2_654_435_761) >> 16) / 65_536.0 * 4.0;
            LeakSample {
                at: STEP * n as u32,
                allocated: ByteSize::from_kib(((mib(hours) + noise) * 1024.0) as u64),
                accounted: ByteSize::ZERO,
                resident: None,
                load: None,
            }
        })
        .collect()
}

#[track_caller]
fn check(name: &str, mib: impl Fn(f64) -> f64, expected: Option<std::ops::Range<f64>>) {
    let alarm = analyse(series(mib)).map(|at| at.as_secs_f64() / 3600.0);
    match (alarm, expected) {
        (Some(at), Some(range)) => assert!(range.contains(&at), "{name}: alarm at {at} h"),
        (None, None) => {}
        (alarm, expected) => panic!("{name}: alarm {alarm:?}, expected {expected:?}"),
    }
}

fn saw(hours: f64, period: f64) -> f64 {
    hours % period / period
}

#[test]
fn leaks_are_found() {
    check("from the start", |h| 200.0 + 5.0 * h, Some(9.0..12.0));
    check(
        "later",
        |h| 200.0 + 5.0 * (h - 8.0).max(0.0),
        Some(10.0..14.0),
    );
    check(
        "under a saw",
        |h| 200.0 + 8.0 * (h - 5.0).max(0.0) + 30.0 * saw(h, 0.4),
        Some(7.0..15.0),
    );
}

#[test]
fn what_only_looks_like_a_leak_is_none() {
    check("flat", |_| 200.0, None);
    check(
        "plateau",
        |h| 200.0 + 100.0 * (1.0 - (-h / 2.0).exp()),
        None,
    );
    check("step", |h| if h > 10.0 { 300.0 } else { 200.0 }, None);
    check("steps", |h| 200.0 + 40.0 * (h / 7.0).floor(), None);
    for period in [4.0, 6.0, 8.5] {
        check("long saw", |h| 200.0 + 80.0 * saw(h, period), None);
    }
    check("short saw", |h| 200.0 + 80.0 * saw(h, 0.7), None);
}

#[test]
fn load_explains_what_follows_it() {
    let load = |h: f64| 100.0 + 80.0 * ((h - 6.0) / 24.0 * std::f64::consts::TAU).sin();
    let mut day = series(|h| 200.0 + 0.5 * load(h));
    for (n, sample) in day.iter_mut().enumerate() {
        sample.load = Some(load(n as f64 / HOUR as f64));
    }
    assert_eq!(analyse(day), None);
}

#[test]
fn caches_within_their_bounds_are_no_leak() {
    let mut filling = series(|h| 200.0 + 5.0 * h);
    for (n, sample) in filling.iter_mut().enumerate() {
        sample.accounted = ByteSize::from_kib((5.0 * 1024.0 * n as f64 / HOUR as f64) as u64);
    }
    assert_eq!(analyse(filling), None);
}

#[test]
fn each_state_is_told_once_and_a_leak_that_ends_is_resolved() {
    let mut detector = LeakDetector::new(LeakRules {
        growth_threshold: 0.2,
        ..LeakRules::default()
    });
    assert_eq!(detector.outlook().state, LeakState::Unknown);
    assert!(detector.outlook().known_in.is_some());
    let mut events = Vec::new();
    // Leaks for ten hours, then gives everything back.
    for sample in series(|h| {
        200.0
            + if h < 18.0 {
                10.0 * (h - 6.0).max(0.0)
            } else {
                0.0
            }
    }) {
        events.extend(detector.observe(&sample));
    }
    let names: Vec<_> = events
        .iter()
        .map(|event| match event {
            LeakEvent::Suspected(_) => "suspected",
            LeakEvent::Confirmed(_) => "confirmed",
            LeakEvent::Resolved(_) => "resolved",
            _ => "another",
        })
        .collect();
    assert_eq!(names, ["suspected", "confirmed", "resolved"]);
    let Some(LeakEvent::Resolved(last)) = events.last() else {
        panic!("the last event resolves");
    };
    assert!((last.slope_mb_per_hour - 10.0).abs() < 1.0, "{last:?}");
    assert!(last.pages, "it grew by more than a fifth");
    assert!(last.confidence > 0.7);
    let left = last.time_to(ByteSize::from_mib(500), ByteSize::from_mib(400));
    let hours = left.expect("it would have come").as_secs_f64() / 3600.0;
    assert!((9.0..11.0).contains(&hours), "{hours}");
    assert_eq!(
        last.time_to(ByteSize::from_mib(1), ByteSize::from_mib(2)),
        None
    );
    assert_eq!(detector.outlook().state, LeakState::None);
}

#[test]
fn fragmentation_is_a_verdict_of_its_own() {
    let mut holes = series(|_| 200.0);
    for (n, sample) in holes.iter_mut().enumerate() {
        let resident = 230.0 + 4.0 * n as f64 / HOUR as f64;
        sample.resident = Some(ByteSize::from_kib((resident * 1024.0) as u64));
    }
    let mut detector = LeakDetector::default();
    for sample in holes {
        assert_eq!(detector.observe(&sample), None);
    }
    let growth = detector.outlook().fragmentation_mb_per_hour;
    assert!(
        growth.is_some_and(|slope| (slope - 4.0).abs() < 1.0),
        "{growth:?}"
    );
}

#[test]
fn the_future_is_not_seen() {
    let whole = series(|h| 200.0 + 5.0 * (h - 8.0).max(0.0));
    let alarm = analyse(whole.clone()).expect("it leaks");
    let until: Vec<_> = whole
        .iter()
        .copied()
        .filter(|sample| sample.at <= alarm)
        .collect();
    assert_eq!(analyse(until), Some(alarm));
    let before: Vec<_> = whole
        .into_iter()
        .filter(|sample| sample.at < alarm)
        .collect();
    assert_eq!(analyse(before), None);
}

#[test]
fn samples_an_hour_apart_are_judged_by_the_clock() {
    let hourly = (0..48_u32).map(|n| LeakSample {
        at: Duration::from_secs(3600) * n,
        allocated: ByteSize::from_mib(200 + 5 * u64::from(n.saturating_sub(8))),
        accounted: ByteSize::ZERO,
        resident: None,
        load: None,
    });
    let alarm = analyse(hourly).expect("it leaks").as_secs_f64() / 3600.0;
    assert!((10.0..14.0).contains(&alarm), "alarm at {alarm} h");
}
