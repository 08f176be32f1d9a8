//! The known name that a mistyped one most likely means.

use crate::tree::TABLE;

use super::OTHER_VARIABLES;

/// The setting's key nearest to `key`.
pub(crate) fn key(key: &str) -> &'static str {
    nearest(key, TABLE.iter().map(|setting| setting.key))
}

/// The known variable nearest to `name`.
pub(super) fn variable(name: &str) -> &'static str {
    let others = OTHER_VARIABLES.iter().map(|(name, _meaning)| *name);
    nearest(
        name,
        TABLE
            .iter()
            .map(|setting| setting.row.variable)
            .chain(others),
    )
}

/// The candidate with the fewest edits per letter; the first of several.
fn nearest(text: &str, candidates: impl Iterator<Item = &'static str>) -> &'static str {
    // A settings file may hold a key of any length; beyond this no edit distance says anything.
    let text: String = text.chars().take(100).collect();
    let mut best = ("", -1.0);
    for candidate in candidates {
        let likeness = strsim::normalized_damerau_levenshtein(&text, candidate);
        if likeness > best.1 {
            best = (candidate, likeness);
        }
    }
    best.0
}
