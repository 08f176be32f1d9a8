//! Memory figures of a long-running service that are true, and what follows from them.
//!
//! ```text
//!  /proc, control groups, jemalloc
//!        │
//!        ▼                 ┌─► Pressure ──► Reclaim (caches give back), admit or refuse work
//!    Readings ─► Reading ──┼─► LeakDetector ──► Outlook ─┐
//!        │                 └─► Vitals                    ├─► FindingBook ──► events: suspected, confirmed, resolved
//!        │                        │        live_instances┘
//!        │                        ▼
//!  request ─► MeasureLayer ─► Scope ─► Observe: bytes, peak and time of each request, headers on its answer
//!
//!  the program's own figures ─► Registry ─► Prometheus text, OpenMetrics
//!  jemalloc's samples ─┬► Profiler ──────────► HeapDump ─► NamedProfile ─► pprof, flame graph, table, tree, difference
//!                      └► CallSites ─► SiteGrowth: a call stack whose allocations survive epoch after epoch
//! ```
//!
//! Nothing runs by itself: the program calls [`Readings::take`] every second or so and hands the reading on. A figure
//! that cannot be had is absent, never 0. What the program runs on decides what can be had:
//!
//! | | without features | `jemalloc` | `counting-allocator` |
//! |---|---|---|---|
//! | process, machine, groups, limits | yes | yes | yes |
//! | heap: allocated, resident, retained | | yes | |
//! | bytes and peak of a request | | yes | yes |
//! | allocation calls of a request | | | yes |
//! | heap profiles (with `profiling`) | reading them | taking them too | reading them |
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use rsr_base::{ByteSize, MemoryBudget, system_clock};
//! use rsr_monitoring::{
//!     Evidence, FindingBook, LeakDetector, LeakRules, LeakSample, Pressure, PressureLevel, PressureSteps, Readings,
//!     live_instances,
//! };
//!
//! let clock = system_clock();
//! let readings = Readings::of_this_process();
//! let budget = MemoryBudget::root("process", ByteSize::from_mib(512));
//! let pressure = Pressure::new(PressureSteps::default(), budget, clock.clone());
//! let mut leaks = LeakDetector::new(LeakRules::default());
//! let mut findings = FindingBook::new(env!("CARGO_PKG_VERSION"), clock.clone());
//!
//! // What a service does at every tick:
//! let reading = readings.take();
//! if let Some(change) = pressure.update(&reading) {
//!     println!("memory pressure {} -> {}", change.from.name(), change.to.name());
//! }
//! let held = reading.heap.map(|heap| heap.allocated).or(reading.process.map(|process| process.resident));
//! if let Some(allocated) = held {
//!     let resident = reading.process.map(|process| process.resident);
//!     let sample = LeakSample { at: clock.elapsed(), allocated, accounted: ByteSize::ZERO, resident, load: None };
//!     leaks.observe(&sample);
//! }
//! let (outlook, objects) = (leaks.outlook(), live_instances());
//! let evidence = Evidence::new(&reading, &outlook).with_objects(&objects, &[], 1.0);
//! for event in findings.check(&evidence) {
//!     println!("{:?}: {}", event.finding.state, event.finding.observation.description);
//! }
//! assert!(outlook.known_in > Some(Duration::ZERO), "a first sample says nothing yet, and says so");
//! ```
//!
//! # Limits
//!
//! | bound | default | who sets it |
//! |---|---|---|
//! | age of a known memory limit | 30 s | fixed |
//! | a file of the kernel that is read | 64 KiB | fixed |
//! | series of one metric | 1,000 | `Family::with_series_max` |
//! | steps of the ladder, hysteresis | 70, 80, 88, 95 %; 5 % | [`PressureSteps`], settings `memory.*` |
//! | changes of level that are kept | 100 | fixed |
//! | history of the leak detector | 3 days in blocks of half an hour, 8 KB | fixed |
//! | growth that pages | 20 % or 100 MB | [`LeakRules`], settings `leaks.*` |
//! | findings that are kept | 500 | fixed |
//! | types that can be tracked | 1,000 | fixed |
//! | samples and stacks of `CallSites` | 131,072; 2,048 | fixed |
//! | growth of a call stack that is a finding | 8 MB | `SiteRules`, setting `leaks.site_threshold_mb` |
//! | a heap profile that is read | 256 MiB | fixed |
//! | collections of marked scopes at once; names of marks | 64; 32 | fixed |
//! | files of the profiler | 100 MiB each, 100 files, 7 days | `ProfilerLimits`, settings `profiling.*` |
//!
//! # What it does not do
//!
//! It starts no thread and no timer, opens no socket, reads no environment and logs nothing. It chooses no allocator:
//! that is the binary's. It does not guess: a request's bytes are counted, not taken from the process's.
//!
//! All `unsafe` code is in the module that speaks to the allocator.

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
#[cfg(all(feature = "jemalloc", feature = "profiling"))]
mod sites;
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
pub use metrics::{
    Counter, Family, FamilyDescription, FamilySnapshot, Figure, Format, Gauge, Histogram,
    MetricError, Registry, Series,
};
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
#[cfg(all(feature = "jemalloc", feature = "profiling"))]
pub use sites::{CallSites, SiteGrowth, SiteRules, SiteSize};
pub use vitals::Vitals;
