//! What the store promises to its callers, the same for every database engine.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::missing_assert_message,
    reason = "helpers of tests stand outside of the test functions, which may do all of this"
)]

mod audit;
mod climbs;
mod database;
mod elements;
mod example;
mod export;
mod hierarchy;
mod import;
mod positions;
mod queue;
mod results;
mod rollup;
mod support;
