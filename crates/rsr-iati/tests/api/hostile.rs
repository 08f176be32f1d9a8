//! Input made to hurt: each ends in an error or a finding with a line, none in a panic.

use std::io::Write as _;

use rsr_iati::lossless::filter;
use rsr_iati::reader::{ActivityReader, Event, ReadOptions};

/// What ended reading, or the codes of what was found.
fn outcome(input: &[u8]) -> String {
    outcome_with(input, &ReadOptions::default())
}

fn outcome_with(input: &[u8], options: &ReadOptions) -> String {
    let mut reader = ActivityReader::with_options(input, options);
    let mut codes = Vec::new();
    loop {
        let event = reader.next_event();
        codes.extend(
            reader
                .take_findings()
                .iter()
                .map(|finding| format!("{}@{}", finding.code, finding.position.line)),
        );
        match event {
            Ok(Some(_)) => {}
            Ok(None) => return codes.join(" "),
            Err(error) => {
                return format!("{} error: {error}", codes.join(" "))
                    .trim_start()
                    .to_owned();
            }
        }
    }
}

#[track_caller]
fn check(input: impl AsRef<[u8]>, expected: &str) {
    assert_eq!(outcome(input.as_ref()), expected, "what reading came upon");
}

fn activity(inside: &str) -> String {
    format!(
        "<iati-activities version='2.03'>\n<iati-activity><iati-identifier>A</iati-identifier>{inside}\
         </iati-activity></iati-activities>"
    )
}

#[test]
fn entities_never_expand() {
    let laughs = "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>\n";
    let text = activity("<title><narrative>&b;</narrative></title>");
    check(
        format!("{laughs}{text}"),
        "xml-doctype@1 xml-undefined-entity@3",
    );
    let external = "<!DOCTYPE x [<!ENTITY f SYSTEM \"file:///etc/passwd\">]>\n";
    let text = activity("<title><narrative>&f;</narrative></title>");
    check(
        format!("{external}{text}"),
        "xml-doctype@1 xml-undefined-entity@3",
    );
}

#[test]
fn forbidden_characters_are_found_wherever_they_stand() {
    check(
        activity("<title><narrative>\0</narrative></title>"),
        "xml-forbidden-character@2",
    );
    check(
        activity("<title><narrative>&#0;</narrative></title>"),
        "xml-forbidden-character@2",
    );
    check(
        activity("<title><narrative>&#x1F;</narrative></title>"),
        "xml-forbidden-character@2",
    );
    check(
        activity("<title><narrative>\u{fffe}</narrative></title>"),
        "xml-forbidden-character@2",
    );
    check(
        activity("<related-activity ref='\u{1}' type='1'/>"),
        "xml-forbidden-character@2",
    );
}

#[test]
fn what_is_no_xml_is_said_to_be_none() {
    for bytes in [
        &b"\x89PNG\r\n\x1a\n\0\0"[..],
        b"PK\x03\x04",
        b"%PDF-1.7",
        b"{\"a\": 1}",
        b"\xd0\xcf\x11\xe0",
        b"a,b\n1,2",
    ] {
        let outcome = outcome(bytes);
        assert!(outcome.contains("this is not XML"), "{outcome}");
    }
    check(
        "",
        "error: line 1, column 1: not well-formed: this is not XML: there is no element in it",
    );
    check("<html><body/></html>", "not-iati@1");
}

#[test]
fn wrong_encodings_are_found() {
    let mut bytes = activity("<title><narrative>X</narrative></title>").into_bytes();
    let at = bytes.iter().rposition(|&b| b == b'X').expect("it is there");
    bytes[at] = 0xe9;
    check(&bytes, "xml-wrong-encoding@2");
    check(
        "<?xml version='1.0' encoding='klingon'?><iati-activities version='2.03'/>",
        "xml-unknown-encoding@1",
    );
    let odd = [
        &[0xff, 0xfe][..],
        &"<iati-activities/>"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>(),
        b"<",
    ]
    .concat();
    assert!(outcome(&odd).contains("error"), "{}", outcome(&odd));
}

#[test]
fn a_gzip_stream_cut_short_is_an_error() {
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(activity("<title/>").as_bytes()).unwrap();
    let zipped = zip.finish().unwrap();
    check(&zipped, "");
    for len in [2, 10, zipped.len() / 2, zipped.len() - 1] {
        let outcome = outcome(&zipped[..len]);
        assert!(outcome.contains("cannot be read"), "{len}: {outcome}");
    }
}

