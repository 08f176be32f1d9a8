//! What `cargo build --timings` and `cargo tree` say, as figures.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

/// Seconds by package and version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timings(BTreeMap<String, f64>);

impl Timings {
    /// Seconds of a package, all of its versions.
    #[must_use]
    pub fn of(&self, name: &str) -> f64 {
        let versions = self
            .0
            .iter()
            .filter(|(package, _)| package.split(' ').next() == Some(name));
        versions.map(|(_, seconds)| seconds).sum()
    }

    /// Seconds of a package, as `name version`; nothing where it was not compiled.
    #[must_use]
    pub fn of_version(&self, package: &str) -> f64 {
        self.0.get(package).copied().unwrap_or(0.0)
    }
}

/// Reads the figures that Cargo's report draws itself from: library, macro, build script and its run together.
///
/// # Errors
///
/// Where the report holds no such figures: another Cargo wrote it.
pub fn read(report: &str) -> Result<Timings> {
    let (_, rest) = report
        .split_once("const UNIT_DATA = ")
        .context("the report of --timings has no UNIT_DATA")?;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
    let units = values.next().context("UNIT_DATA is empty")??;
    let mut timings = Timings::default();
    for unit in units.as_array().context("UNIT_DATA is no list")? {
        let name = unit["name"].as_str().context("a unit without a name")?;
        let version = unit["version"]
            .as_str()
            .context("a unit without a version")?;
        let seconds = unit["duration"]
            .as_f64()
            .context("a unit without a duration")?;
        *timings.0.entry(format!("{name} {version}")).or_default() += seconds;
    }
    Ok(timings)
}

/// The packages of `cargo tree --prefix none --format {p}`, each once, as `name version`.
#[must_use]
pub fn packages(tree: &str) -> BTreeSet<String> {
    tree.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (name, version) = (words.next()?, words.next()?);
            Some(format!("{name} {}", version.strip_prefix('v')?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_a_report_are_added_up() {
        let report = r#"<script>const DURATION = 9;
const UNIT_DATA = [
  {"i": 0, "name": "serde", "version": "1.0.229", "mode": "todo", "target": " build script", "start": 0.1, "duration": 0.5},
  {"i": 1, "name": "serde", "version": "1.0.229", "mode": "run-custom-build", "target": "", "start": 0.1, "duration": 0.25},
  {"i": 2, "name": "rsr-base", "version": "0.1.0", "mode": "todo", "target": "", "start": 0.1, "duration": 2.0}
];
const CONCURRENCY_DATA = [];</script>"#;
        let timings = read(report).unwrap();
        assert_eq!(timings.of_version("serde 1.0.229"), 0.75);
        assert_eq!(timings.of("rsr-base"), 2.0);
        assert_eq!(timings.of_version("serde 1.0.0"), 0.0);
        assert!(read("<html></html>").is_err());
    }

    #[test]
    fn a_package_is_counted_once() {
        let tree = "rsr-base v0.1.0 (/somewhere/crates/rsr-base)\nserde v1.0.229\nserde_derive v1.0.229 (proc-macro)\nserde v1.0.229 (*)\n\n";
        let expected = ["rsr-base 0.1.0", "serde 1.0.229", "serde_derive 1.0.229"];
        assert!(packages(tree).iter().eq(expected.iter()));
    }
}
