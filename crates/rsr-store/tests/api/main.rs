//! What the store promises to its callers, the same for every database engine.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_assert_message,
    clippy::duplicate_mod,
    reason = "helpers of tests stand outside of the test functions, which may do all of this; each engine runs one suite"
)]

mod postgres;
mod sqlite;
mod support;
