//! Requests: how long, how much memory, how many, and which were refused.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use http::{Request, StatusCode};
use rsr_monitoring::{
    Counter, Family, FindingBook, Gauge, Histogram, Measurement, MetricError, Observe, Scope,
};

use super::{BYTES, Define, SECONDS, each};
use crate::findings;
use crate::problem::Kind;
use crate::profiles::Profiles;

/// Metrics of requests.
#[derive(Debug)]
pub(crate) struct RequestMetrics {
    families: RouteFamilies,
    pub(crate) in_flight: Gauge,
    /// Requests that have ended, for the load that memory is judged against.
    pub(crate) ended: Arc<AtomicU64>,
    /// Busy, memory pressure, timeout, stopping.
    shed: [Counter; 4],
    /// Where a request's path is no route's.
    pub(crate) elsewhere: Arc<RouteSeries>,
}

/// What is measured of each route.
#[derive(Debug)]
struct RouteFamilies {
    allocated: Family<Histogram>,
    peak: Family<Histogram>,
    duration: Family<Histogram>,
    retained: Family<Gauge>,
}

/// The series of one route and method, looked up once.
#[derive(Debug)]
pub(crate) struct RouteSeries {
    /// Method and path.
    name: String,
    allocated: Histogram,
    peak: Histogram,
    retained: Gauge,
    /// By class of status: 2xx to 5xx.
    duration: [Histogram; 4],
}

impl RequestMetrics {
    pub(super) fn define(define: &Define<'_>) -> Result<Self, MetricError> {
        const ROUTE: [&str; 2] = ["route", "method"];
        let shed = define.counter(
            "rsr_requests_shed_total",
            "Requests refused to keep within bounds, by reason.",
            &["reason"],
        )?;
        let in_flight = define.one_gauge("rsr_requests_in_flight", "Requests under way.")?;
        in_flight.set(0.0);
        let families = RouteFamilies {
            allocated: define.histogram(
                "rsr_request_memory_allocated_bytes",
                "Bytes a request allocated, its answer included.",
                &ROUTE,
                &BYTES,
            )?,
            peak: define.histogram(
                "rsr_request_memory_peak_bytes",
                "Most bytes a request held at once.",
                &ROUTE,
                &BYTES,
            )?,
            duration: define.histogram(
                "rsr_request_duration_seconds",
                "Time from a request's arrival to the last byte of its answer, by class of status.",
                &["route", "method", "status"],
                &SECONDS,
            )?,
            retained: define.gauge(
                "rsr_request_memory_retained_bytes",
                "Bytes that requests allocated and did not free, summed; below zero where they freed what others made.",
                &ROUTE,
            )?,
        };
        Ok(Self {
            elsewhere: Arc::new(families.route("other", "other")?),
            families,
            in_flight,
            ended: Arc::default(),
            shed: each(&shed, ["busy", "memory", "timeout", "stopping"])?,
        })
    }

    /// The series of a route.
    pub(crate) fn route(&self, route: &str, method: &str) -> Arc<RouteSeries> {
        self.families
            .route(route, method)
            .map_or_else(|_too_many| Arc::clone(&self.elsewhere), Arc::new)
    }

    /// Counts a refusal that keeps the service within its bounds; others are the caller's affair.
    pub(crate) fn count_shed(&self, kind: Kind) {
        let place = match kind {
            Kind::Busy => 0,
            Kind::MemoryPressure => 1,
            Kind::Timeout => 2,
            Kind::Stopping => 3,
            _ => return,
        };
        if let Some(counter) = self.shed.get(place) {
            counter.inc();
        }
    }
}

impl RouteFamilies {
    fn route(&self, route: &str, method: &str) -> Result<RouteSeries, MetricError> {
        let labels = [route, method];
        let retained = self.retained.with(&labels)?;
        retained.set(0.0);
        let duration = |status| self.duration.with(&[route, method, status]);
        Ok(RouteSeries {
            name: format!("{method} {route}"),
            allocated: self.allocated.with(&labels)?,
            peak: self.peak.with(&labels)?,
            retained,
            duration: [
                duration("2xx")?,
                duration("3xx")?,
                duration("4xx")?,
                duration("5xx")?,
            ],
        })
    }
}

