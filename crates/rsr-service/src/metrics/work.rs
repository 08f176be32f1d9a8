//! What the service does: hierarchies, roll-ups, IATI, the database.

use rsr_monitoring::{Counter, Gauge, Histogram, MetricError};
use rsr_store::PoolUse;

use super::{BYTES, Define, SECONDS, each};

/// Metrics of the domain's work.
#[derive(Debug)]
pub(crate) struct WorkMetrics {
    /// Standard, chunked, stream.
    pub(crate) processed: [Counter; 3],
    pub(crate) depth: Histogram,
    pub(crate) truncated: Counter,
    pub(crate) aggregation: AggregationMetrics,
    /// Sent, failed for now, given up.
    pub(crate) mails: [Counter; 3],
    /// Exported, left out.
    pub(crate) exported: [Counter; 2],
    pub(crate) exported_bytes: Counter,
    /// Kept, skipped, by commands beside the service.
    pub(crate) imported: [Counter; 2],
    pub(crate) imported_bytes: Counter,
    /// Valid, with findings, by commands beside the service.
    pub(crate) validated: [Counter; 2],
    pub(crate) validated_bytes: Counter,
    /// Export, deletion, aggregation.
    pub(crate) operation_memory: [Histogram; 3],
    /// Used, idle, as many as there may be.
    connections: [Gauge; 3],
}

/// Metrics of rolling results up.
#[derive(Debug)]
pub(crate) struct AggregationMetrics {
    /// Written, unchanged.
    pub(crate) periods: [Counter; 2],
    pub(crate) failed: Counter,
    /// Jobs passed over, since their projects are being deleted.
    pub(crate) skipped: Counter,
    pub(crate) duration: Histogram,
    pub(crate) cycles: Counter,
    pub(crate) depth_limited: Counter,
    /// Scheduled, running, finished, failed, maxxed.
    jobs: [Gauge; 5],
}

impl AggregationMetrics {
    fn define(define: &Define<'_>) -> Result<Self, MetricError> {
        let periods = define.counter(
            "rsr_aggregation_periods_total",
            "Periods that were aggregated, by outcome.",
            &["outcome"],
        )?;
        let duration = define
            .histogram(
                "rsr_aggregation_duration_seconds",
                "Time one aggregation took.",
                &[],
                &SECONDS,
            )?
            .with(&[])?;
        let cycles = define.one_counter(
            "rsr_aggregation_cycles_total",
            "Circular references that stopped an aggregation.",
        )?;
        let depth_limited = define.one_counter(
            "rsr_aggregation_depth_limited_total",
            "Aggregations that stopped at the limit of levels.",
        )?;
        let jobs = define.gauge(
            "rsr_aggregation_jobs",
            "Jobs in the queue, by state.",
            &["status"],
        )?;
        Ok(Self {
            periods: each(&periods, ["written", "unchanged"])?,
            failed: periods.with(&["failed"])?,
            skipped: periods.with(&["skipped"])?,
            duration,
            cycles,
            depth_limited,
            jobs: each(&jobs, STATES)?,
        })
    }
}

/// The states of a job, in the order of their series.
const STATES: [&str; 5] = ["scheduled", "running", "finished", "failed", "maxxed"];

impl AggregationMetrics {
    /// Takes over how many jobs are in each state that any is in.
    pub(crate) fn follow_jobs(&self, counts: &[(String, u64)]) {
        for (gauge, state) in self.jobs.iter().zip(STATES) {
            let count = counts.iter().find(|(known, _)| known == state);
            gauge.set_count(count.map_or(0, |(_, count)| *count));
        }
    }
}

impl WorkMetrics {
    pub(super) fn define(define: &Define<'_>) -> Result<Self, MetricError> {
        let processed = define.counter(
            "rsr_hierarchy_descendants_processed_total",
            "Descendants read for answers, by how they were read.",
            &["mode"],
        )?;
        let depth = define
            .histogram(
                "rsr_hierarchy_depth",
                "Deepest level reached by an answer about a hierarchy.",
                &[],
                &[1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0],
            )?
            .with(&[])?;
        let truncated = define.one_counter(
            "rsr_hierarchy_truncated_total",
            "Lists of children that were cut at their limit.",
        )?;
        let activities = define.counter(
            "rsr_iati_activities_total",
            "IATI activities, by what was done with them and how it went.",
            &["operation", "outcome"],
        )?;
        let bytes = define.counter(
            "rsr_iati_bytes_total",
            "Bytes of IATI, by what was done with them.",
            &["operation"],
        )?;
        let operation_memory = define.histogram(
            "rsr_operation_memory_allocated_bytes",
            "Bytes that work outside of requests allocated.",
            &["operation"],
            &BYTES,
        )?;
        let connections = define.gauge(
            "rsr_database_connections",
            "Connections to the database, by state.",
            &["state"],
        )?;
        let mails = define.counter(
            "rsr_mails_total",
            "Mails taken from the outbox, by what became of them.",
            &["outcome"],
        )?;
        Ok(Self {
            aggregation: AggregationMetrics::define(define)?,
            mails: each(&mails, ["sent", "failed", "given_up"])?,
            processed: each(&processed, ["standard", "chunked", "stream"])?,
            depth,
            truncated,
            exported: [
                activities.with(&["export", "written"])?,
                activities.with(&["export", "left_out"])?,
            ],
            exported_bytes: bytes.with(&["export"])?,
            imported: [
                activities.with(&["import", "kept"])?,
                activities.with(&["import", "skipped"])?,
            ],
            imported_bytes: bytes.with(&["import"])?,
            validated: [
                activities.with(&["validate", "valid"])?,
                activities.with(&["validate", "invalid"])?,
            ],
            validated_bytes: bytes.with(&["validate"])?,
            operation_memory: each(&operation_memory, ["export", "deletion", "aggregation"])?,
            connections: each(&connections, ["used", "idle", "max"])?,
        })
    }

    /// Takes over how the database's readers are used.
    pub(crate) fn follow_connections(&self, readers: &PoolUse) {
        let [used, idle, max] = &self.connections;
        used.set_count(readers.n_used as u64);
        idle.set_count(readers.n_idle as u64);
        max.set_count(readers.connections_max as u64);
    }
}
