//! Caches, the deletion tracker, leaks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rsr_base::ByteSize;
use rsr_cache::AllStats;
use rsr_deletion::DeletionStats;
use rsr_monitoring::{Counter, Family, Gauge, LiveInstances, MetricError};

use super::{Define, each};
use crate::wire::CAUSES;

/// Families of the caches; a series for each cache is made when it is registered.
#[derive(Debug)]
pub(crate) struct CacheMetrics {
    entries: Family<Gauge>,
    bytes: Family<Gauge>,
    capacity: Family<Gauge>,
    utilization: Family<Gauge>,
    expired: Family<Gauge>,
    hits: Family<Counter>,
    misses: Family<Counter>,
    evictions: Family<Counter>,
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

/// The series of one cache, looked up once.
#[derive(Debug)]
pub(crate) struct CacheSeries {
    name: String,
    entries: Gauge,
    bytes: Gauge,
    capacity: Gauge,
    utilization: Gauge,
    expired: Gauge,
    hits: Counter,
    misses: Counter,
    evictions: [Counter; CAUSES.len()],
}

impl CacheMetrics {
    /// The series of this cache, which exist from now on.
    pub(crate) fn cache(&self, name: &str) -> Result<CacheSeries, MetricError> {
        let one = [name];
        let mut evictions = Vec::with_capacity(CAUSES.len());
        for cause in CAUSES {
            evictions.push(self.evictions.with(&[name, cause.as_str()])?);
        }
        let n_causes = evictions.len();
        Ok(CacheSeries {
            name: name.to_owned(),
            entries: self.entries.with(&one)?,
            bytes: self.bytes.with(&one)?,
            capacity: self.capacity.with(&one)?,
            utilization: self.utilization.with(&one)?,
            expired: self.expired.with(&one)?,
            hits: self.hits.with(&one)?,
            misses: self.misses.with(&one)?,
            evictions: evictions
                .try_into()
                .map_err(|_length| MetricError::Labels {
                    name: self.evictions.name().to_owned(),
                    expected: CAUSES.len(),
                    given: n_causes,
                })?,
        })
    }
}

impl CacheSeries {
    /// Takes over the figures of the cache it was made for.
    pub(crate) fn follow(&self, all: &AllStats) {
        let Some(stats) = all.caches.get(&self.name) else {
            return;
        };
        self.entries.set_count(stats.size);
        self.bytes.set_count(stats.bytes.bytes());
        self.capacity.set_count(stats.max_size);
        self.utilization.set(stats.utilization_percent() / 100.0);
        self.expired.set_count(stats.expired_entries);
        self.hits.follow(stats.n_hits);
        self.misses.follow(stats.n_misses);
        for (counter, cause) in self.evictions.iter().zip(CAUSES) {
            counter.follow(stats.removed.of(cause));
        }
    }
}

/// The deletion tracker's.
#[derive(Debug)]
pub(crate) struct DeletionMetrics {
    entries: Gauge,
    stale: Gauge,
    /// Begun, finished, swept.
    operations: [Counter; 3],
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

impl DeletionMetrics {
    /// Takes over the tracker's figures.
    pub(crate) fn follow(&self, stats: &DeletionStats) {
        self.entries.set_count(stats.n_active + stats.n_stale);
        self.stale.set_count(stats.n_stale);
        let [begun, finished, swept] = &self.operations;
        begun.follow(stats.n_begun);
        finished.follow(stats.n_finished);
        swept.follow(stats.n_swept);
    }
}

const SEVERITIES: [&str; 4] = ["low", "medium", "high", "critical"];

/// Indicators of leaks, and what leaks by them.
const SUBJECTS: [(&str, &str); 3] = [
    ("memory_growth", "heap"),
    ("call_site_growth", "call_site"),
    ("object_growth", "object"),
];

/// Every indicator there is, with the severities it has.
const INDICATORS: [(&str, &str); 11] = [
    ("memory_growth", "high"),
    ("memory_growth", "critical"),
    ("call_site_growth", "high"),
    ("object_growth", "medium"),
    ("fragmentation", "low"),
    ("high_memory_usage", "medium"),
    ("large_object_type", "low"),
    ("request_high_usage", "high"),
    ("long_request", "medium"),
    ("deletion_tracker_overload", "medium"),
    ("cache_share", "medium"),
];

/// The leak detector's.
#[derive(Debug)]
pub(crate) struct LeakMetrics {
    detected: Family<Counter>,
    open: Family<Gauge>,
    instances: Family<Gauge>,
    growth: Family<Gauge>,
    type_bytes: Family<Gauge>,
    stack_bytes: Family<Gauge>,
    /// Stacks that have a series.
    stacks: Mutex<BTreeSet<String>>,
}

/// Series of stacks; what else there is counts as one.
const STACKS_MAX: usize = 200;
const OTHER: &str = "other";

impl LeakMetrics {
    pub(super) fn define(define: &Define<'_>) -> Result<Self, MetricError> {
        const TYPE: [&str; 1] = ["object_type"];
        let metrics = Self {
            detected: define.counter(
                "rsr_memory_leaks_detected_total",
                "Leak findings that were opened, by what grew and how much it matters.",
                &["object_type", "severity"],
            )?,
            open: define.gauge(
                "rsr_findings_open",
                "Findings that are not resolved, by indicator and how much they matter.",
                &["indicator", "severity"],
            )?,
            growth: define.gauge(
                "rsr_object_growth_per_second",
                "Trend of the live instances of a tracked type.",
                &TYPE,
            )?,
            instances: define.gauge(
                "rsr_object_instances",
                "Live instances of a tracked type.",
                &TYPE,
            )?,
            type_bytes: define.gauge(
                "rsr_object_bytes",
                "Bytes that the live instances of a tracked type take themselves, without what they point to.",
                &TYPE,
            )?,
            stack_bytes: define
                .gauge(
                    "rsr_heap_stack_bytes",
                    "Live bytes of the call stacks that hold most, estimated from samples.",
                    &["stack"],
                )?
                .with_series_max(STACKS_MAX),
            stacks: Mutex::default(),
        };
        // So that the series exist when the first stack does not fit any more.
        metrics.stack_bytes.with(&[OTHER])?.set(0.0);
        for severity in SEVERITIES {
            for (_, subject) in SUBJECTS {
                metrics.detected.with(&[subject, severity])?;
            }
        }
        for (indicator, severity) in INDICATORS {
            metrics.open.with(&[indicator, severity])?.set(0.0);
        }
        Ok(metrics)
    }
}

impl LeakMetrics {
    /// Counts a leak that was confirmed.
    pub(crate) fn count(&self, indicator: &str, severity: &str) {
        let subject = SUBJECTS.iter().find(|(known, _)| *known == indicator);
        let subject = subject.map_or("other", |(_, subject)| subject);
        if let Ok(counter) = self.detected.with(&[subject, severity]) {
            counter.inc();
        }
    }

