//! The real dependencies and the table, out of what `cargo metadata` prints.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use super::{Entry, Kind, Table};

/// The workspace as its manifests declare it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Graph {
    /// Members by package name.
    pub members: BTreeMap<String, Member>,
}

/// One member's declared dependencies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// Other members.
    pub internal: BTreeSet<(String, Kind)>,
    /// Crates from elsewhere, by their real name.
    pub external: BTreeSet<(String, Kind)>,
}

/// Reads table and graph from the JSON of `cargo metadata --no-deps --format-version 1`.
///
/// # Errors
///
/// Says which part of the table is missing or of the wrong shape.
pub fn read(metadata: &Value) -> Result<(Table, Graph)> {
    Ok((table(&metadata["metadata"])?, graph(metadata)?))
}

fn table(metadata: &Value) -> Result<Table> {
    let layers = &metadata["layers"];
    let crates = layers["crates"]
        .as_object()
        .context("metadata.layers.crates is missing")?;
    Ok(Table {
        order: strings(&layers["order"]).context("metadata.layers.order")?,
        tools: strings(&layers["tools"])
            .context("metadata.layers.tools")?
            .into_iter()
            .collect(),
        crates: crates
            .iter()
            .map(|(name, line)| Ok((name.clone(), entry(line)?)))
            .collect::<Result<_>>()?,
        exceptions: exceptions(&layers["exceptions"])?,
        confined: confined(&metadata["confined"])?,
    })
}

fn entry(line: &Value) -> Result<Entry> {
    let layer = line["layer"]
        .as_str()
        .context("an entry has no layer")?
        .to_owned();
    Ok(Entry {
        layer,
        uses: strings(&line["uses"]).context("an entry's uses")?,
    })
}

fn exceptions(list: &Value) -> Result<Vec<(String, String)>> {
    let Some(list) = list.as_array() else {
        return Ok(Vec::new());
    };
    list.iter()
        .map(|exception| {
            let end = |name: &str| exception[name].as_str().map(str::to_owned);
            end("from")
                .zip(end("to"))
                .context("an exception needs from and to")
        })
        .collect()
}

fn confined(lists: &Value) -> Result<BTreeMap<String, Vec<String>>> {
    let Some(lists) = lists.as_object() else {
        return Ok(BTreeMap::new());
    };
    lists
        .iter()
        .map(|(name, list)| {
            Ok((
                name.clone(),
                strings(list).with_context(|| format!("metadata.confined.{name}"))?,
            ))
        })
        .collect()
}

fn strings(list: &Value) -> Result<Vec<String>> {
    let list = list.as_array().context("is no list")?;
    list.iter()
        .map(|item| {
            item.as_str()
                .map(str::to_owned)
                .context("holds something that is no text")
        })
        .collect()
}

fn graph(metadata: &Value) -> Result<Graph> {
    let packages = metadata["packages"]
        .as_array()
        .ok_or_else(|| anyhow!("no packages"))?;
    let folders: BTreeMap<&str, &str> = packages
        .iter()
        .filter_map(|package| {
            let folder = package["manifest_path"]
                .as_str()?
                .strip_suffix("/Cargo.toml")?;
            Some((folder, package["name"].as_str()?))
        })
        .collect();
    let mut graph = Graph::default();
    for package in packages {
        let name = package["name"].as_str().context("a package has no name")?;
        let mut member = Member::default();
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let kind = if dependency["kind"].as_str() == Some("dev") {
                Kind::Dev
            } else {
                Kind::Built
            };
            let to = dependency["name"]
                .as_str()
                .context("a dependency has no name")?;
            // A path names the folder of a member; the name alone could be a stranger's of the registry.
            match dependency["path"]
                .as_str()
                .and_then(|path| folders.get(path))
            {
                Some(sibling) => member.internal.insert(((*sibling).to_owned(), kind)),
                None => member.external.insert((to.to_owned(), kind)),
            };
        }
        graph.members.insert(name.to_owned(), member);
    }
    Ok(graph)
}
