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
        "xml-bad-instruction" => {
            "An XML declaration gives its version (1.0), then its encoding, then whether the document stands alone; any \
             other instruction has a name, and white space before what it says.\nSource: XML 1.0, 2.6 and 2.8."
        }
        "xml-hyphens-in-comment" => {
            "Two hyphens may not stand inside a comment.\nSource: XML 1.0, 2.5."
        }
        _ => {
            let (_, text, source) = READING.iter().find(|(known, ..)| *known == code)?;
            return Some(format!("{text}\nSource: {source}."));
        }
    };
    Some(text.to_owned())
}

const MODEL: &str =
    "the IATI schema 2.03, as this program's reading of any version holds files to it";
const LINKS: &str =
    "the IATI standard, related-activity, as this program takes it into a hierarchy";
const STORE: &str = "this program's own rules for taking activities into its database";

/// What reading and importing find, beside what validating does: code, rule, source.
const READING: [(&str, &str, &str); 26] = [
    (
        "nested-root",
        "An iati-activities element is the root of a file, and an iati-activity stands in one. Both are read wherever they stand.",
        MODEL,
    ),
    (
        "organisation-file",
        "A file of organisations holds no activities, so there is nothing to read where activities are wanted.",
        "the IATI organisation standard",
    ),
    (
        "not-iati",
        "The root of a file of activities is iati-activities. Activities inside of another root are read all the same.",
        MODEL,
    ),
    (
        "unknown-version",
        "The version is 1.01 to 1.05 or 2.01 to 2.03. A file that names another is read as the nearest of these.",
        "the codelist Version",
    ),
    (
        "unknown-element",
        "The standard has no such element here. It is kept with the activity and left out of exports.",
        MODEL,
    ),
    (
        "unknown-attribute",
        "The standard has no such attribute here. It is kept with the activity and left out of exports.",
        MODEL,
    ),
    (
        "repeated-element",
        "The element may stand here once. The first is used, the others are kept beside it and left out of exports.",
        MODEL,
    ),
    (
        "invalid-value",
        "A date, number or flag is written in another way than its type asks. It is kept as written; no meaning is guessed.",
        MODEL,
    ),
    (
        "stray-text",
        "The element holds elements alone, so text between them has no meaning. It is dropped.",
        MODEL,
    ),
    (
        "text-dropped",
        "The element of 1.0x held text, for which 2.03 has no place. It is dropped.",
        "the upgrade from 1.0x to 2.01 of the IATI standard",
    ),
    (
        "no-equivalent",
        "2.03 has nothing that means the same as this element, attribute or code of 1.0x.",
        "the upgrade from 1.0x to 2.01 of the IATI standard",
    ),
    (
        "field-too-large",
        "One text is larger than iati.max_field_bytes allows. Its activity is skipped, the next one is read.",
        "this program's own limits",
    ),
    (
        "blank-identifier",
        "An activity without an identifier cannot be told from others. It is skipped by imports.",
        STORE,
    ),
    (
        "duplicate-identifier",
        "Two activities of one import have one identifier. The one that was updated last is kept, the first of two alike.",
        STORE,
    ),
    (
        "older-than-stored",
        "The activity is stored with a later last-updated-datetime, and is skipped.",
        STORE,
    ),
    (
        "undated-beside-dated",
        "The activity has no last-updated-datetime and is stored with one, so which is newer is not known; it is skipped.",
        STORE,
    ),
    (
        "actual-without-number",
        "An actual value is no number, so it counts for no sum. It is kept as written.",
        STORE,
    ),
    (
        "left-out-of-exports",
        "The element is kept, and is not valid at its place in 2.03 as it stands, so exports leave it out.",
        STORE,
    ),
    (
        "no-place-in-2.03",
        "The element is kept, and 2.03 has no such element, so exports leave it out.",
        STORE,
    ),
    (
        "self-reference",
        "An activity names itself as related. It stays a related activity and is no parent.",
        LINKS,
    ),
    (
        "several-parents",
        "An activity names several parents. The first of type 1 becomes the parent, before an inverse of type 2; the others stay related activities.",
        LINKS,
    ),
    (
        "parent-cycle",
        "Activities are each other's parents in a circle. rsr project check lists them.",
        LINKS,
    ),
    (
        "link-to-unknown",
        "A related activity is in no file that was imported. The link is kept and becomes a parent once it is.",
        LINKS,
    ),
    (
        "link-without-counterpart",
        "One activity names another as parent or child, and that one does not name it back. The link counts all the same.",
        LINKS,
    ),
    (
        "many-siblings",
        "An activity names siblings by the hundred, which are better said by one common parent.",
        LINKS,
    ),
    (
        "siblings-unknown",
        "Siblings that an activity names are in no file that was imported.",
        LINKS,
    ),
];
