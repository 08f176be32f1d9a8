use super::files::{Expected, expected};
use super::*;

fn suites() -> Vec<Suite> {
    vec![Suite {
        name: "schema-cases",
        about: "files",
        n_cases: 3,
        disagreements: vec![Disagreement {
            case: "a.xml".to_owned(),
            answers: "valid, ours 7".to_owned(),
            reason: Some("ours is right"),
        }],
        details: Vec::new(),
    }]
}

#[test]
fn a_suite_is_a_line() {
    let line = json(&suites());
    let value: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
    assert_eq!(
        value,
        serde_json::json!({"suite": "schema-cases", "cases": 3, "agree": 2, "disagree": 1})
    );
}

#[test]
fn the_page_names_each_disagreement() {
    let page = page(&suites(), "today");
    assert!(
        page.contains("| schema-cases | files | 3 | 2 | 1 |"),
        "{page}"
    );
    assert!(
        page.contains("| a.xml | valid, ours 7 | ours is right |"),
        "{page}"
    );
}

#[test]
fn a_name_says_what_has_to_be_found() {
    assert_eq!(expected("iati-act-xml-errors.xml"), Expected::NotXml);
    assert_eq!(expected("iati-act-no-errors.xml"), Expected::NoError);
    assert_eq!(
        expected("iati-act-no-errors-old-version.xml"),
        Expected::Schema
    );
    assert_eq!(expected("iati-act-line-br.xml"), Expected::Valid);
}
