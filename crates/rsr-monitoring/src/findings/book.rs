//! Open findings and what became of them.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, SystemTime};

use rsr_base::SharedClock;

use super::indicator::{Evidence, Indicator, Observation, built_in};

/// Findings kept, the resolved ones first to go.
const FINDINGS_MAX: usize = 500;

/// Checks without it after which a finding is resolved, unless the program says otherwise.
const RESOLVED_AFTER: u32 = 3;

/// Names a finding for as long as the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingId(pub u64);

/// Whether a finding still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FindingState {
    /// Seen at one check.
    Suspected,
    /// Seen at two or more.
    Confirmed,
    /// No longer seen.
    Resolved,
}

/// One thing that is wrong, from its beginning to its end.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// Its name.
    pub id: FindingId,
    /// Whether it still holds.
    pub state: FindingState,
    /// What was seen last.
    pub observation: Observation,
    /// When it was first seen.
    pub since: SystemTime,
    /// When it was last seen.
    pub last_seen: SystemTime,
    /// Checks at which it was seen.
    pub n_seen: u64,
    /// The program's release that it was first seen in.
    pub release: String,
    /// Until when someone has taken note of it, and what they wrote.
    pub acknowledged: Option<(SystemTime, String)>,
}

/// A change of a finding's state; one that holds brings none.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FindingEvent {
    /// The finding after the change.
    pub finding: Finding,
    /// Whether someone has taken note of it, so that no one need be told.
    pub is_acknowledged: bool,
}

/// Asks every indicator and keeps what they find: one open finding for one thing, however often it is seen.
///
/// Holds at most 500 findings.
pub struct FindingBook {
    indicators: Vec<Box<dyn Indicator>>,
    findings: VecDeque<Finding>,
    missed: VecDeque<u32>,
    next_id: u64,
    resolved_after: u32,
    release: String,
    clock: SharedClock,
}

impl FindingBook {
    /// A book with the built-in indicators. `release` names the program's version in findings.
    #[must_use]
    pub fn new(release: impl Into<String>, clock: SharedClock) -> Self {
        Self {
            indicators: built_in(),
            findings: VecDeque::new(),
            missed: VecDeque::new(),
            next_id: 1,
            resolved_after: RESOLVED_AFTER,
            release: release.into(),
            clock,
        }
    }

    /// A finding is resolved after so many checks that do not see it; three if nothing is said.
    #[must_use]
    pub fn resolved_after(mut self, n_checks: u32) -> Self {
        self.resolved_after = n_checks.max(1);
        self
    }

    /// Asks one more indicator at every check.
    pub fn register(&mut self, indicator: impl Indicator + 'static) {
        self.indicators.push(Box::new(indicator));
    }

    /// Asks every indicator, and answers what changed.
    pub fn check(&mut self, evidence: &Evidence<'_>) -> Vec<FindingEvent> {
        let observations: Vec<_> = self
            .indicators
            .iter()
            .flat_map(|indicator| indicator.check(evidence))
            .chain(evidence.also.iter().cloned())
            .collect();
        let mut events = Vec::new();
        let mut seen = vec![false; self.findings.len()];
        for observation in observations {
            let place = self.place_of(&observation);
            if let Some(flag) = place.and_then(|place| seen.get_mut(place)) {
                *flag = true;
            }
            events.extend(self.see(observation, place));
            seen.resize(self.findings.len(), true);
        }
        let now = self.clock.wall();
        for ((finding, missed), seen) in self.findings.iter_mut().zip(&mut self.missed).zip(seen) {
            *missed = if seen { 0 } else { *missed + 1 };
            if finding.state != FindingState::Resolved && *missed >= self.resolved_after {
                finding.state = FindingState::Resolved;
                events.push(event(finding, now));
            }
        }
        self.forget();
        events
    }

    /// Reports something that was found outside of a check: a request that took too much, say. It is confirmed at once.
    pub fn report(&mut self, observation: Observation) -> Vec<FindingEvent> {
        let mut events = Vec::new();
        for _ in 0..2 {
            let place = self.place_of(&observation);
            events.extend(self.see(observation.clone(), place));
        }
        self.forget();
        events
    }

    fn place_of(&self, observation: &Observation) -> Option<usize> {
        self.findings.iter().position(|finding| {
            finding.state != FindingState::Resolved
                && finding.observation.indicator == observation.indicator
                && finding.observation.subject == observation.subject
        })
    }

    fn see(&mut self, observation: Observation, place: Option<usize>) -> Option<FindingEvent> {
        let now = self.clock.wall();
        if let Some(finding) = place.and_then(|place| self.findings.get_mut(place)) {
            finding.observation = observation;
            finding.last_seen = now;
            finding.n_seen += 1;
            if finding.state == FindingState::Suspected {
                finding.state = FindingState::Confirmed;
                return Some(event(finding, now));
            }
            return None;
        }
        let finding = Finding {
            id: FindingId(self.next_id),
            state: FindingState::Suspected,
            observation,
            since: now,
            last_seen: now,
            n_seen: 1,
            release: self.release.clone(),
            acknowledged: None,
        };
        self.next_id += 1;
        let event = event(&finding, now);
        self.findings.push_back(finding);
        self.missed.push_back(0);
        Some(event)
    }

    /// Makes room: the oldest resolved finding goes first, then the oldest.
    fn forget(&mut self) {
        while self.findings.len() > FINDINGS_MAX {
            let resolved = |finding: &Finding| finding.state == FindingState::Resolved;
            let place = self.findings.iter().position(resolved).unwrap_or(0);
            self.findings.remove(place);
            self.missed.remove(place);
        }
    }

    /// Takes note of a finding for some time, with a word why. `false` where there is none of that name.
    pub fn acknowledge(&mut self, id: FindingId, time: Duration, note: impl Into<String>) -> bool {
        let until = self.clock.wall() + time;
        let found = self.findings.iter_mut().find(|finding| finding.id == id);
        found
            .map(|finding| finding.acknowledged = Some((until, note.into())))
            .is_some()
    }

    /// Every finding that is kept, oldest first.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter()
    }

    /// Findings that are not resolved, oldest first.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.state != FindingState::Resolved)
    }
}

impl Finding {
    /// Whether someone has taken note of it at this moment.
    #[must_use]
    pub fn is_acknowledged(&self, now: SystemTime) -> bool {
        self.acknowledged
            .as_ref()
            .is_some_and(|(until, _)| now < *until)
    }
}

fn event(finding: &Finding, now: SystemTime) -> FindingEvent {
    FindingEvent {
        is_acknowledged: finding.is_acknowledged(now),
        finding: finding.clone(),
    }
}

impl fmt::Debug for FindingBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FindingBook")
            .field("findings", &self.findings)
            .field("n_indicators", &self.indicators.len())
            .finish_non_exhaustive()
    }
}
