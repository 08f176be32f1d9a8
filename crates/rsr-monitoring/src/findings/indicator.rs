//! Questions asked at every check.

use rsr_base::ByteSize;

use crate::{LeakState, LiveInstances, Outlook, Reading};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Worth a look some day.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth a look now.
    High,
    /// Worth waking someone up.
    Critical,
}

impl Severity {
    /// The name that reports and labels show.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What an indicator found at one check.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The indicator's name, such as `memory_growth`.
    pub indicator: &'static str,
    /// What it is about where there can be several: a type, a cache, a route. Empty where there is one.
    pub subject: String,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence for people.
    pub description: String,
    /// The figure that was judged, and its unit.
    pub value: f64,
    /// The figure above which it is a finding, in the same unit.
    pub threshold: f64,
    /// The unit: `bytes`, `ratio`, `seconds`, `MB/h`.
    pub unit: &'static str,
    /// Lines that bear it out: stacks, sizes, times.
    pub evidence: Vec<String>,
    /// What to do first.
    pub recommendation: &'static str,
}

/// What indicators look at.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Evidence<'a> {
    /// The newest reading.
    pub reading: &'a Reading,
    /// The leak detector's opinion.
    pub outlook: &'a Outlook,
    /// Live values of tracked types, and those at the check before.
    pub objects: &'a [LiveInstances],
    /// The same at the beginning of the window of comparison.
    pub objects_before: &'a [LiveInstances],
    /// The share of live values by which a type may grow; the setting is `leaks.model_growth_threshold`.
    pub object_growth_threshold: f64,
    /// What was found elsewhere since the check before: call stacks that leak, say.
    pub also: &'a [Observation],
}

impl<'a> Evidence<'a> {
    /// Evidence of a reading and an opinion; objects can be added to it.
    #[must_use]
    pub fn new(reading: &'a Reading, outlook: &'a Outlook) -> Self {
        Self {
            reading,
            outlook,
            objects: &[],
            objects_before: &[],
            object_growth_threshold: 1.0,
            also: &[],
        }
    }

    /// With what was found elsewhere, which is taken for this check's as it is.
    #[must_use]
    pub fn with_observations(mut self, also: &'a [Observation]) -> Self {
        self.also = also;
        self
    }

    /// With live values now and before, and the share by which a type may grow between the two.
    #[must_use]
    pub fn with_objects(
        mut self,
        now: &'a [LiveInstances],
        before: &'a [LiveInstances],
        growth_threshold: f64,
    ) -> Self {
        self.objects = now;
        self.objects_before = before;
        self.object_growth_threshold = growth_threshold;
        self
    }
}

