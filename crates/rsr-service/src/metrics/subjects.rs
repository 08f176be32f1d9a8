//! Caches, the deletion tracker, leaks.

use rsr_monitoring::{Counter, Family, Gauge, MetricError};

use super::{Define, each};

/// Families of the caches; a series for each cache is made when it is registered.
#[derive(Debug)]
pub(crate) struct CacheMetrics {
    pub(crate) entries: Family<Gauge>,
    pub(crate) bytes: Family<Gauge>,
    pub(crate) capacity: Family<Gauge>,
    pub(crate) utilization: Family<Gauge>,
    pub(crate) expired: Family<Gauge>,
    pub(crate) hits: Family<Counter>,
    pub(crate) misses: Family<Counter>,
    pub(crate) evictions: Family<Counter>,
}

impl CacheMetrics {
    pub(super) fn define(define: &Define<'_>) -> Result<Self, MetricError> {
        const CACHE: [&str; 1] = ["cache"];
        let gauge = |name, help| define.gauge(name, help, &CACHE);
        let counter = |name, help| define.counter(name, help, &CACHE);
        Ok(Self {
            entries: gauge("rsr_cache_entries", "Entries of a cache.")?,
            bytes: gauge("rsr_cache_bytes", "Bytes a cache accounts for.")?,
            capacity: gauge("rsr_cache_capacity_entries", "Entries a cache may hold.")?,
            utilization: gauge(
                "rsr_cache_utilization_ratio",
                "Entries of a cache as a share of its bound.",
            )?,
            expired: gauge(
                "rsr_cache_expired_entries",
                "Entries of a cache that are expired and not yet swept.",
            )?,
            hits: counter("rsr_cache_hits_total", "Look-ups that found a value.")?,
            misses: counter("rsr_cache_misses_total", "Look-ups that found none.")?,
            evictions: define.counter(
                "rsr_cache_evictions_total",
                "Values that left a cache, by cause.",
                &["cache", "cause"],
            )?,
        })
    }
}

/// The deletion tracker's.
#[derive(Debug)]
pub(crate) struct DeletionMetrics {
    pub(crate) entries: Gauge,
    pub(crate) stale: Gauge,
    /// Begun, finished, swept.
    pub(crate) operations: [Counter; 3],
}

impl DeletionMetrics {
    pub(super) fn define(define: &Define<'_>) -> Result<Self, MetricError> {
        let entries =
            define.one_gauge("rsr_deletion_tracker_entries", "Projects being deleted.")?;
        let stale = define.one_gauge(
            "rsr_deletion_tracker_stale_entries",
            "Tracked deletions that are older than they should be.",
        )?;
        let operations = define.counter(
            "rsr_deletion_tracker_operations_total",
            "What happened in the deletion tracker.",
            &["operation"],
        )?;
        entries.set(0.0);
        stale.set(0.0);
        Ok(Self {
            entries,
            stale,
            operations: each(&operations, ["begun", "finished", "swept"])?,
        })
    }
}

/// The leak detector's.
#[derive(Debug)]
pub(crate) struct LeakMetrics {
    pub(crate) detected: Family<Counter>,
    pub(crate) instances: Family<Gauge>,
    pub(crate) growth: Family<Gauge>,
}

impl LeakMetrics {
    pub(super) fn define(define: &Define<'_>) -> Result<Self, MetricError> {
        const TYPE: [&str; 1] = ["object_type"];
        let metrics = Self {
            detected: define.counter(
                "rsr_memory_leaks_detected_total",
                "Leak findings that were opened, by what grew and how much it matters.",
                &["object_type", "severity"],
            )?,
            instances: define.gauge(
                "rsr_object_instances",
                "Live instances of a tracked type.",
                &TYPE,
            )?,
            growth: define.gauge(
                "rsr_object_growth_per_second",
                "Trend of the live instances of a tracked type.",
                &TYPE,
            )?,
        };
        for severity in ["low", "medium", "high", "critical"] {
            metrics.detected.with(&["heap", severity])?;
        }
        Ok(metrics)
    }
}
