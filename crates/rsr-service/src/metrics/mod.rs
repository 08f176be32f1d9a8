//! Every `rsr_*` metric: its name, meaning, type and label values, and where its figure comes from.
//!
//! Counters exist at 0 from the start. Figures kept elsewhere (memory, pools, caches, the tracker) are read when a
//! scrape asks, so they are current; nothing here is read on the way of a request but handles made once.

mod memory;
mod requests;
mod subjects;
mod work;

#[cfg(test)]
mod tests;

use rsr_monitoring::{Counter, Family, Gauge, Histogram, MetricError, Registry, Series};

pub(crate) use memory::MemoryMetrics;
pub(crate) use requests::{Notice, RequestMetrics, RequestObserver, RouteSeries, RouteSlot};
pub(crate) use subjects::{CacheMetrics, DeletionMetrics, LeakMetrics};
pub(crate) use work::WorkMetrics;

/// All metrics of one service.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) registry: Registry,
    pub(crate) memory: MemoryMetrics,
    pub(crate) requests: RequestMetrics,
    pub(crate) caches: CacheMetrics,
    pub(crate) deletions: DeletionMetrics,
    pub(crate) leaks: LeakMetrics,
    pub(crate) work: WorkMetrics,
}

impl Metrics {
    /// Defines all of them in a registry of their own.
    pub(crate) fn new() -> Self {
        let registry = Registry::new();
        Self::define(registry).expect("the names are valid and each stands here once")
    }

    fn define(registry: Registry) -> Result<Self, MetricError> {
        let define = Define(&registry);
        define
            .gauge(
                "rsr_build_info",
                "The program that runs; always 1.",
                &["version", "commit", "profile"],
            )?
            .with(&[
                env!("CARGO_PKG_VERSION"),
                option_env!("RSR_COMMIT").unwrap_or("unknown"),
                if cfg!(debug_assertions) {
                    "debug"
                } else {
                    "release"
                },
            ])?
            .set(1.0);
        Ok(Self {
            memory: MemoryMetrics::define(&define)?,
            requests: RequestMetrics::define(&define)?,
            caches: CacheMetrics::define(&define)?,
            deletions: DeletionMetrics::define(&define)?,
            leaks: LeakMetrics::define(&define)?,
            work: WorkMetrics::define(&define)?,
            registry,
        })
    }
}

/// Shorter words for what is said of each metric.
struct Define<'r>(&'r Registry);

impl Define<'_> {
    fn counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<Family<Counter>, MetricError> {
        self.0.counter(name, help, labels)
    }

    fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> Result<Family<Gauge>, MetricError> {
        self.0.gauge(name, help, labels)
    }

    fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        bounds: &[f64],
    ) -> Result<Family<Histogram>, MetricError> {
        self.0.histogram(name, help, labels, bounds)
    }

    fn one_counter(&self, name: &str, help: &str) -> Result<Counter, MetricError> {
        self.counter(name, help, &[])?.with(&[])
    }

    fn one_gauge(&self, name: &str, help: &str) -> Result<Gauge, MetricError> {
        self.gauge(name, help, &[])?.with(&[])
    }
}

/// One series for each value of a family's one label.
fn each<S: Series, const N: usize>(
    family: &Family<S>,
    values: [&str; N],
) -> Result<[S; N], MetricError> {
    let mut series = Vec::with_capacity(N);
    for value in values {
        series.push(family.with(&[value])?);
    }
    series.try_into().map_err(|_length| MetricError::Labels {
        name: family.name().to_owned(),
        expected: N,
        given: 0,
    })
}

/// Bounds in bytes, from what a small answer takes to what no request should.
const BYTES: [f64; 8] = [
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    52_428_800.0,
    104_857_600.0,
    419_430_400.0,
];
/// Bounds in seconds.
const SECONDS: [f64; 8] = [0.005, 0.02, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
