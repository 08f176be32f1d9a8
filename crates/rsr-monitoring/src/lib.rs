//! Memory figures of a long-running service that are true, and what follows from them.
//!
//! ```text
//!  /proc, cgroups, jemalloc ──► Readings ──► Vitals ──► headers of each answer
//!                                  │
//!  a request ──► MeasureLayer ──► Scope ──► Observe (bytes, peak, duration of each request)
//!                                  │
//!  figures of the program ──► Registry ──► Prometheus text, OpenMetrics
//! ```

mod allocator;
mod findings;
#[cfg(feature = "layer")]
mod layer;
mod leaks;
#[cfg(feature = "metrics")]
mod metrics;
mod objects;
mod pressure;
#[cfg(feature = "profiling")]
mod profiles;
mod readings;
mod scope;
mod vitals;

#[cfg(feature = "counting-allocator")]
pub use allocator::CountingAllocator;
pub use allocator::counts_threads;
#[cfg(all(feature = "jemalloc", feature = "profiling"))]
pub use allocator::is_sampling;
#[cfg(feature = "jemalloc")]
pub use allocator::purge;
pub use findings::{
    Evidence, Finding, FindingBook, FindingEvent, FindingId, FindingState, Indicator, Observation,
    Severity,
};
#[cfg(feature = "layer")]
pub use layer::{
    InScope, InvalidHeaderPrefix, MeasureLayer, Measured, MeasuredBody, MeasuredFuture,
    Measurement, Observe, Switches,
};
pub use leaks::{
    LeakDetector, LeakEvent, LeakRules, LeakSample, LeakState, LeakVerdict, Outlook, analyse,
};
#[cfg(feature = "metrics")]
pub use metrics::{Counter, Family, Format, Gauge, Histogram, MetricError, Registry, Series};
pub use objects::{LiveInstances, Tracked, live_instances, track};
pub use pressure::{Consumer, Pressure, PressureChange, PressureLevel, PressureSteps, Shed, Work};
#[cfg(feature = "profiling")]
pub use profiles::{DumpError, Frame, HeapDump, NamedProfile, NamedStack};
#[cfg(all(feature = "jemalloc", feature = "profiling"))]
pub use profiles::{ProfileError, ProfileFile, Profiler, ProfilerLimits};
pub use readings::{
    GroupReading, HeapReading, Limit, LimitSource, ProcessReading, Reading, Readings, StallReading,
    SystemReading,
};
pub use scope::{Scope, ScopeUsage};
pub use vitals::Vitals;
