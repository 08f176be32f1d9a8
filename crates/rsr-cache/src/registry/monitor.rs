//! What is wrong with the caches, and what to do.

use std::fmt;

use super::{AllStats, CacheRegistry};
use crate::stats::{CacheStats, percent};

/// Lookups before a hit ratio says something.
const LOOKUPS_MIN: u64 = 1_000;
/// Hit ratio under which a cache hardly helps.
const HIT_RATIO_LOW: f64 = 0.5;
/// Percentage of expired entries from which sweeping lags.
const EXPIRED_MEDIUM_PERCENT: f64 = 10.0;
/// Percentages of utilisation from which a cache is close to full: medium, high.
const CACHE_PERCENT: (f64, f64) = (80.0, 95.0);
/// The same for all caches together.
const GLOBAL_PERCENT: (f64, f64) = (75.0, 90.0);

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Worth doing something about.
    Medium,
    /// To be done now.
    High,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// The cache it is about; `None` for all of them together.
    pub cache: Option<String>,
    /// What is wrong, with the figure and the limit.
    pub message: String,
    /// What to do about it.
    pub recommendation: String,
}

/// The figures of all caches with what is wrong in them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MonitorReport {
    /// The figures that were judged.
    pub stats: AllStats,
    /// What is wrong, the most severe first.
    pub findings: Vec<Finding>,
}

impl MonitorReport {
    /// Judges figures that were taken before.
    #[must_use]
    pub fn of(stats: AllStats) -> Self {
        let mut findings: Vec<_> = of_all(&stats).into_iter().collect();
        findings.extend(stats.caches.values().flat_map(of_one));
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Self { stats, findings }
    }

    /// True where something must be done now.
    #[must_use]
    pub fn has_high(&self) -> bool {
        let mut severities = self.findings.iter().map(|finding| finding.severity);
        severities.any(|severity| severity == Severity::High)
    }
}

impl CacheRegistry {
    /// Takes the figures of all caches and judges them. O(caches).
    #[must_use]
    pub fn monitor(&self) -> MonitorReport {
        MonitorReport::of(self.stats_all())
    }
}

fn severity_over(figure: f64, (medium, high): (f64, f64)) -> Option<(Severity, f64)> {
    if figure > high {
        Some((Severity::High, high))
    } else if figure > medium {
        Some((Severity::Medium, medium))
    } else {
        None
    }
}

fn of_all(stats: &AllStats) -> Option<Finding> {
    let used = stats.global.global_utilization_percent();
    let (severity, limit) = severity_over(used, GLOBAL_PERCENT)?;
    Some(Finding {
        severity,
        cache: None,
        message: format!("all caches together are {used:.1} % full, over {limit} %"),
        recommendation:
            "raise cache.max_size where hit ratios are high, lower it where they are low".to_owned(),
    })
}

fn of_one(stats: &CacheStats) -> Vec<Finding> {
    let finding = |severity, message, recommendation| Finding {
        severity,
        cache: Some(stats.name.clone()),
        message,
        recommendation,
    };
    let mut findings = Vec::new();
    let used = stats.utilization_percent();
    if let Some((severity, limit)) = severity_over(used, CACHE_PERCENT) {
        findings.push(finding(
            severity,
            format!("{used:.1} % full, over {limit} %"),
            room(stats),
        ));
    }
    let expired = percent(stats.expired_entries, stats.size);
    if expired > EXPIRED_MEDIUM_PERCENT {
        findings.push(finding(
            Severity::Medium,
            format!("{expired:.1} % of its entries have expired, over {EXPIRED_MEDIUM_PERCENT} %"),
            "shorten cache.cleanup_interval, or clean up now".to_owned(),
        ));
    }
    if let Some(ratio) = stats.hit_ratio()
        && stats.n_lookups() >= LOOKUPS_MIN
        && ratio < HIT_RATIO_LOW
    {
        findings.push(finding(
            Severity::Low,
            format!("hit ratio {ratio:.3} after {} lookups, under {HIT_RATIO_LOW}", stats.n_lookups()),
            match stats.recommended_size {
                Some(_) => room(stats),
                None => "nothing that was evicted is wanted again: lengthen the ttl, or do without this cache".to_owned(),
            },
        ));
    }
    findings
}

fn room(stats: &CacheStats) -> String {
    match stats.recommended_size {
        Some(size) => format!(
            "raise its size from {} to {size} entries, which would have kept most of what was evicted and wanted again",
            stats.max_size
        ),
        None => "it may stay: hardly anything that was evicted has been wanted again".to_owned(),
    }
}
