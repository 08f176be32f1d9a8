use super::*;

/// The groups as lines: identifier, title, codes.
fn groups(xml: &str) -> (Vec<String>, Summary) {
    let mut lines = Vec::new();
    let summary = validate(
        xml.as_bytes(),
        &Options {
            rules: None,
            ..Options::default()
        },
        &mut |group| {
            let codes: Vec<_> = group
                .findings
                .iter()
                .map(|f| format!("{}@{}", f.code, f.line))
                .collect();
            lines.push(format!(
                "{}|{}|{}",
                group.identifier,
                group.title,
                codes.join(" ")
            ));
        },
    );
    (lines, summary)
}

#[test]
fn findings_belong_to_their_activity() {
    let (lines, summary) = groups(
        "<iati-activities version='2.03' wrong=''>
        <iati-activity><iati-identifier> A-1 </iati-identifier><title><narrative>One</narrative><narrative>Un</narrative></title></iati-activity>
        <iati-activity><iati-identifier>A-2</iati-identifier></iati-activity>
        </iati-activities>",
    );
    assert_eq!(
        lines,
        [
            "A-1|One|schema-unexpected-element@2",
            "A-2||schema-missing-element@3",
            "file|File level errors|schema-unknown-attribute@1"
        ]
    );
    assert_eq!(
        (summary.n_critical, summary.n_subjects, summary.is_valid()),
        (3, 2, false)
    );
}

#[test]
fn broken_xml_is_a_finding_and_what_came_before_is_kept() {
    let (lines, summary) =
        groups("<iati-activities version='2.03'>\n<iati-activity><title/>\n</oops>");
    assert_eq!(
        lines,
        [
            "||schema-unexpected-element@2 schema-missing-element@2",
            "file|File level errors|xml-not-well-formed@3"
        ]
    );
    assert!(summary.is_cut_short);
    let (lines, _) = groups("no XML at all");
    assert_eq!(lines, ["file|File level errors|xml-not-well-formed@1"]);
}

#[test]
fn more_findings_than_fit_are_counted() {
    let attributes: String = (0..20).map(|n| format!(" a{n}=''")).collect();
    let xml = format!(
        "<iati-activities version='2.03'><iati-activity{attributes}></iati-activity></iati-activities>"
    );
    let options = Options {
        findings_max: 5,
        rules: None,
        ..Options::default()
    };
    let mut seen = Vec::new();
    let summary = validate(xml.as_bytes(), &options, &mut |group| {
        seen.push((group.findings.len(), group.n_left_out));
    });
    assert_eq!((seen, summary.n_critical), (vec![(5, 16)], 21));
}

#[test]
fn schema_codelists_and_rules_are_checked_in_one_reading() {
    let xml = "<iati-activities version='2.03'>
        <iati-activity default-currency='EUR' xml:lang='en'><iati-identifier>A-1</iati-identifier>
        <activity-status code='77'/>
        <activity-date type='1' iso-date='2024-02-01'/><activity-date type='3' iso-date='2024-01-01'/>
        </iati-activity>
        <iati-activity><iati-identifier>A-1</iati-identifier></iati-activity></iati-activities>";
    let mut codes = Vec::new();
    let summary = validate(xml.as_bytes(), &Options::default(), &mut |group| {
        codes.extend(
            group
                .findings
                .iter()
                .map(|f| format!("{}@{}", f.code, f.line)),
        );
    });
    for expected in [
        "schema-unexpected-element@3",
        "9.5.1@3",
        "11.1.2@4",
        "1.1.2@6",
    ] {
        assert!(
            codes.iter().any(|code| code == expected),
            "{expected} is not among {codes:?}"
        );
    }
    assert!(summary.n_critical > 0 && summary.n_error > 0 && summary.n_warning > 0);
    let old = xml.replace("2.03", "1.05");
    let mut codes = Vec::new();
    validate(old.as_bytes(), &Options::default(), &mut |group| {
        codes.extend(group.findings.into_iter().map(|f| f.code));
    });
    assert!(
        codes
            .iter()
            .all(|code| code.starts_with("schema-") || code == "1.1.2"),
        "rules are for 2.01 on: {codes:?}"
    );
}
