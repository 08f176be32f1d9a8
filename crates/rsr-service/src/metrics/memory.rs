//! The process's memory and the machine's.

use rsr_base::{ByteSize, PoolUsage};
use rsr_monitoring::{Counter, Gauge, MetricError, Reading};

use super::{Define, each};

/// The pools below the process's.
const POOLS: [&str; 6] = [
    "requests",
    "exports",
    "imports",
    "aggregations",
    "caches",
    "profiles",
];

/// Memory as it was last read.
#[derive(Debug)]
pub(crate) struct MemoryMetrics {
    /// RSS, virtual, heap allocated, heap resident, heap retained.
    usage: [Gauge; 5],
    peak: Gauge,
    limit: Gauge,
    pub(crate) pressure_level: Gauge,
    pub(crate) growth: Gauge,
    pub(crate) profiles_active: Gauge,
    pub(crate) drift: Gauge,
    pub(crate) pressure_changes: Counter,
    /// Bytes that are reserved, by pool as in [`POOLS`].
    pools: [Gauge; 6],
    refused: Counter,
    /// Total, available.
    system: [Gauge; 2],
}

impl MemoryMetrics {
    pub(super) fn define(define: &Define<'_>) -> Result<Self, MetricError> {
        let usage = define.gauge(
            "rsr_memory_usage_bytes",
            "Memory of the process, by kind.",
            &["kind"],
        )?;
        let peak = define.one_gauge(
            "rsr_memory_peak_usage_bytes",
            "Most physical memory the process ever held.",
        )?;
        let limit = define.one_gauge(
            "rsr_memory_limit_bytes",
            "Memory the process plans for: the setting, the control group's limit or the machine's memory.",
        )?;
        let pressure_level = define.one_gauge(
            "rsr_memory_pressure_level",
            "Step of the pressure ladder: 0 calm, 1 caches give back, 2 background work waits, 3 heavy routes are refused, 4 all but light routes are.",
        )?;
        let growth = define.one_gauge(
            "rsr_memory_growth_bytes_per_second",
            "Trend of the allocated heap over the leak detector's window.",
        )?;
        let system = define.gauge(
            "rsr_system_memory_bytes",
            "Memory of the machine, by kind.",
            &["kind"],
        )?;
        let profiles_active =
            define.one_gauge("rsr_profiles_active", "Heap profiles under way.")?;
        let drift = define.one_gauge(
            "rsr_memory_unreserved_bytes",
            "Allocated heap beyond what work has reserved; below zero where it reserved more than it took.",
        )?;
        let reserved = define.gauge(
            "rsr_memory_reserved_bytes",
            "Bytes that work has reserved, by pool.",
            &["pool"],
        )?;
        let refused = define.one_counter(
            "rsr_memory_reservations_refused_total",
            "Reservations that were refused, since the memory was promised to others.",
        )?;
        let pressure_changes = define.one_counter(
            "rsr_memory_pressure_changes_total",
            "Changes of the step of the pressure ladder, up and down.",
        )?;
        pressure_level.set(0.0);
        growth.set(0.0);
        profiles_active.set(0.0);
        Ok(Self {
            usage: each(
                &usage,
                [
                    "rss",
                    "virtual",
                    "heap_allocated",
                    "heap_resident",
                    "heap_retained",
                ],
            )?,
            peak,
            limit,
            pressure_level,
            growth,
            profiles_active,
            drift,
            pressure_changes,
            pools: each(&reserved, POOLS)?,
            refused,
            system: each(&system, ["total", "available"])?,
        })
    }

    /// Takes over what the pools have promised.
    pub(crate) fn follow_pools(&self, usage: &[PoolUsage]) {
        for (name, reserved) in POOLS.into_iter().zip(&self.pools) {
            let of_name = usage.iter().filter(|pool| pool.name == name);
            reserved.set_count(of_name.map(|pool| pool.used.bytes()).sum());
        }
        self.refused
            .follow(usage.iter().map(|pool| pool.n_refused).sum());
    }

    /// Takes over a reading; what it does not tell is left out of scrapes. `limit` is what the process plans for.
    pub(crate) fn follow(&self, reading: &Reading, limit: Option<ByteSize>) {
        let process = reading.process;
        let heap = reading.heap;
        let usage = [
            process.map(|process| process.resident),
            process.map(|process| process.virtual_size),
            heap.map(|heap| heap.allocated),
            heap.map(|heap| heap.resident),
            heap.map(|heap| heap.retained),
        ];
        for (gauge, size) in self.usage.iter().zip(usage) {
            gauge.set_or_clear(size.map(ByteSize::bytes));
        }
        self.peak.set_or_clear(
            process
                .and_then(|process| process.peak_resident)
                .map(ByteSize::bytes),
        );
        self.limit.set_or_clear(limit.map(ByteSize::bytes));
        let system = [
            reading.system.map(|system| system.total),
            reading.system.map(|system| system.available),
        ];
        for (gauge, size) in self.system.iter().zip(system) {
            gauge.set_or_clear(size.map(ByteSize::bytes));
        }
    }
}
