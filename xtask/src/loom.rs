//! `cargo xtask loom`: every interleaving of the small concurrent models.

use anyhow::Result;

use crate::{proof, run, workspace};

/// Crates with models. `cfg(rsr_loom)` is our own: a bare `loom` reaches dependencies, which then change too.
const CRATES: [&str; 2] = ["rsr-cache", "rsr-deletion"];

/// Runs the models in a target folder of their own; answers whether all hold.
pub(crate) fn run() -> Result<bool> {
    let mut is_good = true;
    for name in CRATES {
        let mut test = run::cargo(&["test", "--locked", "--release", "--quiet", "--lib"]);
        test.args(["--package", name, "loom"]);
        test.env("RUSTFLAGS", "--cfg rsr_loom");
        test.env("CARGO_TARGET_DIR", workspace::root().join("target/loom"));
        is_good &= run::passes(test)?;
    }
    proof::keep(
        "loom",
        proof::Record {
            promise: "cache removals, the read-mostly store and the tracker's guards hold in every order of their threads' steps".to_owned(),
            command: "cargo xtask loom".to_owned(),
            tried: format!("every interleaving of the models of {}", CRATES.join(" and ")),
            held: is_good,
            made: String::new(),
        },
    )?;
    Ok(is_good)
}
