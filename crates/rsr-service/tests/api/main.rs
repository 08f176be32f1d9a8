//! What the service promises over HTTP, asked in memory and on real sockets.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_assert_message,
    clippy::string_slice,
    clippy::duplicate_mod,
    reason = "the allowances for tests reach no further than the test functions themselves; each engine runs one suite"
)]

mod access;
mod admin;
mod budgets;
mod fresh;
mod iati;
mod items;
mod live;
mod mail;
#[cfg(feature = "otlp")]
mod otlp;
mod outside;
mod postgres;
mod projects;
mod results;
mod sqlite;
mod support;
