//! House rules that no compiler checks: module docs, inherited manifests, no file that nobody reaches.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[cfg(test)]
mod tests;

/// The files of a workspace that the rules look at: path from the root, with its text.
pub type Files = BTreeMap<String, String>;

/// What breaks a rule, as `path: what is wrong`. Sorted by path.
#[must_use]
pub fn check(files: &Files) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files {
        if path.ends_with(".rs") {
            source(path, text, files, &mut found);
        }
        if path.ends_with("/Cargo.toml") {
            manifest(path, text, &mut found);
        }
    }
    fixtures(files, &mut found);
    found.sort();
    found
}

fn source(path: &str, text: &str, files: &Files, found: &mut Vec<String>) {
    let is_tests = path.ends_with("/tests.rs");
    if !is_tests && !text.lines().any(|line| line.starts_with("//!")) {
        found.push(format!("{path}: has no module doc (`//! …`)"));
    }
    // The marker is put together so that this file does not find itself.
    for marker in [concat!("TO", "DO"), concat!("FIX", "ME")] {
        for (number, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.contains(marker))
        {
            if !line.contains('#') {
                found.push(format!(
                    "{path}:{}: {marker} without an issue (#…)",
                    number + 1
                ));
            }
        }
    }
    if !is_root(path) && !is_declared(path, files) {
        found.push(format!("{path}: no module declares it"));
    }
}

/// Files that Cargo itself finds.
fn is_root(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let folder = Path::new(path)
        .parent()
        .and_then(Path::file_name)
        .and_then(|name| name.to_str());
    matches!(name, "lib.rs" | "main.rs" | "build.rs")
        || matches!(
            folder,
            Some("benches" | "examples" | "fuzz_targets" | "tests" | "bin")
        )
        || path.contains("/compile_fail/")
}

fn is_declared(path: &str, files: &Files) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else {
        return true;
    };
    let (module, above) = match name {
        "mod.rs" => match folder.rsplit_once('/') {
            Some((above, module)) => (module, above),
            None => return true,
        },
        _ => (name.trim_end_matches(".rs"), folder),
    };
    // A module that several others take in, from the folder above theirs.
    let taken_in = format!("#[path = \"../{name}\"]");
    let is_taken_in = files.iter().any(|(path, text)| {
        let folder = path.strip_suffix("/mod.rs");
        folder
            .and_then(|folder| folder.rsplit_once('/'))
            .is_some_and(|(of, _)| of == above)
            && text.contains(&taken_in)
    });
    if is_taken_in {
        return true;
    }
    let parents = ["lib.rs", "main.rs", "mod.rs"].map(|parent| format!("{above}/{parent}"));
    parents
        .iter()
        .chain([&format!("{above}.rs")])
        .filter_map(|parent| files.get(parent))
        .any(|text| {
            text.lines().any(|line| {
                let line = line.trim_start();
                let line = line
                    .strip_prefix("pub(crate) ")
                    .or(line.strip_prefix("pub "))
                    .unwrap_or(line);
                line.strip_prefix("mod ").is_some_and(|rest| {
                    rest.strip_prefix(module)
                        .is_some_and(|end| end.starts_with(';') || end.starts_with(" {"))
                })
            })
        })
}

fn manifest(path: &str, text: &str, found: &mut Vec<String>) {
    // One that is a workspace of its own has nothing to inherit from.
    if path != "Cargo.toml" && text.lines().any(|line| line == "[workspace]") {
        return;
    }
    for needed in [
        "version.workspace = true",
        "edition.workspace = true",
        "[lints]\nworkspace = true",
    ] {
        if !text.contains(needed) {
            found.push(format!("{path}: lacks `{}`", needed.replace('\n', " / ")));
        }
    }
}

/// Each folder of fixtures says who made them and how, by itself or in the README of all of them.
fn fixtures(files: &Files, found: &mut Vec<String>) {
    let folders: BTreeSet<&str> = files
        .keys()
        .filter_map(|path| {
            let (before, inside) = path.split_once("/fixtures/")?;
            let topic = inside.split_once('/')?.0;
            Some(
                path.get(..before.len() + "/fixtures/".len() + topic.len())
                    .unwrap_or(path),
            )
        })
        .collect();
    for folder in folders {
        let above = folder.rsplit_once('/').map_or("", |(above, _)| above);
        if !files.contains_key(&format!("{folder}/README.md"))
            && !files.contains_key(&format!("{above}/README.md"))
        {
            found.push(format!("{folder}: has no README.md"));
        }
    }
}
