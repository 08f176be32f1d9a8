//! What is not as it should be with the caches, and what to do about it.

use rsr_cache::{CacheStats, GlobalStats};
use serde::Serialize;

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Issue {
    pub(crate) severity: &'static str,
    /// The cache, or nothing for all together.
    pub(crate) cache: Option<String>,
    pub(crate) message: String,
    pub(crate) recommendation: String,
}

/// Look-ups before a hit ratio says something.
const LOOKUPS_MIN: u64 = 1_000;

/// Findings over all caches and each of these, the most severe first.
pub(crate) fn of_caches(global: &GlobalStats, caches: &[CacheStats]) -> Vec<Issue> {
    let mut issues = Vec::new();
    let used = global.global_utilization_percent();
    if let Some(severity) = above(used, 90.0, 75.0) {
        issues.push(Issue {
            severity,
            cache: None,
            message: format!("all caches together are {used:.1} % full"),
            recommendation: "raise cache.max_size, or cache less".to_owned(),
        });
    }
    for stats in caches {
        of_cache(stats, &mut issues);
    }
    issues.sort_by_key(|issue| match issue.severity {
        "high" => 0,
        "medium" => 1,
        _ => 2,
    });
    issues
}

fn of_cache(stats: &CacheStats, issues: &mut Vec<Issue>) {
    let mut found = |severity, message: String, recommendation: String| {
        issues.push(Issue {
            severity,
            cache: Some(stats.name.clone()),
            message,
            recommendation,
        });
    };
    let used = stats.utilization_percent();
    if let Some(severity) = above(used, 95.0, 80.0) {
        let size = stats.recommended_size.map_or_else(
            || "a larger bound".to_owned(),
            |size| format!("{size} entries"),
        );
        found(
            severity,
            format!("{used:.1} % full"),
            format!("give it {size} (cache.max_size)"),
        );
    }
    if stats.expired_entries.saturating_mul(10) > stats.size {
        found(
            "medium",
            format!(
                "{} of {} entries are expired",
                stats.expired_entries, stats.size
            ),
            "sweep more often (cache.cleanup_interval), or run `rsr cache cleanup`".to_owned(),
        );
    }
    if let Some(ratio) = stats.hit_ratio()
        && stats.n_lookups() >= LOOKUPS_MIN
        && ratio < 0.5
    {
        found(
            "low",
            format!(
                "{:.0} % of {} look-ups found a value",
                ratio * 100.0,
                stats.n_lookups()
            ),
            "keep entries longer (cache.ttl), or cache something else".to_owned(),
        );
    }
}

fn above(value: f64, high: f64, medium: f64) -> Option<&'static str> {
    if value > high {
        Some("high")
    } else if value > medium {
        Some("medium")
    } else {
        None
    }
}
