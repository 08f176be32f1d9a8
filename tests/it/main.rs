//! Tests of several crates together, a module per story.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests end with a message too"
)]

mod bad_input;
mod chaos;
mod cli_access;
mod cli_aggregate;
mod cli_project;
mod cli_settings;
mod corpus;
mod dashboard;
mod database;
mod demo;
mod deployment;
mod description;
mod desk;
mod documents;
mod examples;
mod export_files;
mod iati_files;
mod json_outputs;
mod layers;
mod machines;
mod manual;
mod memory;
mod migration;
mod mistakes;
mod organisation_files;
mod prometheus;
mod real_files;
mod service;
mod soak;
mod worker;
