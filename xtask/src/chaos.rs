//! `cargo xtask chaos`: programs killed at random moments, and other things that befall them, many times.
//!
//! Each part is a module of `tests/it/chaos`, with a test a database. `RSR_CHAOS_SEED` repeats the moments of a run. There a few rounds run with every test run; here as
//! many as asked for.

use anyhow::{Result, ensure};

use crate::{proof, run};

/// What can befall, and the module of `tests/it/chaos` that tells of it.
const PARTS: [(&str, &str); 10] = [
    ("worker", "worker"),
    ("machines", "machines"),
    ("import", "files::import"),
    ("export", "files::export"),
    ("delete", "branches::delete"),
    ("move", "branches::moves"),
    ("migration", "migration"),
    ("disk", "disk"),
    ("sockets", "sockets"),
    ("clock", "clock"),
];

/// Fewer are what every test run has.
const ROUNDS_OF_A_RECORD: u32 = 8;

/// Runs the rounds of one part, or of all; answers whether nothing was lost.
pub(crate) fn run(rounds: u32, only: Option<&str>) -> Result<bool> {
    let is_asked = |(name, _): &&(&str, &str)| only.is_none_or(|only| only == *name);
    let parts: Vec<_> = PARTS.iter().filter(is_asked).collect();
    let known = PARTS.map(|(name, _)| name).join(", ");
    let only = only.unwrap_or_default();
    ensure!(!parts.is_empty(), "--only {only}: known are {known}");
    run::build_rsr()?;
    let mut is_good = true;
    for (_, module) in parts {
        let mut test = run::stories(&format!("chaos::{module}::"));
        test.env("RSR_CHAOS_ROUNDS", rounds.to_string());
        is_good &= run::passes(test)?;
    }
    let (name, command, tried) = if only.is_empty() {
        ("chaos".to_owned(), String::new(), known)
    } else {
        (
            format!("chaos-{only}"),
            format!(" --only {only}"),
            only.to_owned(),
        )
    };
    if rounds >= ROUNDS_OF_A_RECORD {
        proof::keep(
            &name,
            proof::Record {
                promise: "whatever befalls the program, what was acknowledged is there once, nothing is half-written, and the \
                          same command goes on where it was cut off"
                    .to_owned(),
                command: format!("cargo xtask chaos --rounds {rounds}{command}"),
                tried: format!("{rounds} rounds each, with the databases each has: {tried}"),
                held: is_good,
                made: String::new(),
            },
        )?;
    }
    Ok(is_good)
}
