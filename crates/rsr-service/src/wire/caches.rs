//! Caches and the deletion tracker as administration sees them.

use std::collections::BTreeMap;

use rsr_base::ProjectId;
use rsr_cache::{CacheStats, CleanupSummary, Finding, GlobalStats, RemovalCause};
use rsr_deletion::{DeletionStats, Sweep};
use serde::Serialize;
use serde_json::{Value, json};

use super::time::rfc3339;

/// One cache.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CacheFigures {
    size: u64,
    max_size: u64,
    bytes: u64,
    max_bytes: Option<u64>,
    expired_entries: u64,
    ttl_seconds: Option<f64>,
    utilization_percent: f64,
    hits: u64,
    misses: u64,
    hit_ratio: Option<f64>,
    loads: u64,
    load_failures: u64,
    evictions: BTreeMap<&'static str, u64>,
    recommended_size: Option<u64>,
}

/// Every cause, in the order of the metrics.
pub(crate) const CAUSES: [RemovalCause; 5] = [
    RemovalCause::Expired,
    RemovalCause::Size,
    RemovalCause::Bytes,
    RemovalCause::Explicit,
    RemovalCause::Replaced,
];

impl From<&CacheStats> for CacheFigures {
    fn from(stats: &CacheStats) -> Self {
        let evictions = CAUSES.map(|cause| (cause.as_str(), stats.removed.of(cause)));
        Self {
            size: stats.size,
            max_size: stats.max_size,
            bytes: stats.bytes.bytes(),
            max_bytes: stats.max_bytes.map(rsr_base::ByteSize::bytes),
            expired_entries: stats.expired_entries,
            ttl_seconds: stats.ttl_seconds(),
            utilization_percent: stats.utilization_percent(),
            hits: stats.n_hits,
            misses: stats.n_misses,
            hit_ratio: stats.hit_ratio(),
            loads: stats.n_loads,
            load_failures: stats.n_load_failures,
            evictions: evictions.into_iter().collect(),
            recommended_size: stats.recommended_size,
        }
    }
}

/// The totals of all caches.
pub(crate) fn global(stats: &GlobalStats) -> Value {
    json!({
        "total_caches": stats.total_caches,
        "total_entries": stats.total_entries,
        "total_max_entries": stats.total_max_entries,
        "global_utilization_percent": stats.global_utilization_percent(),
        "total_bytes": stats.total_bytes.bytes(),
    })
}

/// What left a cache, or in a dry run would: the first hundred keys by name.
pub(crate) fn cleanup(summary: &CleanupSummary) -> Value {
    let n_named = summary.keys.len() as u64;
    json!({
        "removed": summary.n_removed,
        "bytes": summary.bytes.bytes(),
        "keys": summary.keys,
        "keys_left_out": summary.n_removed.saturating_sub(n_named),
    })
}

/// What is wrong with a cache, or with all together.
pub(crate) fn issue(finding: &Finding) -> Value {
    json!({
        "severity": finding.severity.to_string(),
        "cache": finding.cache,
        "message": finding.message,
        "recommendation": finding.recommendation,
    })
}

/// The deletion tracker.
pub(crate) fn deletions(stats: &DeletionStats) -> Value {
    json!({
        "active": stats.n_active,
        "stale": stats.n_stale,
        "oldest_age_seconds": stats.oldest_age.map(|age| age.as_secs_f64()),
        "begun": stats.n_begun,
        "finished": stats.n_finished,
        "swept": stats.n_swept,
        "skipped": stats.n_skipped,
        "elsewhere": stats.n_elsewhere,
        "shared_failures": stats.n_shared_failures,
        "last_sweep": stats.last_sweep.map(rfc3339),
        "stale_after_seconds": stats.stale_after.as_secs_f64(),
    })
}

/// A sweep of the tracker.
pub(crate) fn sweep(sweep: &Sweep<ProjectId>) -> Value {
    let entries: Vec<Value> = sweep
        .stale
        .iter()
        .map(|entry| json!({ "id": entry.id.0, "age_seconds": entry.age.as_secs_f64() }))
        .collect();
    json!({
        "removed": if sweep.is_dry_run { 0 } else { entries.len() },
        "dry_run": sweep.is_dry_run,
        "entries": entries,
    })
}
