//! How far `rsr-iati` agrees with the standard's own cases, with xmllint and with the official validator's test files.
//!
//! [`run`] asks all suites; [`json()`] and [`page`] show the answers. A disagreement is not a failure of the run: each is
//! on the page, with the reason where there is one.

mod codelists;
mod files;
mod mutants;
mod pieces;
mod rules;
mod schema;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;

/// The answers of one suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suite {
    /// Its name in reports.
    pub name: &'static str,
    /// What its cases are, and who else answers them.
    pub about: &'static str,
    /// Cases asked.
    pub n_cases: usize,
    /// Cases that were answered otherwise.
    pub disagreements: Vec<Disagreement>,
    /// Cases that deserve a line each, whatever was answered: what it is, what has to be found, what we find.
    pub details: Vec<[String; 3]>,
}

/// One case that was answered otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The case.
    pub case: String,
    /// Their answer and ours.
    pub answers: String,
    /// Why ours is another, where that is known.
    pub reason: Option<&'static str>,
}

/// Asks all suites. `data` is the folder of IATI test data, `root` that of the workspace; so many broken copies of real
/// files are made from this seed.
///
/// # Errors
///
/// A file of the test data cannot be read, or xmllint does not run.
pub fn run(data: &Path, root: &Path, mutants: usize, seed: u64) -> Result<Vec<Suite>> {
    Ok(vec![
        schema::cases(data)?,
        rules::cases(data, root)?,
        codelists::cases(data)?,
        files::cases(data)?,
        schema::real(data)?,
        mutants::cases(data, root, mutants, seed)?,
    ])
}

/// A line of JSON a suite: `{"suite","cases","agree","disagree"}`.
#[must_use]
pub fn json(suites: &[Suite]) -> String {
    let line = |suite: &Suite| {
        let n = suite.disagreements.len();
        json!({"suite": suite.name, "cases": suite.n_cases, "agree": suite.n_cases - n, "disagree": n}).to_string() + "\n"
    };
    suites.iter().map(line).collect()
}

/// The page for people: the table, and every disagreement.
#[must_use]
pub fn page(suites: &[Suite], made: &str) -> String {
    let mut out = format!(
        "# IATI conformance\n\nMade by `cargo xtask conformance`, {made}; not changed by hand.\n\n\
         | suite | what | cases | agree | disagree |\n|---|---|---|---|---|\n"
    );
    // Writing to a `String` cannot fail; the results are dropped on purpose.
    for Suite {
        name,
        about,
        n_cases,
        disagreements,
        ..
    } in suites
    {
        let n = disagreements.len();
        let _ = writeln!(
            out,
            "| {name} | {about} | {n_cases} | {} | {n} |",
            n_cases - n
        );
    }
    for suite in suites
        .iter()
        .filter(|suite| !suite.disagreements.is_empty())
    {
        let _ = writeln!(
            out,
            "\n## {}: where we disagree\n\n| case | answers | why |\n|---|---|---|",
            suite.name
        );
        for it in &suite.disagreements {
            let _ = writeln!(
                out,
                "| {} | {} | {} |",
                it.case,
                it.answers,
                it.reason.unwrap_or("not known yet")
            );
        }
    }
    for suite in suites.iter().filter(|suite| !suite.details.is_empty()) {
        let _ = writeln!(
            out,
            "\n## {}: case by case\n\n| case | what has to be found | what we find |\n|---|---|---|",
            suite.name
        );
        for [case, expected, found] in &suite.details {
            let _ = writeln!(out, "| {case} | {expected} | {found} |");
        }
    }
    out
}

/// Every `.xml` under a folder, sorted.
fn xml_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).with_context(|| format!("folder {}", folder.display()))?
        {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "xml") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[expect(
    clippy::disallowed_methods,
    reason = "test data of the standard, by hand, in a maintenance command"
)]
fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("file {}", path.display()))
}

fn shown(data: &Path, path: &Path) -> String {
    path.strip_prefix(data)
        .unwrap_or(path)
        .display()
        .to_string()
}