#[test]
fn a_field_too_large_costs_its_activity_and_no_other() {
    let mut options = ReadOptions::default();
    options.limits.field_bytes = 1000;
    let long = "x".repeat(2000);
    let text = format!(
        "<iati-activities version='2.03'>\n<iati-activity><iati-identifier>A</iati-identifier>\
         \n<title><narrative>{long}</narrative></title></iati-activity>\
         <iati-activity><iati-identifier>B</iati-identifier></iati-activity></iati-activities>"
    );
    let mut reader = ActivityReader::with_options(text.as_bytes(), &options);
    let mut skipped = Vec::new();
    while let Some(event) = reader.next_event().unwrap() {
        if let Event::ActivitySkipped(finding) = event {
            skipped.push(finding);
        }
    }
    assert_eq!((reader.counts().n_read, reader.counts().n_skipped), (2, 1));
    let [finding] = skipped.as_slice() else {
        panic!("one is skipped, not {}", skipped.len())
    };
    assert_eq!((&*finding.code, finding.line()), ("field-too-large", 3));
    assert_eq!(finding.identifier.as_deref(), Some("A"));
    assert_eq!(
        finding.path,
        "iati-activities/iati-activity/title/narrative"
    );
    options.strict = true;
    let outcome = outcome_with(text.as_bytes(), &options);
    assert!(
        outcome.contains("the text of <narrative> is over the limit of 1000 bytes"),
        "{outcome}"
    );
}

#[test]
fn what_goes_over_a_limit_is_skipped_with_its_place_and_the_next_is_read() {
    let deep = format!("{}{}", "<b>".repeat(200), "</b>".repeat(200));
    let many: String = (0..300).map(|n| format!(" a{n}=''")).collect();
    let name = "n".repeat(1025);
    for (inside, path, what) in [
        (format!("<result>{deep}</result>"), "b", "depth"),
        (format!("<sector{many}/>"), "sector", "attributes"),
        (format!("<{name}/>"), "nnn", "name"),
        (format!("<sector {name}='1'/>"), "sector", "name"),
    ] {
        let text = activity(&format!("\n  {inside}")).replace(
            "</iati-activities>",
            "<iati-activity><iati-identifier>B</iati-identifier></iati-activity></iati-activities>",
        );
        let mut reader = ActivityReader::new(text.as_bytes());
        let (mut skipped, mut ended) = (Vec::new(), 0);
        while let Some(event) = reader.next_event().unwrap() {
            match event {
                Event::ActivitySkipped(finding) => skipped.push(finding),
                Event::ActivityEnd => ended += 1,
                _ => {}
            }
            assert!(
                reader
                    .take_findings()
                    .iter()
                    .all(|f| f.code != "over-limit")
            );
        }
        let counts = reader.counts();
        assert_eq!(
            (counts.n_read, counts.n_skipped, ended),
            (2, 1, 1),
            "{what}"
        );
        let [finding] = skipped.as_slice() else {
            panic!("one is skipped, not {}", skipped.len())
        };
        assert_eq!((&*finding.code, finding.line()), ("over-limit", 3));
        assert!(finding.position.column > 2, "{finding:?}");
        assert_eq!(finding.identifier.as_deref(), Some("A"), "{what}");
        assert!(finding.message.contains(what), "{finding}");
        assert!(
            finding.path.starts_with("iati-activities/iati-activity/"),
            "{finding}"
        );
        let last = finding.path.rsplit('/').next().unwrap_or_default();
        assert!(last.starts_with(path), "{finding}");
    }
}

#[test]
fn an_activity_is_passed_on_whatever_limits_it_goes_over() {
    let many: String = (0..300).map(|n| format!(" a{n}=''")).collect();
    let deep = format!("{}{}", "<b>".repeat(200), "</b>".repeat(200));
    let text = activity(&format!("<sector{many}/>{deep}<!-- x --><title/>"));
    let mut out = Vec::new();
    let tally = filter(text.as_bytes(), &mut out, &mut |_| true).unwrap();
    assert_eq!((tally.n_read, tally.n_written), (1, 1));
    let from = text.find("<iati-activity>").unwrap();
    let to = text.find("</iati-activities>").unwrap();
    let written = String::from_utf8(out).unwrap();
    let own = text.get(from..to).unwrap();
    assert!(written.contains(own), "byte for byte");
}

#[test]
fn strict_reading_stops_at_the_first_error() {
    let mut options = ReadOptions::default();
    options.strict = true;
    let text = activity("<capital-spend percentage='15%'/><title/>");
    let outcome = outcome_with(text.as_bytes(), &options);
    assert!(
        outcome.contains("@percentage is not a decimal number: \"15%\""),
        "{outcome}"
    );
}
