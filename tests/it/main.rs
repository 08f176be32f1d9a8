//! Tests of several crates together, a module per story.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests end with a message too"
)]

mod layers;
