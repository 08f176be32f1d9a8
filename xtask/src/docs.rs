//! `cargo xtask docs`: the pages of `docs/reference/` that are made from the code.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{pictures, proof, run, workspace};

/// A generated page: its file, and the arguments with which `rsr` prints it.
const PAGES: [(&str, &[&str]); 4] = [
    ("api.md", &["manual", "--api"]),
    ("commands.md", &["manual"]),
    ("metrics.md", &["manual", "--metrics"]),
    ("settings.md", &["settings", "reference"]),
];

/// Writes the pages, or with `check` only compares; answers whether all were up to date or are now. Pictures are taken
/// where one is missing, or where they are asked for.
pub(crate) fn run(check: bool, anew: bool) -> Result<bool> {
    let program = run::build_rsr()?;
    let mut is_current = true;
    for (page, arguments) in PAGES {
        let mut rsr = Command::new(&program);
        rsr.args(arguments);
        let made = run::output(rsr)?;
        is_current &= written(page, &made, check)?;
    }
    is_current &= written("proof.md", &proof::page()?, check)?;
    let missing = pictures::missing();
    if check && !missing.is_empty() {
        println!(
            "docs/pictures lacks {}: run `cargo xtask docs`",
            missing.join(", ")
        );
        is_current = false;
    } else if anew || (!check && !missing.is_empty()) {
        pictures::take(&program)?;
    }
    Ok(is_current)
}

/// Writes a page where it differs.
pub(crate) fn write(page: &str, made: &str) -> Result<bool> {
    written(page, made, false)
}

/// Writes a page where it differs, or with `check` says so; answers whether it is as it should be now.
fn written(page: &str, made: &str, check: bool) -> Result<bool> {
    let path = workspace::root().join("docs/reference").join(page);
    if fs::read_to_string(&path).is_ok_and(|text| text == made) {
        return Ok(true);
    }
    if check {
        println!("docs/reference/{page} is out of date: run `cargo xtask docs`");
        return Ok(false);
    }
    fs::write(&path, made).with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote docs/reference/{page}");
    Ok(true)
}
