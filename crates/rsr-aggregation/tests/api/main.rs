//! What this crate promises, on a store in memory.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what they unwrap is the test"
)]

mod agreement;
mod bulk;
mod climbs;
mod cumulative;
mod disaggregations;
mod examples;
mod model;
mod rules;
mod words;
mod world;
