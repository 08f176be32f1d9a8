//! `cargo xtask check-alone`: each crate, and each of its features, by itself, since a build of the workspace hides a missing feature.

use anyhow::{Context, Result};

use crate::{run, workspace};

/// Checks every library crate with no, the default, each and all features; answers whether all build.
pub(crate) fn run() -> Result<bool> {
    let metadata = workspace::metadata()?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata lists no packages")?;
    let mut crates: Vec<_> = packages
        .iter()
        .filter_map(|package| Some((package["name"].as_str()?, &package["features"])))
        .collect();
    crates.retain(|(name, _)| name.starts_with("rsr-") && *name != "rsr-tests");
    crates.sort_unstable_by_key(|(name, _)| *name);
    let mut failed = Vec::new();
    for (name, features) in crates {
        let mut sets: Vec<Vec<&str>> = vec![
            vec!["--no-default-features"],
            vec![],
            vec!["--all-features"],
        ];
        // Where there are several, each must do without the others.
        let own = features.as_object().into_iter().flatten();
        let own: Vec<_> = own
            .map(|(feature, _)| feature.as_str())
            .filter(|feature| *feature != "default")
            .collect();
        if own.len() > 1 {
            sets.extend(
                own.iter()
                    .map(|own| vec!["--no-default-features", "--features", *own]),
            );
        }
        for features in sets {
            let mut check = run::cargo(&["check", "--locked", "--quiet", "--package", name]);
            check.args(&features);
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
