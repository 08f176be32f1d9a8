//! Findings from their beginning to their end.

use std::sync::Arc;
use std::time::Duration;

use rsr_monitoring::{
    Evidence, FindingBook, FindingState, Indicator, Observation, Outlook, Reading, Severity,
    Tracked, live_instances, track,
};
use rsr_testkit::ManualClock;

fn observation(subject: &str) -> Observation {
    Observation {
        indicator: "deletion_tracker_overload",
        subject: subject.to_owned(),
        severity: Severity::Medium,
        description: "120 deletions are tracked".to_owned(),
        value: 120.0,
        threshold: 100.0,
        unit: "entries",
        evidence: Vec::new(),
        recommendation: "look for deletions that never end",
    }
}

/// Finds what it is told to.
struct Told(Arc<std::sync::Mutex<Vec<&'static str>>>);

impl Indicator for Told {
    fn check(&self, _evidence: &Evidence<'_>) -> Vec<Observation> {
        let told = self.0.lock().unwrap();
        told.iter().map(|subject| observation(subject)).collect()
    }
}

#[test]
fn one_thing_is_one_finding_with_a_start_and_an_end() {
    let clock = ManualClock::new();
    let mut book = FindingBook::new("1.2.3", Arc::new(clock.clone()));
    let told = Arc::default();
    book.register(Told(Arc::clone(&told)));
    let (reading, outlook) = (Reading::default(), Outlook::default());
    let evidence = Evidence::new(&reading, &outlook);
    let mut states = |subjects: &[&'static str]| {
        *told.lock().unwrap() = subjects.to_vec();
        clock.advance(Duration::from_secs(300));
        let events = book.check(&evidence);
        events
            .iter()
            .map(|event| {
                (
                    event.finding.observation.subject.clone(),
                    event.finding.state,
                )
            })
            .collect::<Vec<_>>()
    };
    let is = |subject: &str, state| (subject.to_owned(), state);
    assert_eq!(states(&["a"]), [is("a", FindingState::Suspected)]);
    assert_eq!(
        states(&["a", "b"]),
        [
            is("a", FindingState::Confirmed),
            is("b", FindingState::Suspected)
        ]
    );
    assert_eq!(states(&["a"]), []);
    assert_eq!(states(&["a"]), []);
    assert_eq!(states(&["a"]), [is("b", FindingState::Resolved)]);
    assert_eq!(states(&[]), []);
    assert_eq!(states(&[]), []);
    assert_eq!(states(&[]), [is("a", FindingState::Resolved)]);
    assert_eq!(
        states(&["a"]),
        [is("a", FindingState::Suspected)],
        "a new one"
    );
    assert_eq!(book.open().count(), 1);
    let first = book.findings().next().unwrap();
    assert_eq!(first.n_seen, 5);
    assert_eq!(first.release, "1.2.3");
    assert_eq!(
        first.last_seen.duration_since(first.since).unwrap(),
        Duration::from_secs(1200)
    );
}

#[test]
fn an_acknowledgement_lasts_its_time() {
    let clock = ManualClock::new();
    let mut book = FindingBook::new("1", Arc::new(clock.clone()));
    let events = book.report(observation("x"));
    assert_eq!(
        events.last().unwrap().finding.state,
        FindingState::Confirmed
    );
    let id = book.open().next().unwrap().id;
    assert!(book.acknowledge(id, Duration::from_secs(60), "known, #12"));
    let is_acknowledged = |book: &FindingBook| {
        let now = rsr_base::Clock::wall(&clock);
        book.open().next().unwrap().is_acknowledged(now)
    };
    assert!(is_acknowledged(&book));
    clock.advance(Duration::from_secs(61));
    assert!(!is_acknowledged(&book));
    assert!(!book.acknowledge(rsr_monitoring::FindingId(99), Duration::ZERO, ""));
}

#[test]
fn findings_are_bounded() {
    let mut book = FindingBook::new("1", Arc::new(ManualClock::new()));
    for n in 0..2_000 {
        book.report(observation(&n.to_string()));
    }
    assert_eq!(book.findings().count(), 500);
    assert_eq!(book.findings().last().unwrap().observation.subject, "1999");
}

struct Session {
    _tracked: Tracked<Self>,
    _bytes: [u8; 100],
}

fn sessions(n: usize) -> Vec<Session> {
    let session = || Session {
        _tracked: track(),
        _bytes: [0; 100],
    };
    std::iter::repeat_with(session).take(n).collect()
}

#[test]
fn live_values_are_counted_on_any_thread_and_growth_is_found() {
    let n_live = || {
        let all = live_instances();
        let found = all.iter().find(|object| object.name.ends_with("::Session"));
        found.map_or(0, |object| object.n_live)
    };
    let kept = sessions(1_000);
    let before = live_instances();
    let made = std::thread::spawn(|| sessions(4_000)).join().unwrap();
    assert_eq!(n_live(), 5_000);
    let now = live_instances();
    let (reading, outlook) = (Reading::default(), Outlook::default());
    let evidence = Evidence::new(&reading, &outlook).with_objects(&now, &before, 1.0);
    let mut book = FindingBook::new("1", Arc::new(ManualClock::new()));
    let events = book.check(&evidence);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].finding.observation.indicator, "object_growth");
    assert!((events[0].finding.observation.value - 4.0).abs() < 1e-9);
    std::thread::spawn(move || drop(made)).join().unwrap();
    drop(kept);
    assert_eq!(n_live(), 0);
}
