//! `cargo xtask`: builds, tests, checks, measurements and generated pages of the rsr workspace.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a maintainer's program: it prints, and reads its own files and environment"
)]

mod bench;
mod ceilings;
mod chaos;
mod check_alone;
mod ci;
mod crates;
mod docs;
mod fuzz;
mod loom;
mod pictures;
mod proof;
mod public_api;
mod release;
mod run;
mod soak;
mod test;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Maintenance commands of the rsr workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes sure of what the tests need, then runs every test
    Test {
        /// Passed on to each test binary, such as a part of a test's name
        filter: Option<String>,
    },
    /// Everything that gates a change, in order, with one summary
    Ci {
        /// Leave out documentation and the slower proofs
        #[arg(long)]
        fast: bool,
    },
    /// Compares rsr-iati with the standard's cases, xmllint and the official validator's test files
    Conformance {
        /// A line of JSON a suite
        #[arg(long)]
        json: bool,
        /// Broken copies of real files that are made and compared
        #[arg(long, default_value_t = 1_000)]
        mutants: usize,
        /// Another seed makes other mutants
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Generates the codelist tables of rsr-iati from the official validator's codelist_rules.json
    IatiCodelists {
        /// The file with the rules
        rules: std::path::PathBuf,
    },
    /// Generates the rules of rsr-iati from the standard's standard.json
    IatiRules {
        /// The file with the ruleset
        rules: std::path::PathBuf,
    },
    /// Generates the schema tables of rsr-iati from a folder with the IATI schemas
    IatiTables {
        /// The folder with one folder a version
        schemas: std::path::PathBuf,
    },
    /// Holds the layer table against the real dependencies
    LintLayers,
    /// House rules that no compiler checks
    Tidy,
    /// Each crate by itself: no features, the default ones, all
    CheckAlone,
    /// Regenerates `docs/reference/`
    Docs {
        /// Only compare, and fail where a page is out of date or a picture is missing
        #[arg(long)]
        check: bool,
        /// Take the pictures of the dashboard anew, too
        #[arg(long, conflicts_with = "check")]
        pictures: bool,
    },
    /// Every public item of each library crate, as `docs/reference/public-api/`
    PublicApi {
        /// Only compare, show what differs, and fail where something does
        #[arg(long)]
        check: bool,
    },
    /// Builds the library crates from nothing: `docs/reference/crates.md` says what each costs. About three minutes
    Crates,
    /// What people notice of a change: a fragment each, collected at a release
    Changelog {
        #[command(subcommand)]
        command: release::Changelog,
    },
    /// Packs every published crate and builds each from its package alone, the lowest layer first
    Release {
        /// Send nothing: the only form there is so far
        #[arg(long, required = true)]
        dry_run: bool,
    },
    /// Runs ours and its peers in one run and prints a table
    Bench {
        /// cache, hierarchy, aggregation, iati, leaks, service, machines or overhead
        name: String,
        /// End within a minute
        #[arg(long)]
        quick: bool,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        /// Repeats the series of an earlier run of leaks, which names its seed; each run takes a fresh one otherwise
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Throws bytes at whatever reads what others wrote, until something gives way
    Fuzz {
        /// read, round_trip, validate, cursor, query, settings or all
        target: String,
        /// Seconds for each target
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Kills the program at random moments, on both databases, and looks at what is left
    Chaos {
        /// How often each part is killed
        #[arg(long, default_value_t = 200)]
        rounds: u32,
        /// One part alone: worker, machines, import, export, delete, move, migration, disk, sockets or clock
        #[arg(long)]
        only: Option<String>,
    },
    /// The service under load, in less memory than it would like
    Soak {
        /// Minutes of each story
        #[arg(long, default_value_t = 2.0)]
        minutes: f64,
        /// One story alone: crowd, mixed
        #[arg(long)]
        only: Option<String>,
        /// One JSON object a story
        #[arg(long)]
        json: bool,
    },
    /// Writes the page of what was tried and found from the records of the last full runs
    Proof,
    /// Every interleaving of the concurrent models of rsr-cache and rsr-deletion
    Loom,
    /// Peak memory of the program as its input grows tenfold
    Ceilings {
        /// How often the real files are repeated in the larger input; 60 is about 1 GB
        #[arg(long, default_value_t = 60)]
        repetitions: usize,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Runs a command and prints the peak resident bytes of it
    #[command(hide = true)]
    MeasurePeak {
        /// The program and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

fn main() -> ExitCode {
    match dispatch(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Answers whether all is well.
fn dispatch(command: Command) -> Result<bool> {
    match command {
        Command::Test { filter } => test::run(filter.as_deref()),
        Command::Ci { fast } => ci::run(fast),
        Command::Conformance {
            json,
            mutants,
            seed,
        } => conformance(json, mutants, seed),
        Command::IatiCodelists { rules } => {
            let text = std::fs::read_to_string(rules)?;
            written(
                "crates/rsr-iati/src/codelists/generated.rs",
                &xtask::iati_codelists::generate(&text)?,
            )
        }
        Command::IatiRules { rules } => {
            let text = std::fs::read_to_string(rules)?;
            written(
                "crates/rsr-iati/src/rules/standard.rs",
                &xtask::iati_rules::generate(&text)?,
            )
        }
        Command::IatiTables { schemas } => iati_tables(&schemas),
        Command::LintLayers => lint_layers(),
        Command::Tidy => tidy(),
        Command::Changelog { command } => release::changelog(&command),
        Command::Release { dry_run: _ } => release::dry_run(),
        Command::CheckAlone => check_alone::run(),
        Command::Docs { check, pictures } => docs::run(check, pictures),
        Command::PublicApi { check } => public_api::run(check),
        Command::Crates => crates::run(),
        Command::Bench {
            name,
            quick,
            json,
            seed,
        } => bench::run(&name, quick, json, seed),
        Command::Fuzz { target, seconds } => fuzz::run(&target, seconds),
        Command::Chaos { rounds, only } => chaos::run(rounds, only.as_deref()),
        Command::Soak {
            minutes,
            only,
            json,
        } => soak::run(minutes, only.as_deref(), json),
        Command::Proof => docs::write("proof.md", &proof::page()?),
        Command::Loom => loom::run(),
        Command::Ceilings { repetitions, json } => ceilings::run(repetitions, json),
        Command::MeasurePeak { command } => ceilings::measure_peak(&command),
    }
}

fn conformance(json: bool, mutants: usize, seed: u64) -> Result<bool> {
    use anyhow::Context as _;

    let root = workspace::root();
    let data = workspace::iati_data()
        .context("there is no IATI test data: name its folder in RSR_IATI_DATA")?;
    let suites = xtask::conformance::run(&data, &root, mutants, seed)?;
    let commit = std::process::Command::new("git")
        .args(["rev-parse", "--short", "HEAD"])
        .output()?;
    let made = format!(
        "at commit {}",
        String::from_utf8_lossy(&commit.stdout).trim()
    );
    let disagree: usize = suites.iter().map(|suite| suite.disagreements.len()).sum();
    let cases: usize = suites.iter().map(|suite| suite.n_cases).sum();
    proof::keep(
        "conformance",
        proof::Record {
            promise: "the IATI reader and validator agree with the standard's cases and with xmllint, file for file".to_owned(),
            command: "cargo xtask conformance".to_owned(),
            tried: format!(
                "{cases} cases in {} suites, {mutants} of them real files changed at random (seed {seed}); {disagree} \
                 disagreements, each explained on the page iati-conformance.md",
                suites.len()
            ),
            held: true,
            made: String::new(),
        },
    )?;
    let page = xtask::conformance::page(&suites, &made);
    std::fs::create_dir_all(root.join("docs/reference"))?;
    std::fs::write(root.join("docs/reference/iati-conformance.md"), &page)?;
    print!(
        "{}",
        if json {
            xtask::conformance::json(&suites)
        } else {
            page
        }
    );
    Ok(true)
}

fn iati_tables(schemas: &std::path::Path) -> Result<bool> {
    let text = xtask::iati_tables::generate(&xtask::iati_tables::read_folder(schemas)?)?;
    written("crates/rsr-iati/src/schema/generated.rs", &text)
}

fn written(target: &str, text: &str) -> Result<bool> {
    std::fs::write(workspace::root().join(target), text)?;
    println!("{target}: {} bytes", text.len());
    Ok(true)
}

fn lint_layers() -> Result<bool> {
    let (table, graph) = xtask::lint_layers::read(&workspace::metadata()?)?;
    let found = xtask::lint_layers::check(&table, &graph);
    for violation in &found {
        println!("{violation}");
    }
    println!(
        "lint-layers: {} members, {} violations",
        graph.members.len(),
        found.len()
    );
    Ok(found.is_empty())
}

fn tidy() -> Result<bool> {
    let files = workspace::files()?;
    let found = xtask::tidy::check(&files);
    for line in &found {
        println!("{line}");
    }
    println!("tidy: {} files, {} findings", files.len(), found.len());
    Ok(found.is_empty())
}
