//! Turns the official validator's codelist rules and their allowed codes into the Rust tables of `rsr-iati`.
//!
//! Paths, attributes, ids, severities and codes are facts and are kept; messages for people are left behind.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value};

#[cfg(test)]
mod tests;

/// One rule: where it looks, and what has to be found there.
struct Rule<'j> {
    path: &'j str,
    attribute: &'j str,
    /// The attribute beside it that decides, its value, and whether that value counts where it is absent.
    when: Option<(&'j str, &'j str, bool)>,
    list: &'j str,
    id: &'j str,
    severity: &'j str,
    category: &'j str,
}

/// The tables for these rules (a JSON text such as `codelist_rules.json`) as the text of one Rust file.
///
/// # Errors
///
/// The text is no such JSON, or one codelist stands in it with two different sets of codes.
pub fn generate(json: &str) -> Result<String> {
    let root: Value = serde_json::from_str(json)?;
    let mut lists = BTreeMap::<&str, Vec<&str>>::new();
    let mut rules = Vec::new();
    for (path, attributes) in object(&root)? {
        // The published file names the root of organisation files wrongly; the rules it is made from do not.
        let path = if path == "/organisations" {
            "/iati-organisations"
        } else {
            path
        };
        for (attribute, it) in object(attributes)? {
            let rule = rule(path, attribute, it, &mut lists);
            rules.extend(rule.with_context(|| format!("rule for {path}/@{attribute}"))?);
        }
    }
    Ok(emit(&lists, &rules))
}

fn rule<'j>(
    path: &'j str,
    attribute: &'j str,
    it: &'j Value,
    lists: &mut BTreeMap<&'j str, Vec<&'j str>>,
) -> Result<Vec<Rule<'j>>> {
    let mut rules = Vec::new();
    let mut add = |when, it: &'j Value| -> Result<()> {
        let mut codes = it["allowedCodes"]
            .as_array()
            .context("no codes")?
            .iter()
            .map(string)
            .collect::<Result<Vec<_>>>()?;
        codes.sort_unstable();
        codes.dedup();
        let list = string(&it["codelist"])?;
        let known = lists.entry(list).or_insert_with(|| codes.clone());
        ensure!(
            *known == codes,
            "codelist {list} has two different sets of codes"
        );
        rules.push(Rule {
            path,
            attribute,
            when,
            list,
            id: string(&it["id"])?,
            severity: string(&it["severity"])?,
            category: string(&it["category"])?,
        });
        Ok(())
    };
    let Some(conditions) = it.get("conditions") else {
        add(None, it)?;
        return Ok(rules);
    };
    let linked = string(&conditions["linkedAttribute"])?;
    let default = conditions["defaultLink"].as_str();
    for (value, it) in object(&conditions["mapping"])? {
        add(Some((linked, value, default == Some(value))), it)?;
    }
    Ok(rules)
}

fn object(value: &Value) -> Result<&Map<String, Value>> {
    value.as_object().context("an object is expected")
}

fn string(value: &Value) -> Result<&str> {
    value.as_str().context("a text is expected")
}

fn emit(lists: &BTreeMap<&str, Vec<&str>>, rules: &[Rule<'_>]) -> String {
    let mut out = String::from(
        "// Generated from the codelist rules by `cargo xtask iati-codelists FILE`; change nothing here by hand.\n\
         //! Which attribute takes its codes from which codelist, and the codes.\n\n\
         use super::{List, Rule};\nuse crate::report::Severity::{Critical, Error, Warning};\n\n",
    );
    if !rules.iter().any(|rule| rule.severity == "critical") {
        out = out.replace("{Critical, ", "{");
    }
    if !rules.iter().any(|rule| rule.severity == "warning") {
        out = out.replace("{Error, Warning}", "Error");
    }
    // Writing to a `String` cannot fail; the results are dropped on purpose.
    let _ = writeln!(
        out,
        "/// The rules, by path.\npub(super) static RULES: [Rule; {}] = [",
        rules.len()
    );
    for rule in rules {
        let list = lists
            .keys()
            .position(|name| *name == rule.list)
            .unwrap_or_default();
        let severity = match rule.severity {
            "critical" => "Critical",
            "warning" => "Warning",
            _ => "Error",
        };
        let _ = writeln!(
            out,
            "    Rule {{ path: {:?}, attribute: {:?}, when: {:?}, list: {list}, id: {:?}, severity: {severity}, category: {:?} }},",
            rule.path, rule.attribute, rule.when, rule.id, rule.category,
        );
    }
    let _ = writeln!(
        out,
        "];\n\n/// The codelists with their codes, sorted by code.\npub(super) static LISTS: [List; {}] = [",
        lists.len()
    );
    for (name, codes) in lists {
        let _ = writeln!(out, "    List {{ name: {name:?}, codes: &[");
        let quoted = codes
            .iter()
            .map(|code| format!("{code:?}"))
            .collect::<Vec<_>>();
        for line in quoted.chunks(24) {
            let _ = writeln!(out, "        {},", line.join(", "));
        }
        let _ = writeln!(out, "    ] }},");
    }
    out.push_str("];\n");
    out
}
