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

#[cfg(test)]
mod tests {
    use rsr_base::system_clock;
    use rsr_monitoring::Scope;
    use rsr_settings::Settings;
    use rsr_store::{NewProject, Store};

    /// SQLite is written in C: what it caches has to come from the same heap, or neither pressure nor a purge knows of it.
    #[test]
    fn what_sqlite_caches_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::default().database;
        settings.url = format!("sqlite://{}", folder.path().join("rsr.db").display())
            .parse()
            .unwrap();
        let store = Store::open(&settings, system_clock()).unwrap();
        // Counts this thread alone: the other tests of this program allocate beside it.
        let scope = Scope::new();
        let made = scope.run(|| {
            store.write(|tx| {
                for _nth in 0..4_000 {
                    tx.create_project(&NewProject {
                        title: "Wells".to_owned(),
                        subtitle: "Water for all. ".repeat(60),
                        ..NewProject::default()
                    })?;
                }
                Ok::<_, rsr_store::Error>(())
            })
        });
        made.unwrap();
        let grown = scope.usage().retained().unwrap();
        assert!(
            grown > 2 << 20,
            "{grown}: of 4 MB written, the writer keeps most"
        );
        scope.run(|| store.release_memory());
        let left = scope.usage().retained().unwrap();
        assert!(
            left < grown / 2,
            "{left} of {grown} are left after it was asked back"
        );
    }
}
