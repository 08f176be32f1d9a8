//! What a code means.

use crate::codelists;
use crate::rules::Ruleset;
use crate::schema::Code;

/// The rule behind a finding's code and where it comes from, in a few lines; `None` for a code that no finding bears.
#[must_use]
pub fn explain(code: &str) -> Option<String> {
    if let Some(schema) = Code::ALL.into_iter().find(|known| known.as_str() == code) {
        return Some(format!(
            "{}\nSource: the IATI schemas, 1.01 to 2.03.",
            schema.explanation()
        ));
    }
    if let Some(text) = codelists::explanation(code) {
        return Some(format!(
            "{text}\nSource: IATI-Validator-Codelists, version 2.03, rule {code}."
        ));
    }
    if let Some(text) = Ruleset::standard().explanation(code) {
        return Some(format!(
            "It has to be so that {text}.\nSource: IATI-Rulesets, version 2.03, rule {code}."
        ));
    }
    let text = match code {
        "1.1.2" => {
            "An activity identifier stands for one activity in a file.\nSource: the official IATI validator, rule 1.1.2."
        }
        "rules-too-large" => {
            "So much of the activity is looked at by the rules that it is over the limit of what may be kept; its rules \
             were not asked. The schema and the codelists were.\nSource: this program's own limit."
        }
        "over-limit" => {
            "An element has more attributes, a longer name or attribute, or more elements around it than any honest file; \
             it is passed over with all that is in it, and its activity is skipped.\nSource: this program's own limits."
        }
        "xml-forbidden-character" => {
            "XML forbids the character, written out or as a reference.\nSource: XML 1.0, [2]."
        }
        "xml-wrong-encoding" => {
            "The bytes are no text in the encoding of the file.\nSource: XML 1.0, 4.3.3."
        }
        "xml-undefined-entity" => {
            "Only lt, gt, amp, apos and quot are defined.\nSource: XML 1.0, 4.6."
        }
        "xml-doctype" => {
            "A document type declaration is not read; IATI files have none.\nSource: XML 1.0, 2.8."
        }
        "xml-undeclared-prefix" => {
            "A prefix needs a declaration, xmlns:prefix.\nSource: Namespaces in XML 1.0, 3."
        }
        "xml-unknown-encoding" => {
            "The XML declaration names an encoding that nobody knows.\nSource: XML 1.0, 4.3.3."
        }
        "xml-late-declaration" => {
            "An XML declaration stands at the very start of a file.\nSource: XML 1.0, 2.8."
        }
        "xml-hyphens-in-comment" => {
            "Two hyphens may not stand inside a comment.\nSource: XML 1.0, 2.5."
        }
        _ => return None,
    };
    Some(text.to_owned())
}
