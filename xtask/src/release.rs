//! `cargo xtask changelog` and `cargo xtask release`: what goes to others, and that it stands without this folder.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use xtask::changelog::{self, Fragments};

use crate::{run, workspace};

const FOLDER: &str = "docs/changelog.d";
const PAGE: &str = "docs/CHANGELOG.md";

/// What to do with the fragments.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Changelog {
    /// Makes an empty fragment to fill
    New {
        /// Its name: words with - between them
        name: String,
    },
    /// Looks at every fragment
    Check,
    /// Moves all fragments into the changelog, under this version
    Collect {
        /// The version
        version: String,
    },
}

pub(crate) fn changelog(command: &Changelog) -> Result<bool> {
    let folder = workspace::root().join(FOLDER);
    match command {
        Changelog::New { name } => {
            ensure!(
                changelog::is_name(name),
                "{name:?} is no name: words of small letters and digits with - between them"
            );
            let path = folder.join(format!("{name}.md"));
            ensure!(!path.exists(), "{} is there already", path.display());
            fs::write(&path, "")?;
            println!("fill {FOLDER}/{name}.md: what people notice, and what they must do");
            Ok(true)
        }
        Changelog::Check => check(),
        Changelog::Collect { version } => {
            let fragments = fragments()?;
            ensure!(check()?, "mend the fragments first");
            let page = workspace::root().join(PAGE);
            let text = fs::read_to_string(&page).context(PAGE)?;
            let Some(collected) = changelog::collect(&text, version, &fragments) else {
                bail!("{PAGE} has no section ## Unreleased");
            };
            fs::write(&page, collected)?;
            for name in fragments.keys() {
                fs::remove_file(folder.join(name))?;
            }
            println!("{PAGE}: {} fragments under {version}", fragments.len());
            Ok(true)
        }
    }
}

fn fragments() -> Result<Fragments> {
    let mut fragments = Fragments::new();
    for entry in fs::read_dir(workspace::root().join(FOLDER)).context(FOLDER)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        fragments.insert(name.into_owned(), fs::read_to_string(&path)?);
    }
    Ok(fragments)
}

/// Prints what is wrong; answers whether nothing is.
pub(crate) fn check() -> Result<bool> {
    let fragments = fragments()?;
    let found = changelog::check(&fragments);
    for line in &found {
        println!("{line}");
    }
    println!(
        "changelog: {} fragments, {} findings",
        fragments.len(),
        found.len()
    );
    Ok(found.is_empty())
}

/// Packs every crate that is published, and builds each from its package alone, the lowest layer first. Nothing is sent.
pub(crate) fn dry_run() -> Result<bool> {
    let mut is_good = check()?;
    let metadata = workspace::metadata()?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let order = metadata["metadata"]["layers"]["order"]
        .as_array()
        .context("the manifest has a table of layers")?;
    let layers = &metadata["metadata"]["layers"]["crates"];
    let mut published = BTreeMap::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        // `publish = false` is an empty list here.
        if package["publish"].as_array().is_some_and(Vec::is_empty) {
            continue;
        }
        let layer = order
            .iter()
            .position(|layer| *layer == layers[name]["layer"]);
        let layer = layer.with_context(|| format!("{name} is in no layer"))?;
        for field in [
            "description",
            "license",
            "repository",
            "readme",
            "rust_version",
        ] {
            if package[field].as_str().is_none_or(str::is_empty) {
                println!("{name}: no {field}");
                is_good = false;
            }
        }
        for field in ["keywords", "categories"] {
            if package[field].as_array().is_none_or(Vec::is_empty) {
                println!("{name}: no {field}");
                is_good = false;
            }
        }
        published.insert((layer, name.to_owned()), package["version"].clone());
    }
    let mut package = run::cargo(&["package", "--locked", "--allow-dirty", "--quiet"]);
    for (_, name) in published.keys() {
        package.args(["--package", name]);
    }
    is_good &= run::passes(package)?;
    for ((_, name), version) in &published {
        println!("would publish {name} {}", version.as_str().unwrap_or("?"));
    }
    Ok(is_good)
}
