//! The library half of `cargo xtask`: what its commands decide, apart from how they are called.
//!
//! Each command is a module with a pure core and tests; the program only prints and exits. `tests/it/layers.rs` uses
//! the same layer check, so that a plain `cargo test` catches an edge that points up.
#![forbid(unsafe_code)]
#![expect(
    clippy::let_underscore_must_use,
    reason = "pages are put together in strings, and writing to one cannot fail"
)]

pub mod bench_page;
pub mod big_file;
pub mod browser;
pub mod changelog;
pub mod conformance;
pub mod http;
pub mod iati_codelists;
pub mod iati_rules;
pub mod iati_tables;
pub mod lint_layers;
pub mod summary;
pub mod tidy;
pub mod timings;
pub mod tools;
