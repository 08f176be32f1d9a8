//! `cargo xtask check-alone`: each crate by itself, since a build of the workspace hides a missing feature.

use anyhow::{Context, Result};

use crate::{run, workspace};

/// Checks every library crate with no, the default and all features; answers whether all build.
pub(crate) fn run() -> Result<bool> {
    let metadata = workspace::metadata()?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata lists no packages")?;
    let mut names: Vec<_> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    names.retain(|name| name.starts_with("rsr-") && *name != "rsr-tests");
    names.sort_unstable();
    let mut failed = Vec::new();
    for name in names {
        for features in [&["--no-default-features"][..], &[], &["--all-features"]] {
            let mut check = run::cargo(&["check", "--locked", "--quiet", "--package", name]);
            check.args(features);
            if !run::passes(check)? {
                failed.push(format!("{name} {}", features.join(" ")));
            }
        }
    }
    for line in &failed {
        println!("does not build alone: {line}");
    }
    println!("check-alone: {} failed", failed.len());
    Ok(failed.is_empty())
}
