//! Organisation files: read, brought up to 2.03, written, and the same again.

use std::fs::File;
use std::io::Read;

use rsr_iati::model::{OrganisationElement, OrganisationHead};
use rsr_iati::reader::{OrganisationEvent, OrganisationReader};
use rsr_iati::schema::{FileKind, Version};
use rsr_iati::validate::{Options, validate};
use rsr_iati::writer::{FileOptions, OrganisationFileWriter};

use crate::data;
use crate::round_trip::xmllint;

type Organisation = (OrganisationHead, Vec<OrganisationElement>);

const SCHEMA: &str = "iati-organisations-schema.xsd";

/// Organisations in the order of 2.03, and the codes of what was found.
fn read(input: impl Read + Send) -> (Vec<Organisation>, Vec<String>) {
    let mut reader = OrganisationReader::new(input);
    let (mut all, mut codes) = (Vec::<Organisation>::new(), Vec::new());
    while let Some(event) = reader.next_event().unwrap() {
        match event {
            OrganisationEvent::Start(head, _) => all.push((head, Vec::new())),
            OrganisationEvent::Element(element, _) => all.last_mut().unwrap().1.push(element),
            OrganisationEvent::End => {
                let (_, elements) = all.last_mut().unwrap();
                elements.sort_by_key(OrganisationElement::rank);
            }
            OrganisationEvent::Skipped(finding) => unreachable!("{finding}"),
        }
        let found = reader.take_findings();
        codes.extend(found.iter().map(|finding| finding.code.to_string()));
    }
    (all, codes)
}

fn written(organisations: &[Organisation]) -> Vec<u8> {
    let mut file = OrganisationFileWriter::of_organisations(Vec::new(), &FileOptions::default());
    for (head, elements) in organisations {
        let mut organisation = file.organisation(head);
        for element in elements {
            organisation.element(element).unwrap();
        }
        organisation.end().unwrap();
    }
    file.finish().unwrap()
}

/// Writes what was read, has it validated by both, and reads it back.
fn check_round_trip(first: &[Organisation], name: &str) {
    let xml = written(first);
    let errors = xmllint(&xml, name, SCHEMA).unwrap_or_default();
    assert!(errors.is_empty(), "{name}: {errors}");
    let summary = validate(&xml[..], &Options::default(), &mut |_| {});
    assert!(summary.is_valid(), "{name}: {summary:?}");
    let (second, codes) = read(&xml[..]);
    assert_eq!(codes, Vec::<String>::new(), "{name}");
    assert_eq!(
        written(&second),
        xml,
        "{name}: writing again changes nothing"
    );
    let texts = |all: &[Organisation]| -> Vec<String> {
        let elements = all.iter().flat_map(|(_, elements)| elements);
        elements.map(OrganisationElement::to_xml).collect()
    };
    assert_eq!(second.len(), first.len(), "{name}");
    // A narrative does not repeat the organisation's own language.
    let own = first.iter().find_map(|(head, _)| head.language.clone());
    let own = own.map_or_else(String::new, |language| format!(" xml:lang=\"{language}\""));
    let plain = |all: &[Organisation]| texts(all).concat().replace(&own, "");
    if own.is_empty() {
        assert_eq!(second, first, "{name}");
    } else {
        assert_eq!(plain(&second), plain(first), "{name}");
    }
}

#[test]
fn real_files_of_2_03_come_back_valid_and_the_same() {
    let mut n = 0;
    let folders = data::folder().map(|folder| {
        let cases = folder.join("examples/schema-tests/organisation-tests/should-pass");
        [folder.join("real"), folder.join("examples"), cases]
    });
    for path in folders
        .iter()
        .flatten()
        .flat_map(|folder| data::xml_files(folder))
    {
        let name = data::name(&path);
        let summary = validate(File::open(&path).unwrap(), &Options::default(), &mut |_| {});
        let is_ours =
            summary.kind == Some(FileKind::Organisations) && summary.version >= Some(Version::V201);
        if !is_ours || !summary.is_valid() {
            continue;
        }
        let (organisations, mut codes) = read(File::open(&path).unwrap());
        // Some of the cases name a version of their own making.
        codes.retain(|code| code != "unknown-version");
        assert_eq!(codes, Vec::<String>::new(), "{name}");
        check_round_trip(&organisations, &name);
        n += organisations.len();
    }
    println!("{n} organisations there and back");
    assert!(n > 0 || data::folder().is_none(), "there is a file to read");
}

#[test]
fn an_organisation_of_1_0x_comes_out_as_valid_2_03() {
    let old = r#"<iati-organisations version="1.05" generated-datetime="2014-01-01T00:00:00">
        <iati-organisation version="1.05" xml:lang="en" default-currency="EUR">
        <document-link url="http://example.org/a" format="text/html"><title>Plan</title><title xml:lang="fr">Projet</title>
            <category code="B01">Annual report</category><language code="en">English</language></document-link>
        <name>Wells for all</name>
        <iati-identifier>XM-1</iati-identifier>
        <recipient-country-budget><recipient-country code="KE">Kenya</recipient-country>
            <value value-date="2014-01-01">5</value><period-start iso-date="2014-01-01"/>
            <period-end iso-date="2014-12-31"/></recipient-country-budget>
        <recipient-org-budget><recipient-org ref="XM-2">Pumps</recipient-org>
            <period-start iso-date="2014-01-01"/><period-end iso-date="2014-12-31"/>
            <value value-date="2014-01-01">7</value></recipient-org-budget>
        <total-budget><value value-date="2014-01-01">100</value><period-start>2014-01-01</period-start>
            <period-end iso-date="2014-12-31">end</period-end></total-budget>
        <name xml:lang="fr">Des puits pour tous</name>
        <reporting-org ref="XM-1" type="22">Wells for all</reporting-org>
        </iati-organisation></iati-organisations>"#;
    let (organisations, codes) = read(old.as_bytes());
    assert_eq!(codes, ["text-dropped"; 3], "category, language and a day");
    let [(_, elements)] = organisations.as_slice() else {
        panic!("there is one")
    };
    let of = |place: usize| elements[place].to_xml();
    assert_eq!(
        of(0),
        "<organisation-identifier>XM-1</organisation-identifier>"
    );
    assert_eq!(
        of(1),
        "<name><narrative>Wells for all</narrative><narrative xml:lang=\"fr\">Des puits pour tous</narrative></name>"
    );
    assert!(
        of(4).contains("<recipient-org ref=\"XM-2\"><narrative>Pumps</narrative></recipient-org>")
    );
    check_round_trip(&organisations, "upgraded.xml");
}

#[test]
fn the_standard_s_own_examples_of_1_0x_come_out_as_valid_2_03() {
    let folder = data::folder().map(|folder| folder.join("examples"));
    let files = folder.iter().flat_map(|folder| data::xml_files(folder));
    for path in files.filter(|path| {
        let name = data::name(path);
        name.starts_with("organisation") && name.contains("-1.0")
    }) {
        let (organisations, codes) = read(File::open(&path).unwrap());
        println!("{}: {codes:?}", data::name(&path));
        assert!(!organisations.is_empty(), "{}", data::name(&path));
        check_round_trip(&organisations, &data::name(&path));
    }
}
