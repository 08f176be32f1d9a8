//! `cargo xtask chaos`: programs killed at random moments, many times.
//!
//! Each part is a module of `tests/it/chaos`, with a test a database. There a few rounds run with every test run; here as
//! many as asked for.

use anyhow::{Result, ensure};

use crate::run;

/// What can be killed: modules of `tests/it/chaos`.
const PARTS: [&str; 2] = ["worker", "machines"];

/// Runs the rounds of one part, or of all; answers whether nothing was lost.
pub(crate) fn run(rounds: u32, only: Option<&str>) -> Result<bool> {
    let parts: Vec<&str> = match only {
        None => PARTS.to_vec(),
        Some(part) => {
            let known = PARTS.join(", ");
            ensure!(PARTS.contains(&part), "--only {part}: known are {known}");
            vec![part]
        }
    };
    let build = run::cargo(&["build", "--locked", "--release", "--package", "rsr"]);
    if !run::passes(build)? {
        return Ok(false);
    }
    let mut is_good = true;
    for part in parts {
        let mut test = run::cargo(&["test", "--locked", "--release", "--package", "rsr-tests"]);
        let filter = format!("chaos::{part}::");
        test.args(["--test", "it", &filter, "--", "--nocapture"]);
        test.env("RSR_CHAOS_ROUNDS", rounds.to_string());
        is_good &= run::passes(test)?;
    }
    Ok(is_good)
}
