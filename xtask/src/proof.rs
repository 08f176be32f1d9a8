//! `docs/reference/proof.md`: what was tried on the program, how often, from which seed, and what it found.
//!
//! Each long command keeps a record of its last full run in `docs/notes/proof/`; `docs/notes/proof.md` names what was found
//! and the test that keeps it from coming back. The page is made of both by `cargo xtask docs`.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::{bench, workspace};

/// What one full run of a command tried, and whether everything held.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// What is promised.
    pub(crate) promise: String,
    /// The command that anyone can run.
    pub(crate) command: String,
    /// How much was tried: rounds, seconds, seeds, cases.
    pub(crate) tried: String,
    /// Whether the promise held throughout.
    pub(crate) held: bool,
    /// When, where, at which commit; filled in when it is kept.
    #[serde(default)]
    pub(crate) made: String,
}

/// Keeps the record of a run under a name of its own, in place of the run before.
pub(crate) fn keep(name: &str, mut record: Record) -> Result<()> {
    record.made = bench::made()?;
    let folder = workspace::root().join("docs/notes/proof");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let file = folder.join(name).with_extension("json");
    let mut text = serde_json::to_string_pretty(&record)?;
    text.push('\n');
    fs::write(&file, text).with_context(|| file.display().to_string())
}

/// The page.
pub(crate) fn page() -> Result<String> {
    let root = workspace::root();
    let folder = root.join("docs/notes/proof");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .with_context(|| folder.display().to_string())?
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    let mut page = String::from(
        "# Proof\n\nMade by `cargo xtask docs` from the record of each command's last full run; not changed by hand. Each of \
         them runs shortly with every test run, too.\n\n| promise | command | tried | held | made |\n|---|---|---|---|---|\n",
    );
    for file in files {
        let text = fs::read_to_string(&file)?;
        let record: Record =
            serde_json::from_str(&text).with_context(|| file.display().to_string())?;
        let held = if record.held { "yes" } else { "**no**" };
        writeln!(
            page,
            "| {} | `{}` | {} | {held} | {} |",
            record.promise, record.command, record.tried, record.made
        )?;
    }
    let found = fs::read_to_string(root.join("docs/notes/proof.md"))
        .context("docs/notes/proof.md names what was found")?;
    check_tests(&found, |path| fs::read_to_string(root.join(path)).ok())?;
    page.push('\n');
    page.push_str(&found);
    Ok(page)
}

/// Each row of the table ends with a test as `path::name`; it must be there.
fn check_tests(found: &str, read: impl Fn(&str) -> Option<String>) -> Result<()> {
    let rows = found.lines().filter(|line| line.starts_with("| "));
    for row in rows.skip(1) {
        let cell = row.trim_end_matches(['|', ' ']).rsplit('|').next();
        let test = cell.unwrap_or_default().trim().trim_matches('`');
        let Some((path, name)) = test.rsplit_once("::") else {
            bail!("docs/notes/proof.md: a row ends with {test:?}, not with path::test")
        };
        let text = read(path).with_context(|| format!("docs/notes/proof.md: no file {path}"))?;
        if !text.contains(&format!("fn {name}(")) {
            bail!("docs/notes/proof.md: {path} has no test {name}")
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(row: &str) -> Result<()> {
        let table = format!("| found | test |\n|---|---|\n{row}\n");
        check_tests(&table, |path| {
            (path == "a.rs").then(|| "fn holds() {}".to_owned())
        })
    }

    #[test]
    fn a_row_names_a_test_that_is_there() {
        check("| lost | `a.rs::holds` |").unwrap();
        let refused = |row| check(row).unwrap_err().to_string();
        assert!(refused("| lost | `a.rs::gone` |").contains("has no test gone"));
        assert!(refused("| lost | `b.rs::holds` |").contains("no file b.rs"));
        assert!(refused("| lost | nobody knows |").contains("not with path::test"));
    }
}
