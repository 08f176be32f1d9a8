//! The pages that people read, taken apart: their blocks of code, and what is to be done with each.

use std::path::{Path, PathBuf};

use rsr_base::{ByteSize, read_file_at_most};

/// Names the pages whose `rust` blocks are doc tests, and makes them so.
macro_rules! rust_pages {
    ($($page:literal),* $(,)?) => {
        /// The pages whose `rust` blocks are compiled and run as doc tests of this package, as paths in the workspace.
        pub const RUST_PAGES: &[&str] = &[$($page),*];

        $(
            #[cfg(doctest)]
            const _: () = {
                #[doc = include_str!(concat!("../", $page))]
                mod page {}
            };
        )*
    };
}

rust_pages![
    "docs/guides/patterns.md",
    "docs/guides/testing.md",
    "docs/guides/extending.md",
    "docs/guides/implementing.md",
];

const PAGE_MAX: ByteSize = ByteSize::from_mib(1);

/// What is done with a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// Typed into a shell, with the exit code it must have.
    Run(i32),
    /// Started in a second terminal and left running to the page's end.
    Serve,
    /// Typed beside a service that runs; each command ends with 0, or with 1 where it found something.
    Beside,
    /// Commands of another machine or of the person who reads: the shell must understand them, and each `rsr` in them
    /// must be a command that there is.
    Elsewhere,
    /// What the block before it prints; `…` stands for anything.
    Printed,
    /// A settings file, or a part of a `Cargo.toml` whose features of our crates must be there.
    Toml,
    /// A JSON text.
    Json,
    /// A Rust program, compiled and run as a doc test.
    Rust,
}

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What is done with it.
    pub purpose: Use,
    /// The line of its fence, from 1.
    pub line: usize,
    /// What is in it.
    pub text: String,
}

impl Block {
    /// One that no page has.
    #[must_use]
    pub fn of(purpose: Use, text: &str) -> Self {
        Self {
            purpose,
            line: 0,
            text: text.to_owned(),
        }
    }
}

/// The blocks of a page in Markdown.
///
/// # Errors
///
/// A fence whose words are not known, or that never ends: a sentence with its line.
pub fn blocks(page: &str) -> Result<Vec<Block>, String> {
    let mut found = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(words) = line.trim_start().strip_prefix("```") else {
            continue;
        };
        let line = at + 1;
        let purpose = purpose(words).ok_or_else(|| format!("line {line}: what is `{words}`?"))?;
        let mut text = String::new();
        loop {
            let (_, inner) = lines
                .next()
                .ok_or_else(|| format!("line {line}: the block does not end"))?;
            if inner.trim() == "```" {
                break;
            }
            text.push_str(inner);
            text.push('\n');
        }
        found.push(Block {
            purpose,
            line,
            text,
        });
    }
    Ok(found)
}

fn purpose(words: &str) -> Option<Use> {
    let mut words = words.split_whitespace();
    let purpose = match (words.next().unwrap_or("text"), words.next()) {
        ("sh", None) => Use::Run(0),
        ("sh", Some("server")) => Use::Serve,
        ("sh", Some("beside")) => Use::Beside,
        ("sh", Some("elsewhere")) => Use::Elsewhere,
        ("sh", Some(code)) => Use::Run(code.strip_prefix("exit=")?.parse().ok()?),
        ("text", None) => Use::Printed,
        ("toml", None) => Use::Toml,
        ("json", None) => Use::Json,
        ("rust" | "rust,no_run", None) => Use::Rust,
        _ => return None,
    };
    words.next().is_none().then_some(purpose)
}

/// The commands of ours that a page names within its sentences: code spans that begin with `rsr `, and the lines of
/// blocks that are not run.
#[must_use]
pub fn commands_named(page: &str) -> Vec<String> {
    let mut named = Vec::new();
    // The words of the fence of the block that a line is in.
    let mut block: Option<&str> = None;
    for line in page.lines() {
        if let Some(words) = line.trim_start().strip_prefix("```") {
            block = block.is_none().then_some(words);
            continue;
        }
        let found: Vec<&str> = match block {
            None => line.split('`').skip(1).step_by(2).collect(),
            Some("sh elsewhere") => vec![line.trim()],
            Some(_) => Vec::new(),
        };
        let ours = found.into_iter().filter(|words| words.starts_with("rsr "));
        named.extend(ours.map(str::to_owned));
    }
    named
}

/// Whether each line of `shown` is a line of `printed`, in this order, where `…` stands for anything and blanks are one.
#[must_use]
pub fn is_printed(shown: &str, printed: &str) -> bool {
    let mut printed = printed.lines();
    shown
        .lines()
        .map(squeeze)
        .filter(|line| !line.is_empty() && line != "…")
        .all(|line| printed.any(|candidate| matches(&line, &squeeze(candidate))))
}

fn squeeze(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether `line` has the parts of `pattern` between its ellipses, in order and to both ends.
fn matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let mut is_exact = true;
    let mut last = "";
    for part in parts {
        is_exact = false;
        last = part;
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    if is_exact {
        rest.is_empty()
    } else {
        last.is_empty() || line.ends_with(last)
    }
}

/// All pages that people read: the workspace's own, those of the crates and of `docs/`, sorted. The generated pages are
/// among them; the changelog's fragments are not.
///
/// # Panics
///
/// Where a folder cannot be read.
#[must_use]
pub fn pages(workspace: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![workspace.join("docs"), workspace.join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !["target", "src", "changelog.d"].contains(&name.as_str()) {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.push(workspace.join("README.md"));
    found.sort();
    found
}

/// A page's text.
///
/// # Panics
///
/// Where it cannot be read.
#[must_use]
pub fn read(path: &Path) -> String {
    read_file_at_most(path, PAGE_MAX).unwrap()
}
