//! Reading real files and small ones of every version.

use std::collections::BTreeMap;
use std::fs::File;

use rsr_iati::model::{ActivityElement, Value as _};
use rsr_iati::reader::{ActivityReader, Event, FileKind, Version};

use crate::data;

#[test]
fn real_files_give_the_activities_that_their_readme_counts() {
    // File, activities, transactions, whether it ends early.
    let expected: &[(&str, u64, u64, bool)] = &[
        ("acfspain-es-2.03.xml", 2, 17, false),
        ("acfspain-ml-results-2.03.xml", 1, 6, false),
        ("afdb-ag-results-2.01.xml", 10, 194, false),
        ("be-ngofederatie-results-hierarchy-2.02.xml", 18, 565, false),
        ("beis-rs-newton-hierarchy-2.03.xml", 150, 600, false),
        ("cabei-results-2.03.xml", 92, 1154, false),
        ("dfid-congo-drc-hierarchy-1.01.xml", 205, 815, false),
        (
            "dportal-page109-unhcr-undp-results-2.03.xml",
            100,
            1345,
            false,
        ),
        (
            "dportal-page31-periods-dimensions-2.03.xml",
            100,
            922,
            false,
        ),
        ("dportal-page4-worldbank-invalid-2.03.xml", 100, 140, false),
        ("hiv-alliance-notwellformed-1.01.xml", 1, 0, true),
        ("indigo-trust-1.01.xml", 57, 55, false),
        ("iom-organisation-2.03.xml", 0, 0, false),
        ("ocha-fts-noversion.xml", 287, 383, false),
        ("sida-many-siblings-1.00.xml", 54, 92, false),
        ("spain-maec-indonesia-2.01.xml", 83, 216, false),
        ("undp-congo-invalid-1.0.xml", 656, 828, false),
        ("undp-lka-bad-1.0.xml", 127, 86, false),
        ("undp-lka-ugly-notwellformed-1.0.xml", 127, 86, true),
        ("usaid-sv-2.03.xml", 272, 3092, false),
        ("worldbank-sv-2.03.xml", 13, 632, false),
        ("worldbank-tz-invalid-1.01.xml", 59, 317, false),
        ("wri-strategic-plan-results-2.03.xml", 1, 2, false),
    ];
    for path in data::real_files() {
        let name = data::name(&path);
        let Some(expected) = expected.iter().find(|(known, ..)| *known == name) else {
            continue;
        };
        let mut reader = ActivityReader::new(File::open(&path).unwrap());
        let mut transactions = 0;
        let mut codes = BTreeMap::new();
        let cut_short = loop {
            let event = reader.next_event();
            for finding in reader.take_findings() {
                *codes.entry((finding.code, finding.severity)).or_insert(0) += finding.count;
            }
            match event {
                Ok(Some(Event::Element(ActivityElement::Transaction(_), _))) => transactions += 1,
                Ok(Some(_)) => {}
                Ok(None) => break false,
                Err(error) => {
                    println!("{name}: {error}");
                    break true;
                }
            }
        };
        println!("{name}: {codes:?}");
        assert_eq!(
            (
                name.as_str(),
                reader.counts().n_read,
                transactions,
                cut_short
            ),
            *expected
        );
    }
}

/// What a small file is: its kind and version, the titles of its activities, and the codes of what was found.
fn outline(file: &str) -> (FileKind, Version, Vec<String>, Vec<String>) {
    let mut reader = ActivityReader::new(file.as_bytes());
    let (mut titles, mut codes) = (Vec::new(), Vec::new());
    let mut is_ended = false;
    while !is_ended {
        match reader.next_event().unwrap() {
            Some(Event::Element(ActivityElement::Title(title), _)) => {
                let texts = title.narratives.into_iter();
                titles.extend(texts.map(|narrative| narrative.text));
            }
            Some(_) => {}
            None => is_ended = true,
        }
        let found = reader.take_findings();
        codes.extend(found.iter().map(|finding| finding.code.to_string()));
    }
    assert_eq!(reader.counts().n_findings, codes.len() as u64, "{file}");
    let head = reader.file();
    (head.kind, head.version, titles, codes)
}

/// An activity with an identifier and this text as its title.
fn titled(title: &str) -> String {
    format!(
        "<iati-activity><iati-identifier>A</iati-identifier><title><narrative>{title}</narrative></title></iati-activity>"
    )
}

