use std::io;

use super::*;
use crate::schema::Code;
use crate::validate::{Options, validate};

const FILE: &str = "<iati-activities version='2.03'>
<iati-activity><iati-identifier>A \"1\"\\</iati-identifier><title><narrative>Line
two</narrative></title><activity-status code='77'/><activity-status code='78'/></iati-activity>
</iati-activities>";

#[test]
fn json_has_the_shape_of_the_official_report() {
    let mut report = JsonReport::new(Vec::new());
    let summary = validate(FILE.as_bytes(), &Options::default(), &mut |group| {
        report.group(&group);
    });
    let text = String::from_utf8(report.finish(&summary).expect("memory can be written"))
        .expect("it is UTF-8");
    let json: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(json["valid"], false);
    assert_eq!(
        (&json["fileType"], &json["iatiVersion"]),
        (&"iati-activities".into(), &"2.03".into())
    );
    assert_eq!(json["summary"]["critical"], summary.n_critical);
    let activity = &json["errors"][0];
    assert_eq!(
        (&activity["identifier"], &activity["title"]),
        (&"A \"1\"\\".into(), &"Line\ntwo".into())
    );
    let information = activity["errors"]
        .as_array()
        .expect("categories")
        .iter()
        .find(|it| it["category"] == "information");
    let errors = information.expect("the category is there")["errors"]
        .as_array()
        .expect("errors");
    let status = errors
        .iter()
        .find(|it| it["id"] == "9.5.1")
        .expect("the code is there");
    assert_eq!(
        (&status["severity"], &status["codelist"]),
        (&"error".into(), &"ActivityStatus".into())
    );
    assert_eq!(
        status["context"].as_array().map(Vec::len),
        Some(2),
        "one place each"
    );
    assert_eq!(status["context"][0]["line"], 3);
}

#[test]
fn a_file_without_findings_has_an_empty_report() {
    let report = JsonReport::new(Vec::new());
    let text = report
        .finish(&crate::validate::Summary::default())
        .expect("memory can be written");
    let json: serde_json::Value = serde_json::from_slice(&text).expect("it is JSON");
    assert_eq!(
        (&json["valid"], &json["errors"]),
        (&true.into(), &serde_json::json!([]))
    );
}

#[test]
fn text_has_a_line_a_finding() {
    let mut report = TextReport::new(Vec::new(), "a.xml");
    validate(FILE.as_bytes(), &Options::default(), &mut |group| {
        report.group(&group);
    });
    let text =
        String::from_utf8(report.finish().expect("memory can be written")).expect("it is UTF-8");
    assert!(
        text.lines()
            .any(|line| line.starts_with("a.xml:3: error 9.5.1 code \"77\" is not on")),
        "{text}"
    );
}

#[test]
fn trouble_with_writing_is_told_at_the_end() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut report = JsonReport::new(Full);
    let summary = validate(FILE.as_bytes(), &Options::default(), &mut |group| {
        report.group(&group);
    });
    assert_eq!(
        report
            .finish(&summary)
            .map(|_| ())
            .expect_err("it is full")
            .kind(),
        io::ErrorKind::StorageFull
    );
}

#[test]
fn every_code_is_explained() {
    for code in Code::ALL {
        assert!(
            explain(code.as_str()).is_some_and(|text| text.contains("\nSource: ")),
            "{code:?}"
        );
    }
    for code in [
        "9.5.1",
        "11.1.2",
        "2.1.2",
        "1.1.2",
        "rules-too-large",
        "xml-doctype",
    ] {
        assert!(
            explain(code).is_some_and(|text| text.contains("\nSource: ")),
            "{code}"
        );
    }
    assert_eq!(explain("no such code"), None);
}

#[test]
fn every_code_that_the_sources_name_is_explained() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let code = regex_lite::Regex::new(
        r#"(?:Severity::[A-Z][a-z]+,|find\(|refuse\(|linked\([a-z]+,)\s*"([a-z]+(?:[-.][a-z0-9]+)+)"#,
    )
    .expect("it is a pattern");
    let mut folders = vec![here.join("src"), here.join("../rsr-store/src/import")];
    let mut n = 0;
    while let Some(folder) = folders.pop() {
        // The crate may be on its own.
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            #[expect(clippy::disallowed_methods, reason = "a test reads sources")]
            let text = std::fs::read_to_string(&path).expect("a source can be read");
            for found in code.captures_iter(&text) {
                let code = found.get(1).map_or("", |code| code.as_str());
                assert!(explain(code).is_some(), "{code} of {}", path.display());
                n += 1;
            }
        }
    }
    assert!(n > 20, "{n} codes are found in the sources");
}
