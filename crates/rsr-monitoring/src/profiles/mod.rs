//! Heap profiles: who holds the memory.
//!
//! ```text
//!  jemalloc ──► Profiler ──► dump (a text file: addresses, bytes, mapped files)
//!                               │ HeapDump::parse
//!                               ▼
//!                           HeapDump ──► name (debug information) ──► NamedProfile
//!                                                                      │ against(earlier)
//!               pprof · flame graph SVG · table · tree · summary ◄─────┘
//! ```

mod dump;
mod flame;
mod named;
mod pprof;
#[cfg(feature = "jemalloc")]
mod profiler;
mod report;
mod symbols;

pub use dump::{DumpError, HeapDump};
pub use named::{Frame, NamedProfile, NamedStack};
#[cfg(feature = "jemalloc")]
pub use profiler::{ProfileError, ProfileFile, Profiler, ProfilerLimits};

#[cfg(test)]
mod tests;
