//! The rsr program: the service, its clients, and the tools around IATI files.
//!
//! This crate reads flags, calls the crates below, prints, and ends with one of five exit codes. What it prints for
//! programs goes to standard output; what it says to people, logs and progress goes to standard error.
#![forbid(unsafe_code)]

mod arguments;
mod cli;
mod commands;
mod context;
mod demo;
mod exit;
mod iati;
mod interrupt;
mod logging;
mod output;
mod progress;
mod table;
mod usage;

use std::process::ExitCode;

/// Its counters give the exact bytes of every request, and it gives memory back to the system after a burst.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let is_verbose = cli.common.verbose > 0;
    match commands::run(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print(is_verbose);
            failure.exit.into()
        }
    }
}
