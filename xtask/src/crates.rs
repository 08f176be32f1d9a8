//! `cargo xtask crates`: what each library crate costs those who depend on it, as `docs/reference/crates.md`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use xtask::timings::{self, Timings};

use crate::{bench, run, workspace};

const PAGE: &str = "docs/reference/crates.md";

/// A row of the table.
struct Row {
    name: String,
    description: String,
    n_least: usize,
    n_default: usize,
    n_all: usize,
    own: f64,
    whole: f64,
}

/// Builds everything once from nothing, in a folder of its own, and writes the page.
pub(crate) fn run() -> Result<bool> {
    let names = workspace::libraries()?;
    let (timings, seconds) = build(&names)?;
    let metadata = workspace::metadata()?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let mut rows = Vec::new();
    for name in names {
        let package = packages.iter().find(|package| package["name"] == *name);
        let description = package.and_then(|package| package["description"].as_str());
        let needed = dependencies(&name, "normal,build", &[])?;
        rows.push(Row {
            description: description.unwrap_or_default().to_owned(),
            n_least: dependencies(&name, "normal", &["--no-default-features"])?.len() - 1,
            n_default: dependencies(&name, "normal", &[])?.len() - 1,
            n_all: dependencies(&name, "normal", &["--all-features"])?.len() - 1,
            own: timings.of(&name),
            whole: needed
                .iter()
                .map(|package| timings.of_version(package))
                .sum(),
            name,
        });
    }
    let page = page(&rows, seconds)?;
    fs::write(workspace::root().join(PAGE), &page)?;
    print!("{page}");
    Ok(true)
}

/// The seconds of each package, and of all side by side.
fn build(names: &[String]) -> Result<(Timings, f64)> {
    let target = workspace::root().join("target/crates");
    if target.exists() {
        fs::remove_dir_all(&target).context("cannot empty target/crates")?;
    }
    let mut build = run::cargo(&["build", "--locked", "--quiet", "--lib", "--timings"]);
    for name in names {
        build.args(["--package", name]);
    }
    // What is compiled anew each time is what a newcomer waits for.
    build
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_INCREMENTAL", "0");
    let started = Instant::now();
    ensure!(run::passes(build)?, "the crates do not build");
    let seconds = started.elapsed().as_secs_f64();
    let report = target.join("cargo-timings/cargo-timing.html");
    let text = fs::read_to_string(&report).with_context(|| report.display().to_string())?;
    let timings = timings::read(&text)?;
    fs::remove_dir_all(&target)?;
    Ok((timings, seconds))
}

/// The crate itself and all that it needs, as `name version`.
fn dependencies(name: &str, edges: &str, features: &[&str]) -> Result<BTreeSet<String>> {
    let mut tree = run::cargo(&[
        "tree",
        "--locked",
        "--offline",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    tree.args(["--package", name, "--edges", edges])
        .args(features);
    Ok(timings::packages(&run::output(tree)?))
}

fn page(rows: &[Row], seconds: f64) -> Result<String> {
    let mut page = format!(
        "# What each crate costs\n\nMade by `cargo xtask crates` {}; not changed by hand.\n\n\
         Dependencies are all crates that are compiled with it, ours included: without its default features, with them, with \
         all features. Seconds are those of the compiler in the development profile, from nothing, while others compile \
         beside it: the crate itself, and everything that it needs with its default features, one after the other. All crates \
         of the table together took {seconds:.0} seconds. Where a dependency brings C code (SQLite, jemalloc), its \
         compilation is counted too.\n\n\
         | crate | for | least | default | all | own seconds | seconds with all it needs |\n|---|---|---:|---:|---:|---:|---:|\n",
        bench::made()?
    );
    for row in rows {
        writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {:.1} | {:.1} |",
            row.name, row.description, row.n_least, row.n_default, row.n_all, row.own, row.whole
        )?;
    }
    Ok(page)
}
