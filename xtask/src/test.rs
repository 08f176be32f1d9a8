//! `cargo xtask test`: the tools that tests need, then every test, then one summary.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use xtask::summary::Counts;
use xtask::tools::{Plan, Tool, plan};

use crate::{run, workspace};

/// Features that nothing in the workspace turns on. Their tests bear their name.
const UNUSED_FEATURES: [(&str, &str); 1] = [("rsr-aggregation", "parallel")];

/// Runs every test and prints the summary; answers whether all passed.
pub(crate) fn run(filter: Option<&str>) -> Result<bool> {
    let (is_good, counts) = run_counted(filter)?;
    println!("{} passed, {} failed", counts.passed, counts.failed);
    Ok(is_good)
}

/// Runs every test; prints all of the summary but its last line, the counts.
pub(crate) fn run_counted(filter: Option<&str>) -> Result<(bool, Counts)> {
    let tools_missing = prepare()?;
    fetch_axe()?;
    fetch_schemathesis()?;
    let report = workspace::root().join("target").join("left-out.txt");
    if report.exists() {
        std::fs::remove_file(&report).context("cannot remove the report of the last run")?;
    }
    let mut counts = Counts::default();
    // Without a choice of targets Cargo also builds the program that tests run, the examples, and the doc tests.
    let mut cargo = run::cargo(&[
        "test",
        "--workspace",
        "--release",
        "--locked",
        "--no-fail-fast",
    ]);
    cargo.args(filter).env("RSR_TEST_LEFT_OUT", &report);
    let mut is_good = stream(cargo, &mut counts)?;
    if filter.is_none() {
        for (package, feature) in UNUSED_FEATURES {
            let mut cargo = run::cargo(&["test", "--release", "--locked", "--package", package]);
            cargo.args(["--features", feature, "--test", "api", "--", feature]);
            is_good &= stream(cargo, &mut counts)?;
        }
    }
    println!();
    if let Some(line) = tools_missing {
        println!("{line}");
    }
    for line in left_out(&report)? {
        println!("left out: {line}");
    }
    Ok((is_good && counts.failed == 0, counts))
}

/// Whether a tool is on this machine.
fn is_there(tool: &Tool) -> bool {
    let versions = tool
        .versions
        .and_then(|folder| std::fs::read_dir(folder).ok());
    run::is_installed(tool.program)
        || versions
            .into_iter()
            .flatten()
            .flatten()
            .any(|version| version.path().join("bin").join(tool.program).is_file())
}

/// Installs missing tools where it can; a line to show again at the end where it cannot.
fn prepare() -> Result<Option<String>> {
    let is_root = run::output({
        let mut id = Command::new("id");
        id.arg("-u");
        id
    })
    .is_ok_and(|id| id.trim() == "0");
    match plan(is_there, is_root, run::is_installed("apt-get")) {
        Plan::Ready => Ok(None),
        Plan::Ask(line) => {
            eprintln!("{line}");
            Ok(Some(line))
        }
        Plan::Install(packages) => {
            let apt = |arguments: &[&str]| {
                let mut apt = Command::new("apt-get");
                apt.args(arguments)
                    .env("DEBIAN_FRONTEND", "noninteractive")
                    .stdout(Stdio::null());
                apt
            };
            // An old list may still do, so a failing update is not the end.
            if !run::passes(apt(&["update", "-qq"]))? {
                eprintln!(
                    "the list of packages could not be renewed; going on with the one there is"
                );
            }
            let mut install = apt(&["install", "-y", "-qq", "--no-install-recommends"]);
            install.args(&packages);
            ensure!(
                run::passes(install)?,
                "cannot install {}: install it by hand",
                packages.join(", ")
            );
            Ok(None)
        }
    }
}

/// The rules that the dashboard is judged by, from npm where there is one. Without it the test says what it left out.
fn fetch_axe() -> Result<()> {
    const PACKAGE: &str = "axe-core@4.14.1";
    let folder = workspace::root().join("target/tools/axe-core");
    if folder.join("axe.min.js").is_file() || !run::is_installed("npm") {
        return Ok(());
    }
    std::fs::create_dir_all(&folder).context("cannot make a folder for axe-core")?;
    let mut pack = Command::new("npm");
    pack.args(["pack", PACKAGE, "--silent", "--pack-destination", "."])
        .current_dir(&folder)
        .stdout(Stdio::null());
    let mut unpack = Command::new("tar");
    unpack
        .args([
            "-xzf",
            "axe-core-4.14.1.tgz",
            "--strip-components=1",
            "package/axe.min.js",
        ])
        .current_dir(&folder);
    if !(run::passes(pack)? && run::passes(unpack)?) {
        eprintln!("{PACKAGE} could not be fetched: the dashboard's contrast is not judged");
    }
    Ok(())
}

/// The program that reads the API's own description and asks what nobody thought of, from PyPI where there is Python.
/// Without it the test says what it left out.
fn fetch_schemathesis() -> Result<()> {
    const PACKAGE: &str = "schemathesis==4.32.5";
    let folder = workspace::root().join("target/tools/schemathesis");
    if folder.join("bin/schemathesis").is_file() || !run::is_installed("python3") {
        return Ok(());
    }
    let mut surroundings = Command::new("python3");
    surroundings.args(["-m", "venv"]).arg(&folder);
    let mut install = Command::new(folder.join("bin/python"));
    install.args(["-m", "pip", "install", "--quiet", PACKAGE]);
    if !(run::passes(surroundings)? && run::passes(install)?) {
        eprintln!("{PACKAGE} could not be fetched: the API is not held against its description");
    }
    Ok(())
}

/// Passes a test run's output on, and counts.
fn stream(mut cargo: Command, counts: &mut Counts) -> Result<bool> {
    let mut child = cargo
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let output = child
        .stdout
        .take()
        .context("the output was asked for as a pipe")?;
    let mut terminal = std::io::stdout().lock();
    for line in BufReader::new(output).lines() {
        let line = line.context("cannot read what the tests print")?;
        counts.add_line(&line);
        writeln!(terminal, "{line}")?;
    }
    Ok(child.wait()?.success())
}

/// What tests said they could not check, each once.
fn left_out(report: &std::path::Path) -> Result<Vec<String>> {
    if !report.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(report).context("cannot read what the tests left out")?;
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines.dedup();
    Ok(lines)
}
