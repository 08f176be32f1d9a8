//! What people notice: a fragment a change in `docs/changelog.d/`, collected into `docs/CHANGELOG.md` at a release.

use std::collections::BTreeMap;

/// Fragments by file name, without their folder.
pub type Fragments = BTreeMap<String, String>;

/// Longest line of a fragment, in characters.
const LINE_MAX: usize = 160;

/// What is wrong with fragments, a line each.
#[must_use]
pub fn check(fragments: &Fragments) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in fragments {
        let mut wrong = |what: &str| found.push(format!("docs/changelog.d/{name}: {what}"));
        if !name.strip_suffix(".md").is_some_and(is_name) {
            wrong("a name is words of small letters and digits with - between them, and .md");
        }
        if text.trim().is_empty() {
            wrong("says nothing");
            continue;
        }
        if text.lines().any(|line| line.starts_with('#')) {
            wrong("has a heading, which the release makes");
        }
        if text.lines().any(|line| line.chars().count() > LINE_MAX) {
            wrong("has a line of more than 160 characters");
        }
        if !text.trim_end().ends_with(['.', '`', ')', ':']) {
            wrong("does not end its last sentence");
        }
    }
    found
}

/// Whether this can be a fragment's name.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    !name.is_empty() && name.split('-').all(is_word)
}

/// The changelog with a section of this version made of what was unreleased and of the fragments, in the order of their
/// names; a new, empty place for what is unreleased stands above it. `None` where the page has no such place.
#[must_use]
pub fn collect(changelog: &str, version: &str, fragments: &Fragments) -> Option<String> {
    const PLACE: &str = "## Unreleased\n";
    let (before, after) = changelog.split_once(PLACE)?;
    let (unreleased, older) = match after.find("\n## ") {
        Some(at) => after.split_at(at),
        None => (after, ""),
    };
    let mut page = format!("{before}{PLACE}\n## {version}\n");
    let parts = std::iter::once(unreleased).chain(fragments.values().map(String::as_str));
    for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
        page.push('\n');
        page.push_str(part);
        page.push('\n');
    }
    page.push_str(older.trim_end());
    if !older.is_empty() {
        page.push('\n');
    }
    Some(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragments(all: &[(&str, &str)]) -> Fragments {
        all.iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn a_fragment_is_named_and_says_something() {
        assert_eq!(
            check(&fragments(&[("a-2.md", "It is so.\n")])),
            Vec::<String>::new()
        );
        for (name, text) in [
            ("A.md", "It is."),
            ("a_b.md", "It is."),
            ("a--b.md", "It is."),
            ("a.txt", "It is."),
            ("a.md", "  \n"),
            ("a.md", "# Heading\nIt is."),
            ("a.md", "no end"),
        ] {
            assert_eq!(check(&fragments(&[(name, text)])).len(), 1, "{name} {text}");
        }
    }

    #[test]
    fn a_release_takes_everything_and_leaves_a_place_for_the_next() {
        let page = "# Changelog\n\n## Unreleased\n\nFirst.\n\n## 0.1.0\n\nOld.\n";
        let fragments = fragments(&[("b.md", "B.\n"), ("a.md", "A.\n")]);
        let made = collect(page, "0.2.0", &fragments).unwrap();
        assert_eq!(
            made,
            "# Changelog\n\n## Unreleased\n\n## 0.2.0\n\nFirst.\n\nA.\n\nB.\n\n## 0.1.0\n\nOld.\n"
        );
        let again = collect(&made, "0.3.0", &Fragments::new()).unwrap();
        assert!(again.contains("## Unreleased\n\n## 0.3.0\n\n## 0.2.0\n\nFirst."));
        assert_eq!(collect("# Other\n", "1.0.0", &fragments), None);
    }
}
