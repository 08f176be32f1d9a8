//! `cargo xtask ci`: what a change must pass, the quick checks first.

use std::process::Command;

use anyhow::Result;

use crate::{run, test};

/// For each target: enough to see that they run and that what was found before stays away.
const FUZZ_SECONDS: u32 = 5;

/// Runs all; answers whether all passed. The last line printed is the count of tests.
pub(crate) fn run(fast: bool) -> Result<bool> {
    let mut failed = Vec::new();
    let mut step = |name: &'static str, passed: bool| {
        if !passed {
            failed.push(name);
        }
    };
    step(
        "fmt",
        run::passes(run::cargo(&["fmt", "--all", "--check"]))?,
    );
    step("lint-layers", crate::lint_layers()?);
    step("tidy", crate::tidy()?);
    step("changelog", crate::release::check()?);
    step(
        "clippy",
        run::passes(run::cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--release",
            "--locked",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ]))?,
    );
    if !fast {
        step("doc", run::passes(doc())?);
        step("deny", deny()?);
        step("public-api", crate::public_api::run(true)?);
    }
    let (tests_passed, counts) = test::run_counted(None)?;
    step("test", tests_passed);
    if !fast {
        // Last, since what it finds is a file that stands in its output alone: there it is seen.
        step("fuzz", crate::fuzz::run("all", FUZZ_SECONDS)?);
    }
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
    }
    println!("{} passed, {} failed", counts.passed, counts.failed);
    Ok(failed.is_empty())
}

fn doc() -> Command {
    // In the profile of everything else, so that C libraries are compiled once.
    let mut doc = run::cargo(&[
        "doc",
        "--workspace",
        "--no-deps",
        "--release",
        "--locked",
        "--quiet",
    ]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    doc
}

/// Licences, bans and sources, where cargo-deny is installed; says plainly where it is not.
fn deny() -> Result<bool> {
    if !run::is_installed("cargo-deny") {
        eprintln!(
            "deny: did not run, cargo-deny is not installed (cargo install cargo-deny --locked)"
        );
        return Ok(true);
    }
    run::passes(run::cargo(&[
        "deny",
        "--all-features",
        "check",
        "bans",
        "licenses",
        "sources",
    ]))
}
