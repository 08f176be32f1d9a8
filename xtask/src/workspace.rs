//! The workspace that the program stands in.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run;

/// The workspace's folder: the program is built in a member of it.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// The folder of IATI test data: the one that is named in the environment, or `shared/iati` beside or above.
pub(crate) fn iati_data() -> Option<PathBuf> {
    let named = std::env::var_os("RSR_IATI_DATA").map(PathBuf::from);
    let root = root();
    let beside = root.ancestors().map(|above| above.join("shared/iati"));
    named
        .into_iter()
        .chain(beside)
        .find(|folder| folder.is_dir())
}

/// What Cargo knows of the members, without asking a network.
pub(crate) fn metadata() -> Result<Value> {
    let text = run::output(run::cargo(&[
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--offline",
        "--locked",
    ]))?;
    serde_json::from_str(&text).context("cargo metadata printed something else than JSON")
}

/// The library crates that others may use, by name.
pub(crate) fn libraries() -> Result<Vec<String>> {
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array();
    let packages = packages.context("cargo metadata lists no packages")?;
    let mut names: Vec<_> = packages
        .iter()
        // `publish = false` is an empty list here.
        .filter(|package| !package["publish"].as_array().is_some_and(Vec::is_empty))
        .filter_map(|package| package["name"].as_str().map(str::to_owned))
        .collect();
    names.sort_unstable();
    Ok(names)
}

/// The files under version control, and new ones that are not ignored, as text.
pub(crate) fn files() -> Result<xtask::tidy::Files> {
    let mut git = std::process::Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root());
    let listed = run::output(git)?;
    let mut files = xtask::tidy::Files::new();
    for path in listed.lines() {
        // A file that is no text, or was removed a moment ago, breaks no rule.
        if let Ok(text) = std::fs::read_to_string(root().join(path)) {
            files.insert(path.to_owned(), text);
        }
    }
    Ok(files)
}
