//! What the service promises over HTTP, asked in memory and on real sockets.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_assert_message,
    clippy::string_slice,
    reason = "the allowances for tests reach no further than the test functions themselves"
)]

mod access;
mod admin;
mod fresh;
mod hierarchy;
mod iati;
mod items;
mod live;
mod mail;
#[cfg(feature = "otlp")]
mod otlp;
mod outside;
mod projects;
mod results;
mod support;
