//! The commands, a module each with a small `run`.

mod caches;
mod deletions;
mod files;
mod memory;
mod project;
mod serve;
mod service;

use crate::cli::{Cli, Command};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};

/// Runs the command that was asked for.
pub(crate) fn run(cli: Cli) -> Outcome {
    let Cli { common, command } = cli;
    match command {
        Command::Serve(flags) => serve::run(&Context::new(&common, &serve::overrides(&flags))?),
        Command::Cache(which) => caches::run(&Context::new(&common, &[])?, &which),
        Command::Deletions(which) => deletions::run(&Context::new(&common, &[])?, &which),
        Command::Memory(which) => memory::run(&Context::new(&common, &[])?, &which),
        Command::Project(which) => project::run(&Context::new(&common, &[])?, &which),
        _ => Err(Failure::new(Exit::Usage, "not connected yet")),
    }
}
