//! Turns the standard's ruleset into the constant of `rsr-iati`.
//!
//! Contexts, paths, ids, categories and severities are facts and are kept; messages and links for people are left behind.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

#[cfg(test)]
mod tests;

/// The ruleset of a JSON text (such as `standard.json`) as the text of one Rust file, a line a context.
///
/// # Errors
///
/// The text is no JSON object, or holds what would end the constant early.
pub fn generate(json: &str) -> Result<String> {
    let mut root: Value = serde_json::from_str(json)?;
    strip(&mut root);
    let mut out = String::from(
        "// Generated from the standard's ruleset by `cargo xtask iati-rules FILE`; change nothing here by hand.\n\
         //! The cases of the standard's ruleset.\n\npub(super) const RULES: &str = r##\"{\n",
    );
    let contexts = root.as_object().context("a ruleset is an object")?;
    for (place, (context, kinds)) in contexts.iter().enumerate() {
        let comma = if place + 1 < contexts.len() { "," } else { "" };
        // Writing to a `String` cannot fail; the result is dropped on purpose.
        let _ = writeln!(out, "{}: {kinds}{comma}", Value::from(context.as_str()));
    }
    ensure!(
        !out.get(200..).unwrap_or_default().contains("\"##"),
        "the ruleset holds \"##, which ends the constant"
    );
    out.push_str("}\"##;\n");
    Ok(out)
}

/// Takes away what is for people.
fn strip(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for words in ["message", "link"] {
                object.remove(words);
            }
            object.values_mut().for_each(strip);
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        _ => {}
    }
}
