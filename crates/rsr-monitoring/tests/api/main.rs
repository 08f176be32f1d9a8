//! What the crate promises to its users.
//!
//! Run with `--all-features`; a module whose feature is off is left out.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tests"
)]

#[cfg(all(feature = "jemalloc", feature = "counting-allocator"))]
#[global_allocator]
static ALLOCATOR: rsr_monitoring::CountingAllocator<tikv_jemallocator::Jemalloc> =
    rsr_monitoring::CountingAllocator::new(tikv_jemallocator::Jemalloc);

#[cfg(all(feature = "jemalloc", not(feature = "counting-allocator")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

mod findings;
#[cfg(all(feature = "layer", feature = "jemalloc"))]
mod layer;
mod leaks;
#[cfg(feature = "metrics")]
mod metrics;
mod pressure;
#[cfg(all(feature = "jemalloc", feature = "profiling"))]
mod profiles;
mod readings;
#[cfg(feature = "jemalloc")]
mod scope;
#[cfg(all(feature = "jemalloc", feature = "profiling"))]
mod sites;
#[cfg(all(feature = "layer", feature = "jemalloc"))]
mod system_calls;