    /// Takes over how many findings are open; those that were before and are no more go to 0.
    pub(crate) fn open(&self, counts: &BTreeMap<(&'static str, &'static str), u64>) {
        for (indicator, severity) in INDICATORS {
            if let Ok(gauge) = self.open.with(&[indicator, severity]) {
                let count = counts.get(&(indicator, severity));
                gauge.set_count(count.copied().unwrap_or(0));
            }
        }
    }

    /// Takes over how fast the live values of each type grow.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub(crate) fn grown(&self, now: &[LiveInstances], before: &[LiveInstances], over: Duration) {
        for kind in now {
            let was = before.iter().find(|known| known.name == kind.name);
            let rate = was.map_or(0.0, |was| {
                (kind.n_live as f64 - was.n_live as f64) / over.as_secs_f64().max(1.0)
            });
            if let Ok(gauge) = self.growth.with(&[kind.name]) {
                gauge.set(rate);
            }
        }
    }

    /// Takes over what types and call stacks hold; stacks that were shown before and are no longer go to 0.
    pub(crate) fn bytes(&self, types: &[LiveInstances], stacks: &[(String, ByteSize)]) {
        for kind in types {
            if let Ok(gauge) = self.type_bytes.with(&[kind.name]) {
                gauge.set_count(kind.shallow_size.bytes());
            }
        }
        let mut known = self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut others = 0;
        let gone = known
            .iter()
            .filter(|name| stacks.iter().all(|(stack, _)| stack != *name));
        let gone = gone.map(|name| (name.as_str(), ByteSize::ZERO));
        let now = stacks.iter().map(|(stack, bytes)| (stack.as_str(), *bytes));
        for (stack, bytes) in gone.chain(now) {
            match self.stack_bytes.with(&[stack]) {
                Ok(gauge) => gauge.set_count(bytes.bytes()),
                Err(_full) => others += bytes.bytes(),
            }
        }
        if let Ok(gauge) = self.stack_bytes.with(&[OTHER]) {
            gauge.set_count(others);
        }
        let room = STACKS_MAX.saturating_sub(known.len());
        known.extend(stacks.iter().take(room).map(|(stack, _)| stack.clone()));
    }

    /// Takes over how many values of each tracked type are alive.
    pub(crate) fn follow(&self, instances: &[LiveInstances]) {
        for kind in instances {
            if let Ok(gauge) = self.instances.with(&[kind.name]) {
                gauge.set_count(kind.n_live);
            }
        }
    }
}
