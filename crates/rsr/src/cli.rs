//! The commands and flags, one definition for parsing and for `--help`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args, Parser, Subcommand};

use crate::arguments;
use crate::commands::findings::Findings;
use crate::commands::iati::Iati;
use crate::commands::memory::Memory;
use crate::commands::tokens::Tokens;
use crate::commands::users::Users;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::usage;

/// Very large hierarchies of aid projects in bounded memory: serve them, roll them up, publish them as IATI.
#[derive(Debug, Parser)]
#[command(
    name = "rsr",
    version,
    propagate_version = true,
    after_help = "Example: rsr demo\n\nExit codes: 0 done, 1 the check found problems, 2 wrong usage or settings, \
                  3 service or database not reached, 4 the work failed part-way"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// A settings file (TOML), instead of rsr.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// production, development, low-memory, high-memory or test
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The database: sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// How results are printed
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Short for --format json
    #[arg(long, global = true, conflicts_with = "format")]
    json: bool,
    /// Only errors and results
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// More of what happens, and the causes of an error; -vv for all
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl Common {
    /// The format asked for, text where none is.
    pub(crate) fn format(&self) -> Format {
        if self.json {
            Format::Json
        } else {
            self.format.unwrap_or(Format::Text)
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a sample portfolio, rolls it up, exports it as IATI and serves it
    #[command(after_help = "Example: rsr demo --projects 200 --once")]
    Demo(Demo),
    /// Runs the HTTP service with its aggregation workers
    #[command(after_help = "Example: rsr serve --listen 127.0.0.1:9000")]
    Serve(Serve),
    /// Runs aggregation workers alone, beside a service or on a second machine
    #[command(after_help = "Example: rsr worker --workers 4 --database postgres://rsr@db/rsr")]
    Worker(Worker),
    /// Reads IATI files into the database
    #[command(subcommand)]
    Import(Import),
    /// Writes IATI files from the database
    #[command(subcommand)]
    Export(Export),
    /// Checks IATI files
    #[command(subcommand)]
    Validate(Validate),
    /// Cuts, joins, sieves, upgrades and counts IATI files; needs no database
    #[command(subcommand)]
    Iati(Iati),
    /// Looks at the hierarchy
    #[command(subcommand)]
    Project(Project),
    /// Rolls results up the hierarchy
    #[command(after_help = "Example: rsr aggregate --all")]
    Aggregate(Aggregate),
    /// Compares stored values with a fresh computation
    #[command(after_help = "Example: rsr audit --project 7 --format tsv")]
    Audit(Audit),
    /// The aggregation queue
    #[command(subcommand)]
    Jobs(Jobs),
    /// People, and what they may do in which projects
    #[command(subcommand)]
    Users(Users),
    /// Tokens that programs show to act for a user
    #[command(subcommand)]
    Tokens(Tokens),
    /// The caches of the running service
    #[command(subcommand)]
    Cache(Cache),
    /// The deletion tracker of the running service
    #[command(subcommand)]
    Deletions(Deletions),
    /// The memory monitor of the running service
    #[command(subcommand)]
    Memory(Memory),
    /// What the running service's monitor has found wrong
    #[command(subcommand)]
    Findings(Findings),
    /// The database: its state, its schema, copies of it
    #[command(subcommand)]
    Database(Database),
    /// Every setting, its value and where that came from
    #[command(subcommand)]
    Settings(Settings),
    /// Checks limits, folders, socket and database, and says what to do
    #[command(after_help = "Example: rsr doctor --json")]
    Doctor,
    /// Grafana dashboards, Prometheus rules and what loads them
    #[command(subcommand)]
    Dashboards(Dashboards),
    /// Prints what a shell needs to complete commands and flags
    #[command(after_help = "Example: rsr completions bash > /etc/bash_completion.d/rsr")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Every command, route or metric on one page, as Markdown, or the commands as pages for man
    #[command(after_help = "Example: rsr manual --folder /usr/local/share/man/man1")]
    Manual(Manual),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Dashboards {
    /// Writes all of them into a folder; files of the same names are replaced
    #[command(after_help = "Example: rsr dashboards export monitoring")]
    Export {
        /// The folder; it is made where there is none
        folder: PathBuf,
    },
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Manual {
    /// Write a page for man for each command into this folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// Print every route of the HTTP API instead
    #[arg(long, conflicts_with_all = ["folder", "metrics"])]
    pub(crate) api: bool,
    /// Print every metric instead
    #[arg(long, conflicts_with = "folder")]
    pub(crate) metrics: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Demo {
    /// End after showing everything, instead of serving on
    #[arg(long)]
    pub(crate) once: bool,
    /// About how many projects to make
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    pub(crate) projects: u32,
    /// The same seed makes the same portfolio
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Address to serve on
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Leak memory in a named place, so that `rsr memory check-leaks` finds it within two minutes
    #[arg(long, conflicts_with = "once")]
    pub(crate) leak: bool,
    /// Let go of what was leaked after so long, so that the finding and its alert are resolved
    #[arg(long, value_name = "SECONDS", requires = "leak", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) leak_for: Option<u32>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Serve {
    /// Address to listen on
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Aggregation workers in this process; 0 leaves the work to others
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<u32>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Worker {
    /// How many workers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) workers: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Streams activity files of any version into the database; running it again changes nothing
    #[command(
        after_help = "Example: rsr import iati activities.xml more/ archive.xml.gz\n         \
                            curl -s URL | rsr import iati -"
    )]
    Iati(ImportIati),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ImportIati {
    /// Files, folders (every .xml and .xml.gz under them), or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Stop at the first broken activity
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Export {
    /// Streams IATI 2.03; to a file: written beside it, synced, then renamed into place
    #[command(after_help = "Example: rsr export iati --reporting-org XM-DAC-7 -o activities.xml")]
    Iati(ExportIati),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ExportIati {
    /// Only activities that this organisation reports
    #[arg(long, value_name = "REF")]
    pub(crate) reporting_org: Option<String>,
    /// Only this project
    #[arg(long, value_name = "ID")]
    pub(crate) project: Option<i64>,
    /// The file to write; without it, standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Compress with gzip
    #[arg(long)]
    pub(crate) gzip: bool,
    /// Write one file whatever its size, instead of numbered ones below the registry's limit
    #[arg(long)]
    pub(crate) no_split: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Validate {
    /// Schema order, codelists and rules, in one pass
    #[command(
        after_help = "Example: rsr validate iati activities.xml --json\n         rsr validate iati --explain 9.1.1"
    )]
    Iati(ValidateIati),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ValidateIati {
    /// Files, folders (every .xml and .xml.gz under them), or - for standard input
    #[arg(required_unless_present = "explain", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Only the schema, without codelists and rules
    #[arg(long)]
    pub(crate) schema_only: bool,
    /// Say what a finding's code means, and which rule it comes from
    #[arg(long, value_name = "CODE", conflicts_with = "paths")]
    pub(crate) explain: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Project {
    /// Prints the hierarchy below a project
    #[command(
        after_help = "Example: rsr project tree 7 --max-depth 3\n\nA project draws 50 of its children and says how many more it has; --json lists all. Behind each stand three of its\nindicators: the value of the latest period that has one, the target, and how much of it is reached."
    )]
    Tree {
        /// The project at the top
        id: i64,
        /// Levels to show below it
        #[arg(long, value_name = "N")]
        max_depth: Option<u32>,
    },
    /// Finds cycles, orphans, too-deep branches and wrong positions in the data
    #[command(after_help = "Example: rsr project check --json")]
    Check {
        /// Make the positions anew from the parent links first; the links themselves are never changed
        #[arg(long)]
        fix: bool,
    },
}

#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("which").required(true))]
pub(crate) struct Aggregate {
    /// The tree that this project belongs to
    #[arg(long, value_name = "ID", group = "which")]
    pub(crate) project: Option<i64>,
    /// Every project
    #[arg(long, group = "which")]
    pub(crate) all: bool,
    /// Make the disaggregations anew from what was reported
    #[arg(long)]
    pub(crate) rebuild: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Audit {
    /// This project and everything below it, instead of all
    #[arg(long, value_name = "ID")]
    pub(crate) project: Option<i64>,
    /// Queue the periods that differ for a new computation
    #[arg(long)]
    pub(crate) fix: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Jobs {
    /// The jobs, last changed first
    #[command(after_help = "Example: rsr jobs list --state failed")]
    List {
        /// scheduled, running, finished, failed or maxxed
        #[arg(long)]
        state: Option<String>,
        /// Only jobs under this root period
        #[arg(long, value_name = "PERIOD")]
        root_period: Option<i64>,
        /// Most jobs shown
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Queues a project and all below it to be computed anew
    #[command(
        after_help = "Example: rsr jobs recalculate 7 --quantitative\n\nWithout a flag: the periods with an approved update."
    )]
    Recalculate {
        /// The project
        project: i64,
        /// Only periods of quantitative indicators
        #[arg(long)]
        quantitative: bool,
        /// Every period; --quantitative has no effect then
        #[arg(long)]
        all: bool,
    },
    /// Asks again for a job that was given up
    #[command(after_help = "Example: rsr jobs retry 12")]
    Retry {
        /// The job
        id: i64,
    },
    /// Works off the queue until it is empty
    #[command(after_help = "Example: rsr jobs run")]
    Run,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct CacheChoice {
    /// One cache instead of all
    #[arg(long, value_name = "NAME")]
    pub(crate) cache_name: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    /// Entries, bytes, hits and misses of each cache
    #[command(after_help = "Example: rsr cache stats --json")]
    Stats(CacheChoice),
    /// Removes what is expired
    #[command(after_help = "Example: rsr cache cleanup --dry-run")]
    Cleanup {
        #[command(flatten)]
        choice: CacheChoice,
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
    },
    /// Removes everything
    #[command(after_help = "Example: rsr cache clear --cache-name project-summaries")]
    Clear {
        #[command(flatten)]
        choice: CacheChoice,
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
    },
    /// Judges how full and how useful the caches are; exit 1 where something is urgent
    #[command(after_help = "Example: rsr cache monitor")]
    Monitor(CacheChoice),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Deletions {
    /// Deletions under way, and how old they are
    #[command(after_help = "Example: rsr deletions stats")]
    Stats,
    /// Removes stale entries
    #[command(after_help = "Example: rsr deletions cleanup --dry-run")]
    Cleanup {
        /// Only list what would be removed
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Database {
    /// Brings the schema up to date
    #[command(after_help = "Example: rsr database migrate")]
    Migrate,
    /// Schema version, size and rows
    #[command(after_help = "Example: rsr database status --json")]
    Status,
    /// Checks that the file is sound; exit 1 where it is not
    #[command(after_help = "Example: rsr database check")]
    Check,
    /// Copies the database while it is in use
    #[command(after_help = "Example: rsr database backup rsr-2026-11-23.db")]
    Backup {
        /// The file to write; it must not exist
        file: PathBuf,
    },
    /// Puts a backup in the place of the database
    ///
    /// Stop the service first. A database that holds anything is left alone without --force; of PostgreSQL, make an empty
    /// one and name it.
    #[command(after_help = "Example: rsr database restore rsr-2026-11-23.db")]
    Restore {
        /// A file that `rsr database backup` wrote
        file: PathBuf,
        /// Replaces the SQLite file that is there
        #[arg(long)]
        force: bool,
    },
    /// Copies everything into an empty database of either kind
    ///
    /// A copy that was ended goes on where it was. In the end the rows of both are counted and compared. Nobody may write
    /// to FROM meanwhile. A password belongs into a file (database.passfile), since others see what a command was given.
    #[command(
        after_help = "Example: rsr database copy sqlite://rsr.db 'postgres://rsr@db.example.org/rsr?passfile=/etc/rsr/pgpass'"
    )]
    Copy {
        /// Address of the database to read
        from: String,
        /// Address of the database to fill
        to: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Settings {
    /// Every value and its source; secrets masked
    #[command(after_help = "Example: rsr settings show --profile low-memory")]
    Show,
    /// Reads all sources and says everything that is wrong with them
    #[command(after_help = "Example: rsr settings check --config /etc/rsr.toml")]
    Check,
    /// The page of all settings, as Markdown
    #[command(after_help = "Example: rsr settings reference > settings.md")]
    Reference,
}

/// Reads the command line; the exit code where there is nothing to run.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    let arguments = arguments::all();
    Cli::try_parse_from(&arguments).map_err(|error| {
        if error.use_stderr() {
            output::note(format_args!(
                "rsr: {}",
                usage::said_of(&error, arguments.into_iter().skip(1))
            ));
            return Exit::Usage.into();
        }
        // Nobody to read the help is nothing to report.
        drop(error.print());
        Exit::Done.into()
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn visit(command: &clap::Command, path: &str) {
            for sub in command.get_subcommands() {
                let name = format!("{path} {}", sub.get_name());
                if sub.has_subcommands() {
                    visit(sub, &name);
                } else {
                    let help = sub
                        .get_after_help()
                        .map(ToString::to_string)
                        .unwrap_or_default();
                    assert!(
                        help.contains(&format!("Example: {}", name.trim())),
                        "{name}: {help}"
                    );
                }
            }
        }
        visit(&Cli::command(), "rsr");
    }
}
