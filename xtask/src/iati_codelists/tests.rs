use super::generate;

const RULES: &str = r#"{"/iati-activities/iati-activity/sector": {
    "vocabulary": {"codelist": "SectorVocabulary", "allowedCodes": ["2", "1"], "priority": "9.1", "severity": "error",
        "category": "classifications", "id": "9.1.1", "message": "Words of others."},
    "code": {"conditions": {"linkedAttribute": "vocabulary", "defaultLink": "1", "mapping": {
        "1": {"codelist": "Sector", "allowedCodes": ["110"], "severity": "warning", "category": "c", "id": "9.2.1", "message": ""},
        "2": {"codelist": "SectorCategory", "allowedCodes": ["7"], "severity": "error", "category": "c", "id": "9.3.1", "message": ""}
    }}}
}}"#;

#[test]
fn rules_and_codes_become_tables() {
    let text = generate(RULES).expect("these are rules");
    for expected in [
        r#"attribute: "vocabulary", when: None, list: 2, id: "9.1.1", severity: Error"#,
        r#"attribute: "code", when: Some(("vocabulary", "1", true)), list: 0, id: "9.2.1", severity: Warning"#,
        r#"attribute: "code", when: Some(("vocabulary", "2", false)), list: 1, id: "9.3.1""#,
        "name: \"SectorVocabulary\", codes: &[\n        \"1\", \"2\",",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
    assert!(!text.contains("Words of others"));
}

#[test]
fn what_is_no_rule_is_refused() {
    assert!(generate("{").is_err());
    assert!(generate(r#"{"/a": {"b": {"codelist": "L"}}}"#).is_err());
    let two = r#"{"/a": {"b": {"codelist": "L", "allowedCodes": ["1"], "id": "1", "severity": "error", "category": "c"},
                        "c": {"codelist": "L", "allowedCodes": ["2"], "id": "1", "severity": "error", "category": "c"}}}"#;
    assert!(
        format!("{:#}", generate(two).expect_err("one list, two sets"))
            .contains("two different sets")
    );
}
