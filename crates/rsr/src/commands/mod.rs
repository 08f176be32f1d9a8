//! The commands, a module each with a small `run`.

mod aggregate;
mod audit;
mod caches;
mod dashboards;
mod database;
mod deletions;
mod demo;
mod doctor;
mod export;
mod files;
pub(crate) mod findings;
pub(crate) mod iati;
mod import;
mod jobs;
mod manual;
pub(crate) mod memory;
mod project;
mod serve;
mod service;
mod settings;
mod side_by_side;
pub(crate) mod tokens;
pub(crate) mod users;
mod validate;
mod worker;

use crate::cli::{Cli, Command};
use crate::context::{self, Context};
use crate::exit::Outcome;

/// Runs the command that was asked for.
pub(crate) fn run(cli: Cli) -> Outcome {
    let Cli { common, command } = cli;
    match command {
        Command::Serve(flags) => {
            let overrides = serve::overrides(&flags);
            let inputs = context::inputs(&common, &overrides);
            serve::run(&Context::new(&common, &overrides)?, inputs)
        }
        Command::Worker(flags) => worker::run(&Context::new(&common, &worker::overrides(&flags))?),
        Command::Import(which) => import::run(&Context::new(&common, &[])?, &which),
        Command::Export(which) => export::run(&Context::new(&common, &[])?, &which),
        Command::Iati(which) => iati::run(&Context::new(&common, &[])?, &which),
        Command::Validate(which) => validate::run(&Context::new(&common, &[])?, &which),
        Command::Aggregate(flags) => aggregate::run(&Context::new(&common, &[])?, &flags),
        Command::Audit(flags) => audit::run(&Context::new(&common, &[])?, &flags),
        Command::Cache(which) => caches::run(&Context::new(&common, &[])?, &which),
        Command::Deletions(which) => deletions::run(&Context::new(&common, &[])?, &which),
        Command::Jobs(which) => jobs::run(&Context::new(&common, &[])?, &which),
        Command::Users(which) => users::run(&Context::new(&common, &[])?, &which),
        Command::Tokens(which) => tokens::run(&Context::new(&common, &[])?, &which),
        Command::Findings(which) => findings::run(&Context::new(&common, &[])?, &which),
        Command::Memory(which) => memory::run(&Context::new(&common, &[])?, &which),
        Command::Project(which) => project::run(&Context::new(&common, &[])?, &which),
        Command::Settings(which) => settings::run(&common, &which),
        Command::Demo(flags) => {
            demo::run(&Context::new(&common, &demo::overrides(&flags))?, &flags)
        }
        Command::Database(which) => database::run(&Context::new(&common, &[])?, &which),
        Command::Dashboards(which) => dashboards::run(&common, &which),
        Command::Completions { shell } => manual::completions(shell),
        Command::Manual(flags) => manual::run(&flags),
        Command::Doctor => doctor::run(&Context::new(&common, &[])?),
    }
}

/// Who runs this command, for the log: their user id.
fn operator() -> String {
    use std::os::unix::fs::MetadataExt as _;
    // A process's own folder under /proc belongs to the user it runs as; nothing safer asks without a library.
    match std::fs::metadata("/proc/self") {
        Ok(own) => format!("uid {}", own.uid()),
        Err(_no_proc) => "operator".to_owned(),
    }
}