#[track_caller]
fn check(file: &str, kind: FileKind, version: Version, titles: &[&str], codes: &[&str]) {
    let (found_kind, found_version, found_titles, found_codes) = outline(file);
    assert_eq!((found_kind, found_version), (kind, version), "{file}");
    assert_eq!(found_titles, titles, "{file}");
    assert_eq!(found_codes, codes, "{file}");
}

#[test]
fn activities_are_found_in_roots_of_any_kind() {
    use FileKind::{Activities, Organisations, Other};
    use Version::{V101, V105, V203};
    let (one, two) = (titled("one"), titled("two"));
    let file = |version: &str, inside: &str| {
        format!("<iati-activities version='{version}'>{inside}</iati-activities>")
    };
    check(&file("2.03", &one), Activities, V203, &["one"], &[]);
    check(
        &file("2.09", &one),
        Activities,
        V203,
        &["one"],
        &["unknown-version"],
    );
    check(
        &file("1.09", &one),
        Activities,
        V105,
        &["one"],
        &["unknown-version"],
    );
    check(&file("", &one), Activities, V101, &["one"], &[]);
    check(&one, Activities, V101, &["one"], &["nested-root"]);
    let nested = file("2.03", &format!("{one}{}", file("2.03", &two)));
    check(&nested, Activities, V203, &["one", "two"], &["nested-root"]);
    let wrapped = format!("<feed><entry>{}</entry></feed>", file("2.03", &one));
    check(
        &wrapped,
        Activities,
        V203,
        &["one"],
        &["not-iati", "nested-root"],
    );
    check("<feed/>", Other, V101, &[], &["not-iati"]);
    // An organisation file is told apart, and what stands in it is not mistaken for an activity.
    let organisations = format!("<iati-organisations version='2.03'>{one}</iati-organisations>");
    check(
        &organisations,
        Organisations,
        V203,
        &[],
        &["organisation-file"],
    );
    // Elements of another namespace are none of ours, whatever their name.
    let foreign = file("2.03", "<x:iati-activity xmlns:x='urn:x'/>");
    check(&foreign, Activities, V203, &[], &[]);
}

#[test]
fn text_is_what_xml_says_it_is() {
    for (written, text) in [
        ("a<![CDATA[<b> & ]]>c", "a<b> & c"),
        ("a<!-- not this -->b<?nor this?>c", "abc"),
        (
            "&lt;&amp;&gt;&apos;&quot;&#233;&#xe9;&#x1F600;",
            "<&>'\"éé\u{1f600}",
        ),
        ("one\r\ntwo\rthree\nfour", "one\ntwo\nthree\nfour"),
        ("&#13;", "\r"),
        (" \t kept \n ", " \t kept \n "),
    ] {
        let file = format!(
            "<iati-activities version='2.03'>{}</iati-activities>",
            titled(written)
        );
        check(&file, FileKind::Activities, Version::V203, &[text], &[]);
    }
}

#[test]
fn what_is_empty_is_no_zero() {
    let file = "<iati-activities version='2.03'><iati-activity hierarchy=''><iati-identifier>A</iati-identifier>\
        <budget><value currency='EUR'/></budget><capital-spend percentage=''/><capital-spend/>\
        </iati-activity></iati-activities>";
    let mut reader = ActivityReader::new(file.as_bytes());
    let mut seen = Vec::new();
    while let Some(event) = reader.next_event().unwrap() {
        match event {
            Event::ActivityStart(head, _) => {
                let level = head.hierarchy.unwrap();
                seen.push((level.text().to_owned(), level.value().is_some()));
            }
            Event::Element(ActivityElement::Budget(budget), _) => {
                let amount = budget.value.unwrap().amount;
                seen.push((amount.text().to_owned(), amount.value().is_some()));
            }
            Event::Element(ActivityElement::CapitalSpend(spend), _) => {
                let percentage = spend.percentage;
                seen.push(percentage.map_or(("none".to_owned(), false), |number| {
                    (number.text().to_owned(), number.value().is_some())
                }));
            }
            _ => {}
        }
    }
    let nothing = (String::new(), false);
    assert_eq!(
        seen,
        [
            nothing.clone(),
            nothing.clone(),
            nothing,
            ("none".to_owned(), false)
        ]
    );
}