/// Where a request's guard leaves the series of its route for the observer, which is further out.
#[derive(Clone, Debug, Default)]
pub(crate) struct RouteSlot(Arc<OnceLock<Arc<RouteSeries>>>);

impl RouteSlot {
    pub(crate) fn fill(&self, series: &Arc<RouteSeries>) {
        // A second guard on one request would be the same route's.
        let _first = self.0.set(Arc::clone(series)).is_ok();
    }

    /// Method and route, where the request found one.
    pub(crate) fn name(&self) -> Option<String> {
        self.0.get().map(|series| series.name.clone())
    }
}

/// Hears of each measured request.
#[derive(Clone, Debug)]
pub(crate) struct RequestObserver {
    pub(crate) elsewhere: Arc<RouteSeries>,
    pub(crate) in_flight: Gauge,
    pub(crate) ended: Arc<AtomicU64>,
    pub(crate) notice: Notice,
    /// Where requests that stand out are reported, once there is one.
    pub(crate) book: Arc<OnceLock<Arc<Mutex<FindingBook>>>>,
    /// What keeps the samples of some requests apart, once there is one.
    pub(crate) profiles: Arc<OnceLock<Arc<Profiles>>>,
}

/// From what on a request is worth a line in the log.
#[derive(Clone, Debug)]
pub(crate) struct Notice(pub(crate) Arc<rsr_settings::LiveSettings>);

impl Observe for RequestObserver {
    type Subject = Option<RouteSlot>;

    fn started<B>(&self, request: &Request<B>) -> Self::Subject {
        self.in_flight.add(1.0);
        request.extensions().get::<RouteSlot>().cloned()
    }

    fn scoped(&self, _slot: &Self::Subject, scope: &Scope) {
        if let Some(profiles) = self.profiles.get() {
            profiles.mark_request(&self.notice.0.current().profiling, scope);
        }
    }

    fn finished(&self, slot: Self::Subject, measurement: &Measurement) {
        self.in_flight.add(-1.0);
        self.ended.fetch_add(1, Ordering::Relaxed);
        let series = slot
            .as_ref()
            .and_then(|slot| slot.0.get())
            .unwrap_or(&self.elsewhere);
        series.observe(measurement);
        self.notice.log(measurement);
        let settings = self.notice.0.current();
        let usage = &measurement.usage;
        let took = findings::Took {
            duration: measurement.duration,
            allocated: usage.allocated,
            retained: usage.retained(),
        };
        let found = findings::of_request(&series.name, &took, &settings.monitoring);
        if let Some(book) = self.book.get().filter(|_book| !found.is_empty()) {
            let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
            for observation in found {
                for event in book.report(observation) {
                    tracing::warn!(
                        id = event.finding.id.0,
                        "{}",
                        event.finding.observation.description
                    );
                }
            }
        }
    }
}

impl Notice {
    fn log(&self, measurement: &Measurement) {
        let settings = self.0.current();
        let allocated = measurement.usage.allocated;
        let is_long = measurement.duration >= settings.monitoring.long_request_seconds;
        let is_large =
            allocated.is_some_and(|bytes| bytes > settings.monitoring.high_usage_threshold_mb);
        if is_long || is_large {
            tracing::warn!(
                duration = ?measurement.duration,
                allocated = allocated.map(tracing::field::display),
                is_complete = measurement.is_complete,
                "a request was long or large"
            );
        }
    }
}

impl RouteSeries {
    fn observe(&self, measurement: &Measurement) {
        let usage = &measurement.usage;
        if let Some(allocated) = usage.allocated {
            self.allocated.observe_count(allocated.bytes());
        }
        if let Some(peak) = usage.peak {
            self.peak.observe_count(peak.bytes());
        }
        if let Some(retained) = usage.retained() {
            #[expect(
                clippy::cast_precision_loss,
                reason = "gauges are floating point; a request holds less than 2^53 bytes"
            )]
            self.retained.add(retained as f64);
        }
        let class = match measurement
            .status
            .map_or(500, |status: StatusCode| status.as_u16())
        {
            ..300 => 0,
            300..400 => 1,
            400..500 => 2,
            _ => 3,
        };
        if let Some(duration) = self.duration.get(class) {
            duration.observe_duration(measurement.duration);
        }
    }
}
