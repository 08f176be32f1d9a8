//! 1.0x comes out as 2.03.

use rsr_iati::model::ActivityElement;
use rsr_iati::reader::{ActivityReader, Event};

/// Reads the children of one activity of 1.0x: what they became, and the codes of what was found.
fn upgraded(children: &str) -> (String, String) {
    let text = format!(
        "<iati-activities version=\"1.04\"><iati-activity version=\"1.04\">\
         <iati-identifier>A</iati-identifier>{children}</iati-activity></iati-activities>"
    );
    let mut reader = ActivityReader::new(text.as_bytes());
    let (mut xml, mut codes) = (String::new(), Vec::new());
    while let Some(event) = reader.next_event().unwrap() {
        match event {
            Event::Element(ActivityElement::Identifier(_), _) => {}
            Event::Element(element, _) => xml.push_str(&element.to_xml()),
            _ => {}
        }
        codes.extend(
            reader
                .take_findings()
                .iter()
                .map(|finding| finding.code.clone()),
        );
    }
    (xml, codes.join(" "))
}

#[track_caller]
fn check(old: &str, new: &str, codes: &str) {
    assert_eq!(upgraded(old), (new.to_owned(), codes.to_owned()), "{old}");
}

#[test]
fn texts_become_narratives_with_all_their_languages() {
    check(
        "<title xml:lang='en'>A</title><sector vocabulary='DAC' code='11220'>Schools</sector><title xml:lang='fr'>B</title>",
        "<sector vocabulary=\"1\" code=\"11220\"><narrative>Schools</narrative></sector>\
         <title><narrative xml:lang=\"en\">A</narrative><narrative xml:lang=\"fr\">B</narrative></title>",
        "",
    );
    check(
        "<result type='1'><title>A</title><title xml:lang='es'>B</title></result>",
        "<result type=\"1\"><title><narrative>A</narrative><narrative xml:lang=\"es\">B</narrative></title></result>",
        "",
    );
}

#[test]
fn words_become_codes() {
    check(
        "<activity-date type='end-planned' iso-date='2012-01-01'/>",
        "<activity-date type=\"3\" iso-date=\"2012-01-01\"/>",
        "",
    );
    check(
        "<activity-date type='start-actual'>2012-01-01</activity-date>",
        "<activity-date type=\"2\" iso-date=\"2012-01-01\"/>",
        "",
    );
    check(
        "<participating-org role='Implementing' ref='X'>Y</participating-org>",
        "<participating-org ref=\"X\" role=\"4\"><narrative>Y</narrative></participating-org>",
        "",
    );
    check("<budget type='revised'/>", "<budget type=\"2\"/>", "");
    check(
        "<transaction><transaction-type code='D'>Disbursement</transaction-type></transaction>",
        "<transaction><transaction-type code=\"3\"/></transaction>",
        "text-dropped",
    );
    check(
        "<sector vocabulary='WB' code='1'/>",
        "<sector vocabulary=\"WB\" code=\"1\"/>",
        "no-equivalent",
    );
}

#[test]
fn places_find_their_place() {
    check(
        "<location percentage='50'><coordinates latitude='1.5' longitude='-2' precision='1'/>\
         <gazetteer-entry gazetteer-ref='GEO'>123</gazetteer-entry><location-type code='PPL'/><name>X</name></location>",
        "<location><location-id code=\"123\" vocabulary=\"G1\"/><name><narrative>X</narrative></name>\
         <point srsName=\"http://www.opengis.net/def/crs/EPSG/0/4326\"><pos>1.5 -2</pos></point>\
         <exactness code=\"1\"/><feature-designation code=\"PPL\"/></location>",
        "no-equivalent",
    );
}

#[test]
fn the_language_of_a_document_keeps_its_code() {
    let new = "<document-link url=\"http://a.b\"><language code=\"fr\"/></document-link>";
    for language in [
        "<language> fr </language>",
        "<language code=''>fr</language>",
        "<language code='fr'/>",
    ] {
        check(
            &format!("<document-link url='http://a.b'>{language}</document-link>"),
            new,
            "",
        );
    }
    // 1.01 and 1.02 had it as an attribute.
    check("<document-link url='http://a.b' language='fr'/>", new, "");
    check(
        "<document-link url='http://a.b' language='en'><language code='fr'>French</language></document-link>",
        new,
        "text-dropped",
    );
    // A name is no code, and none is made of it.
    check(
        "<document-link url='http://a.b'><language>French</language></document-link>",
        "<document-link url=\"http://a.b\"><language/></document-link>",
        "text-dropped",
    );
}

#[test]
fn owners_of_identifiers_become_elements() {
    check(
        "<other-identifier owner-ref='X' owner-name='Y'>123</other-identifier>",
        "<other-identifier ref=\"123\"><owner-org ref=\"X\"><narrative>Y</narrative></owner-org></other-identifier>",
        "no-equivalent",
    );
}

#[test]
fn what_has_no_equivalent_is_kept_and_told() {
    check(
        "<activity-website>http://a.b</activity-website>",
        "<activity-website>http://a.b</activity-website>",
        "no-equivalent",
    );
}

#[test]
fn a_file_without_a_version_that_is_a_newer_one_comes_through_whole() {
    let text = "<iati-activities><iati-activity><title><narrative>A</narrative></title>\
        <activity-date type=\"1\" iso-date=\"2020-01-01\"/></iati-activity></iati-activities>";
    let mut reader = ActivityReader::new(text.as_bytes());
    let mut xml = String::new();
    while let Some(event) = reader.next_event().unwrap() {
        if let Event::Element(element, _) = event {
            xml.push_str(&element.to_xml());
        }
    }
    assert_eq!(
        xml,
        "<activity-date type=\"1\" iso-date=\"2020-01-01\"/><title><narrative>A</narrative></title>"
    );
}
