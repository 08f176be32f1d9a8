//! `cargo xtask public-api`: every public item of each library crate, kept in files, so that a review sees what changes
//! for those who use the crate.
//!
//! The items are read from rustdoc's JSON. It is not stable, so only rustdoc is told to write it: Cargo and the compiler
//! keep what they have built. The program that reads it stands outside the workspace (`xtask/public-api`), since the
//! features it asks of serde_json would be those of `rsr` otherwise.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{run, workspace};

/// Where the lists are, a file a crate.
pub(crate) const FOLDER: &str = "docs/reference/public-api";

/// Writes the lists, or with `check` only compares; answers whether all were up to date or are now.
pub(crate) fn run(check: bool) -> Result<bool> {
    let crates = workspace::libraries()?;
    let made = document(&crates)?;
    let reader = reader()?;
    let folder = workspace::root().join(FOLDER);
    fs::create_dir_all(&folder)?;
    let mut is_current = true;
    for name in &crates {
        let json = made.join(format!("{}.json", name.replace('-', "_")));
        let mut read = Command::new(&reader);
        read.arg(json);
        let items = run::output(read)?;
        let path = folder.join(format!("{name}.txt"));
        let known = fs::read_to_string(&path).unwrap_or_default();
        if known == items {
            continue;
        }
        if check {
            println!(
                "{FOLDER}/{name}.txt is out of date: run `cargo xtask public-api`, and look at what changed"
            );
            print!("{}", difference(&known, &items));
            is_current = false;
        } else {
            fs::write(&path, &items).with_context(|| path.display().to_string())?;
            println!("wrote {FOLDER}/{name}.txt: {} items", items.lines().count());
        }
    }
    Ok(is_current)
}

/// Has rustdoc describe the crates with all of their features; the folder of what it wrote.
fn document(crates: &[String]) -> Result<PathBuf> {
    let target = workspace::root().join("target");
    let rustdoc = rustdoc_that_writes_json(&target)?;
    let mut doc = run::cargo(&[
        "doc",
        "--release",
        "--locked",
        "--quiet",
        "--no-deps",
        "--lib",
        "--all-features",
    ]);
    for name in crates {
        doc.args(["--package", name]);
    }
    doc.env("RUSTDOC", rustdoc);
    doc.env(
        "RUSTDOCFLAGS",
        "-Z unstable-options --output-format json --cap-lints allow",
    );
    ensure!(run::passes(doc)?, "rustdoc does not describe the crates");
    Ok(target.join("doc"))
}

/// A program that is rustdoc, except that it may use what is not stable. The variable that allows it would, given to
/// Cargo, have every build script run again.
fn rustdoc_that_writes_json(target: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;

    let path = target.join("rustdoc-json");
    fs::write(&path, "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// Builds the program that reads the JSON; where it is.
fn reader() -> Result<PathBuf> {
    let root = workspace::root();
    let target = root.join("target/public-api");
    let manifest = root.join("xtask/public-api/Cargo.toml");
    let mut build = run::cargo(&["build", "--locked", "--quiet", "--manifest-path"]);
    build.arg(manifest).env("CARGO_TARGET_DIR", &target);
    ensure!(
        run::passes(build)?,
        "the reader of rustdoc's JSON does not build"
    );
    Ok(target.join("debug/public-api-of"))
}

/// The lines that are in one alone, with a sign before each.
fn difference(known: &str, now: &str) -> String {
    let only = |sign: char, these: &str, others: &str| -> String {
        let others: std::collections::BTreeSet<_> = others.lines().collect();
        let lines = these.lines().filter(|line| !others.contains(line));
        lines.map(|line| format!("  {sign} {line}\n")).collect()
    };
    only('-', known, now) + &only('+', now, known)
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn what_changed_is_shown() {
        let (known, now) = (
            "pub fn a::b()\npub fn a::c()\n",
            "pub fn a::b()\npub fn a::d()\n",
        );
        assert_eq!(difference(known, known), "");
        assert_eq!(
            difference(known, now),
            "  - pub fn a::c()\n  + pub fn a::d()\n"
        );
    }
}
