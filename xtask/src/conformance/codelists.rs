//! Codelists: each rule of the official validator with a code that is on its list and one that is not.

use std::path::Path;

use anyhow::{Context as _, Result};
use rsr_iati::codelists::Checker;
use rsr_iati::xml::{Reader, Token};
use serde_json::Value;

use super::{Disagreement, Suite, read};

const NEVER_ASKED: &str = "the rule's path is the root alone in the validator's data, so the validator never asks it, nor do we";

pub(super) fn cases(data: &Path) -> Result<Suite> {
    let text = read(&data.join("codelists/validator/codelist_rules.json"))?;
    let root: Value = serde_json::from_str(&text)?;
    let mut suite = Suite {
        name: "codelist-rules",
        about: "each rule of IATI-Validator-Codelists with a good and a bad code",
        n_cases: 0,
        disagreements: Vec::new(),
        details: Vec::new(),
    };
    for (path, attributes) in root.as_object().context("an object of paths")? {
        for (attribute, it) in attributes.as_object().context("an object of attributes")? {
            match it.get("conditions") {
                None => case(&mut suite, path, attribute, None, it)?,
                Some(conditions) => {
                    let beside = conditions["linkedAttribute"]
                        .as_str()
                        .context("a linked attribute")?;
                    for (value, it) in conditions["mapping"].as_object().context("a mapping")? {
                        case(&mut suite, path, attribute, Some((beside, value)), it)?;
                    }
                }
            }
        }
    }
    Ok(suite)
}

fn case(
    suite: &mut Suite,
    path: &str,
    attribute: &str,
    beside: Option<(&str, &str)>,
    it: &Value,
) -> Result<()> {
    let id = it["id"].as_str().context("an id")?;
    let good = it["allowedCodes"][0].as_str().context("a code")?;
    // The published file names the root of organisation files wrongly.
    let names = if path == "/organisations" {
        "/iati-organisations"
    } else {
        path
    };
    let mut names: Vec<&str> = names.split('/').filter(|name| !name.is_empty()).collect();
    let last = names.pop().unwrap_or("iati-activities");
    let beside = beside.map_or_else(String::new, |(name, value)| format!(" {name}='{value}'"));
    let mut wrong = Vec::new();
    for (code, expected) in [(good, false), ("no such code", true)] {
        let tag = if attribute == "text()" {
            format!("<{last}{beside}>{code}</{last}>")
        } else {
            format!("<{last}{beside} {attribute}='{code}'/>")
        };
        let open: String = names.iter().map(|name| format!("<{name}>")).collect();
        let close: String = names
            .iter()
            .rev()
            .map(|name| format!("</{name}>"))
            .collect();
        if found(&format!("{open}{tag}{close}"), id)? != expected {
            wrong.push(format!(
                "{code:?} {}",
                if expected { "is not found" } else { "is found" }
            ));
        }
    }
    suite.n_cases += 1;
    if !wrong.is_empty() {
        let reason = (path == "/").then_some(NEVER_ASKED);
        suite.disagreements.push(Disagreement {
            case: format!("{id} {path}/@{attribute}"),
            answers: wrong.join(", "),
            reason,
        });
    }
    Ok(())
}

fn found(xml: &str, id: &str) -> Result<bool> {
    let mut reader = Reader::new(xml.as_bytes());
    let mut checker = Checker::new();
    let mut found = false;
    while reader.advance()? != Token::Done {
        checker.check(&reader, &mut |finding| found |= finding.code == id);
    }
    Ok(found)
}
