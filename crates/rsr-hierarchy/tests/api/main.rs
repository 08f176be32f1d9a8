//! What this crate promises, on a tree in memory.
#![expect(
    clippy::unwrap_used,
    clippy::missing_assert_message,
    reason = "helpers of tests: what they unwrap and compare is the test"
)]

mod answers;
mod bounds;
mod climbs;
mod cursors;
mod forests;
mod memory;
mod requests;
mod streams;
