use super::*;

fn codes(xml: &str) -> Vec<String> {
    let mut reader = Reader::new(xml.as_bytes());
    let mut checker = Checker::new();
    let mut found = Vec::new();
    while reader.advance().expect("it is well-formed") != Token::Done {
        checker.check(&reader, &mut |finding| {
            found.push(format!("{}@{}", finding.code, finding.line()));
        });
    }
    found
}

#[track_caller]
fn check(inner: &str, expected: &[&str]) {
    let xml = format!(
        "<iati-activities version=\"2.03\">\n<iati-activity>\n{inner}</iati-activity></iati-activities>"
    );
    assert_eq!(codes(&xml), expected, "{inner}");
}

#[test]
fn a_code_has_to_be_on_its_list() {
    check("<activity-status code='2'/>", &[]);
    check("<activity-status code='22'/>", &["9.5.1@3"]);
    check("<activity-status code=''/>", &["9.5.1@3"]);
    check("<activity-status/>", &[]);
    check("<x:activity-status xmlns:x='urn:x' code='22'/>", &[]);
    check("<result><activity-status code='22'/></result>", &[]);
}

#[test]
fn the_vocabulary_decides_which_list_it_is() {
    check("<tag vocabulary='2' code='1'/>", &[]);
    check("<tag vocabulary='2' code='99'/>", &["9.125.1@3"]);
    check("<tag vocabulary='99' code='99'/>", &[]);
    check("<sector code='1'/>", &codes("<iati-activities version='2.03'>\n<iati-activity>\n<sector vocabulary='1' code='1'/></iati-activity></iati-activities>").iter().map(String::as_str).collect::<Vec<_>>());
    check("<default-aid-type code='A01'/>", &[]);
    check("<default-aid-type code='A1'/>", &["9.21.1@3"]);
    check(
        "<default-aid-type vocabulary='4' code='A01'/>",
        &["9.128.1@3"],
    );
}

#[test]
fn a_code_may_stand_in_the_text() {
    check("<crs-add><channel-code>21039</channel-code></crs-add>", &[]);
    check(
        "<crs-add>\n<channel-code\n>no\nsuch</channel-code></crs-add>",
        &["9.16.1@5"],
    );
}

#[test]
fn the_lists_are_sorted_so_that_they_can_be_searched() {
    for list in &LISTS {
        assert!(
            list.codes.is_sorted() && !list.codes.is_empty(),
            "{}",
            list.name
        );
    }
    assert_eq!(RULES.len(), 124);
    for name in RULES
        .iter()
        .flat_map(|rule| rule.path.split('/'))
        .filter(|name| !name.is_empty())
    {
        assert!(
            number_of_name(name).is_some(),
            "{name} is a name of the schemas"
        );
    }
}

#[test]
fn every_rule_is_found_broken_and_kept() {
    for rule in RULES.iter().filter(|rule| rule.path != "/") {
        let good = LISTS[rule.list].codes[0];
        for (code, expected) in [(good, 0), ("no such code", 1)] {
            let names: Vec<&str> = rule
                .path
                .split('/')
                .filter(|name| !name.is_empty())
                .collect();
            let (last, above) = names.split_last().expect("a path has names");
            let beside = rule.when.map_or(String::new(), |(name, value, _)| {
                format!(" {name}='{value}'")
            });
            let tag = match rule.attribute {
                TEXT => format!("<{last}>{code}</{last}>"),
                name => format!("<{last}{beside} {name}='{code}'/>"),
            };
            let open: String = above.iter().map(|name| format!("<{name}>")).collect();
            let close: String = above
                .iter()
                .rev()
                .map(|name| format!("</{name}>"))
                .collect();
            let found = codes(&format!("{open}{tag}{close}"));
            let ours = found
                .iter()
                .filter(|found| found.split('@').next() == Some(rule.id))
                .count();
            assert_eq!(ours, expected, "rule {} with {code}: {found:?}", rule.id);
        }
        assert!(
            explanation(rule.id)
                .is_some_and(|text| text.contains(rule.attribute.trim_end_matches("()")))
        );
    }
}
