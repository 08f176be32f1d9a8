//! The commands, a module each with a small `run`.

mod aggregate;
mod audit;
mod caches;
mod database;
mod deletions;
mod export;
mod files;
mod import;
mod jobs;
mod memory;
mod project;
mod serve;
mod service;
mod validate;

use crate::cli::{Cli, Command, Common};
use crate::context::Context;
use crate::exit::Outcome;

/// Runs the command that was asked for.
pub(crate) fn run(cli: Cli) -> Outcome {
    let Cli { common, command } = cli;
    let plain = |run: fn(&Context) -> Outcome| run(&Context::new(&common, &[])?);
    match command {
        Command::Demo(_) | Command::Settings(_) | Command::Doctor => unimplemented(&common),
        Command::Serve(flags) => {
            let context = Context::new(&common, &serve::overrides(&flags))?;
            serve::run(&context)
        }
        Command::Import(which) => import::run(&Context::new(&common, &[])?, &which),
        Command::Export(which) => export::run(&Context::new(&common, &[])?, &which),
        Command::Validate(which) => validate::run(&Context::new(&common, &[])?, &which),
        Command::Project(which) => project::run(&Context::new(&common, &[])?, &which),
        Command::Aggregate(flags) => aggregate::run(&Context::new(&common, &[])?, &flags),
        Command::Audit(flags) => audit::run(&Context::new(&common, &[])?, &flags),
        Command::Jobs(which) => jobs::run(&Context::new(&common, &[])?, &which),
        Command::Cache(which) => caches::run(&Context::new(&common, &[])?, &which),
        Command::Deletions(which) => deletions::run(&Context::new(&common, &[])?, &which),
        Command::Memory(which) => memory::run(&Context::new(&common, &[])?, &which),
        Command::Database(which) => database::run(&Context::new(&common, &[])?, &which),
    }
}
