use super::generate;

#[test]
fn the_facts_stay_and_the_words_go() {
    let text = generate(
        r#"{"//a": {"unique": {"cases": [{"paths": ["b"], "ruleInfo": {"id": "1.1", "message": "Words", "link": {"url": "x"}}}]}}}"#,
    );
    let text = text.expect("this is a ruleset");
    assert!(
        text.contains(r#""//a": {"unique":{"cases":[{"paths":["b"],"ruleInfo":{"id":"1.1"}}]}}"#),
        "{text}"
    );
    assert!(!text.contains("Words") && !text.contains("url"));
}

#[test]
fn what_is_no_ruleset_is_refused() {
    assert!(generate("[]").is_err());
    assert!(generate("{").is_err());
}