/// A question that is asked at every check. Programs add their own.
pub trait Indicator: Send + Sync {
    /// What is wrong now, if anything; one observation for each subject. Takes milliseconds at most.
    fn check(&self, evidence: &Evidence<'_>) -> Vec<Observation>;
}

/// The indicators that need nothing but readings.
pub(super) fn built_in() -> Vec<Box<dyn Indicator>> {
    vec![
        Box::new(MemoryGrowth),
        Box::new(Fragmentation),
        Box::new(HighUsage),
        Box::new(ObjectGrowth),
        Box::new(LargeType),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn number(n: u64) -> f64 {
    n as f64
}

struct MemoryGrowth;

impl Indicator for MemoryGrowth {
    fn check(&self, evidence: &Evidence<'_>) -> Vec<Observation> {
        let verdict = evidence.outlook.verdict;
        // A suspicion is the detector's own affair until it holds.
        let is_sure = evidence.outlook.state == LeakState::Confirmed;
        let Some(verdict) = verdict.filter(|_verdict| is_sure) else {
            return Vec::new();
        };
        let mut lines = vec![format!(
            "{} gained in {:.1} h, confidence {:.2}",
            verdict.growth,
            verdict.window.as_secs_f64() / 3600.0,
            verdict.confidence
        )];
        if let (Some(heap), Some(limit)) = (evidence.reading.heap, evidence.reading.limit)
            && let Some(left) = verdict.time_to(limit.size, heap.allocated)
        {
            let hours = left.as_secs_f64() / 3600.0;
            lines.push(format!(
                "reaches the limit of {} in {hours:.1} h",
                limit.size
            ));
        }
        vec![Observation {
            indicator: "memory_growth",
            subject: String::new(),
            severity: if verdict.pages {
                Severity::Critical
            } else {
                Severity::High
            },
            description: format!(
                "memory grows by {:.1} MB an hour and does not fall back",
                verdict.slope_mb_per_hour
            ),
            value: verdict.slope_mb_per_hour,
            threshold: 0.0,
            unit: "MB/h",
            evidence: lines,
            recommendation: "compare a heap profile with one from an hour ago",
        }]
    }
}

struct Fragmentation;

impl Indicator for Fragmentation {
    fn check(&self, evidence: &Evidence<'_>) -> Vec<Observation> {
        let growth = evidence.outlook.fragmentation_mb_per_hour;
        growth
            .map(|slope| Observation {
                indicator: "fragmentation",
                subject: String::new(),
                severity: Severity::Low,
                description: format!(
                    "resident memory grows by {slope:.1} MB an hour, what the program holds does not"
                ),
                value: slope,
                threshold: 0.0,
                unit: "MB/h",
                evidence: Vec::new(),
                recommendation: "have the allocator return free pages sooner (dirty_decay_ms)",
            })
            .into_iter()
            .collect()
    }
}

/// Against the limit, not an absolute figure: what is much on one machine is little on another.
struct HighUsage;

impl Indicator for HighUsage {
    fn check(&self, evidence: &Evidence<'_>) -> Vec<Observation> {
        const SHARE: f64 = 0.85;
        let reading = evidence.reading;
        let in_use = reading
            .heap
            .map(|heap| heap.allocated)
            .or(reading.process.map(|process| process.resident));
        let (Some(in_use), Some(limit)) = (in_use, reading.limit) else {
            return Vec::new();
        };
        let share = number(in_use.bytes()) / number(limit.size.bytes().max(1));
        if share < SHARE {
            return Vec::new();
        }
        vec![Observation {
            indicator: "high_memory_usage",
            subject: String::new(),
            severity: Severity::Medium,
            description: format!("{in_use} of {} are in use", limit.size),
            value: share,
            threshold: SHARE,
            unit: "ratio",
            evidence: Vec::new(),
            recommendation: "lower cache bounds or raise the limit",
        }]
    }
}

struct ObjectGrowth;

impl Indicator for ObjectGrowth {
    fn check(&self, evidence: &Evidence<'_>) -> Vec<Observation> {
        /// Fewer values than this double by chance.
        const COUNT_MIN: u64 = 1_000;
        let before = |name: &str| {
            let known = evidence
                .objects_before
                .iter()
                .find(|object| object.name == name);
            known.map(|object| object.n_live)
        };
        evidence
            .objects
            .iter()
            .filter(|object| object.n_live >= COUNT_MIN)
            .filter_map(|object| {
                let n_before = before(object.name)?;
                let growth = number(object.n_live) / number(n_before.max(1)) - 1.0;
                (growth > evidence.object_growth_threshold).then(|| Observation {
                    indicator: "object_growth",
                    subject: object.name.to_owned(),
                    severity: Severity::Medium,
                    description: format!(
                        "{} values of {} live, {n_before} before",
                        object.n_live, object.name
                    ),
                    value: growth,
                    threshold: evidence.object_growth_threshold,
                    unit: "ratio",
                    evidence: Vec::new(),
                    recommendation: "look for the collection that keeps them",
                })
            })
            .collect()
    }
}

struct LargeType;

impl Indicator for LargeType {
    fn check(&self, evidence: &Evidence<'_>) -> Vec<Observation> {
        const SIZE_MAX: ByteSize = ByteSize::from_mib(50);
        let large = evidence
            .objects
            .iter()
            .filter(|object| object.shallow_size > SIZE_MAX);
        large
            .map(|object| Observation {
                indicator: "large_object_type",
                subject: object.name.to_owned(),
                severity: Severity::Low,
                description: format!("values of {} take {}", object.name, object.shallow_size),
                value: number(object.shallow_size.bytes()),
                threshold: number(SIZE_MAX.bytes()),
                unit: "bytes",
                evidence: vec![format!("{} live", object.n_live)],
                recommendation: "keep fewer, or smaller ones",
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rsr_base::ByteSize;

    use super::{Evidence, Severity, built_in};
    use crate::{
        HeapReading, LeakDetector, LeakRules, LeakSample, Limit, LimitSource, LiveInstances,
        Outlook, Reading,
    };

    fn found(evidence: &Evidence<'_>) -> Vec<(&'static str, Severity)> {
        let all = built_in();
        let found = all.iter().flat_map(|indicator| indicator.check(evidence));
        found.map(|one| (one.indicator, one.severity)).collect()
    }

    /// A heap of so many MiB under a limit of 1,000.
    fn reading(mib: u64) -> Reading {
        let allocated = ByteSize::from_mib(mib);
        Reading {
            heap: Some(HeapReading {
                allocated,
                active: allocated,
                metadata: ByteSize::ZERO,
                resident: allocated,
                mapped: allocated,
                retained: ByteSize::ZERO,
            }),
            limit: Some(Limit {
                size: ByteSize::from_mib(1_000),
                source: LimitSource::Machine,
            }),
            ..Reading::default()
        }
    }

    #[test]
    fn much_is_a_share_of_the_limit() {
        let outlook = Outlook::default();
        for (mib, expected) in [
            (849, vec![]),
            (850, vec![("high_memory_usage", Severity::Medium)]),
        ] {
            let reading = reading(mib);
            assert_eq!(found(&Evidence::new(&reading, &outlook)), expected, "{mib}");
        }
        let unlimited = Reading {
            limit: None,
            ..reading(5_000)
        };
        assert_eq!(found(&Evidence::new(&unlimited, &outlook)), []);
    }

    #[test]
    fn values_of_one_type_are_large_above_50_mib() {
        let (reading, outlook) = (reading(1), Outlook::default());
        for (bytes, expected) in [
            (50 << 20, vec![]),
            ((50 << 20) + 1, vec![("large_object_type", Severity::Low)]),
        ] {
            let objects = [LiveInstances {
                name: "Row",
                n_live: 10,
                shallow_size: ByteSize::from_bytes(bytes),
            }];
            let evidence = Evidence::new(&reading, &outlook).with_objects(&objects, &[], 1.0);
            assert_eq!(found(&evidence), expected, "{bytes}");
        }
    }

    /// What the detector makes of a day, in which the heap and what lies beside it grow by so many KiB each five minutes.
    fn outlook(rules: LeakRules, heap_kib: u64, beside_kib: u64) -> Outlook {
        let mut detector = LeakDetector::new(rules);
        for place in 0..288_u32 {
            let grown = |kib: u64| ByteSize::from_kib(u64::from(place) * kib);
            let allocated = ByteSize::from_mib(200) + grown(heap_kib);
            detector.observe(&LeakSample {
                at: Duration::from_secs(300) * place,
                allocated,
                accounted: ByteSize::ZERO,
                resident: Some(allocated + ByteSize::from_mib(30) + grown(beside_kib)),
                load: None,
            });
        }
        detector.outlook()
    }

    #[test]
    fn growth_is_high_and_critical_where_it_pages() {
        let reading = reading(1);
        let far = LeakRules {
            growth_threshold: 100.0,
            memory_threshold: ByteSize::from_mib(10_000),
        };
        for (rules, severity) in [
            (far, Severity::High),
            (LeakRules::default(), Severity::Critical),
        ] {
            let outlook = outlook(rules, 340, 0);
            assert_eq!(
                found(&Evidence::new(&reading, &outlook)),
                [("memory_growth", severity)]
            );
        }
    }

    #[test]
    fn holes_are_low() {
        let (reading, outlook) = (reading(1), outlook(LeakRules::default(), 0, 340));
        assert_eq!(
            found(&Evidence::new(&reading, &outlook)),
            [("fragmentation", Severity::Low)]
        );
    }
}
