use super::simple::trim;
use super::tables::{Content, NO_NAME, SimpleType, lookup, name_of, type_of};
use super::*;
use crate::xml::{Reader, Token};

#[track_caller]
fn check(simple: SimpleType, good: &[&str], bad: &[&str]) {
    for text in good {
        assert!(simple.accepts(text), "{text:?} is a value of {simple:?}");
    }
    for text in bad {
        assert!(!simple.accepts(text), "{text:?} is no value of {simple:?}");
    }
}

#[test]
fn dates_are_days_that_exist() {
    check(
        SimpleType::Date,
        &[
            "2020-02-29",
            "2000-02-29",
            "-0001-01-01",
            "12020-01-01",
            "2020-01-01Z",
            "2020-01-01-13:59",
            "2020-01-01+14:00",
        ],
        &[
            "",
            "2019-02-29",
            "1900-02-29",
            "0000-01-01",
            "02020-01-01",
            "2020-1-1",
            "2020-13-01",
            "2020-04-31",
            "2020-01-01+14:01",
            " 2020-01-01",
            "2020-01-01T00:00:00",
        ],
    );
    check(
        SimpleType::DateTime,
        &[
            "2020-01-01T24:00:00",
            "2020-01-01T23:59:59.999Z",
            "2020-01-01T10:00:00+02:00",
        ],
        &[
            "2020-01-01",
            "2020-01-01 10:00:00",
            "2020-01-01T24:00:01",
            "2020-01-01T23:59:60",
            "2020-01-01T10:00",
            "2020-01-01T10:00:00.",
        ],
    );
}

#[test]
fn numbers_have_no_exponent_and_no_separator() {
    check(
        SimpleType::Decimal,
        &["0", "-1.5", "+.5", "5.", " 7 ", "123456789012345678901234"],
        &[
            "",
            ".",
            "-",
            "1e5",
            "1,000",
            "15%",
            "INF",
            "1234567890123456789012345",
            "0x1",
        ],
    );
    check(
        SimpleType::Int,
        &["2147483647", "-2147483648", "+0"],
        &["2147483648", "-2147483649", "1.0", " 1", ""],
    );
    check(SimpleType::Positive, &["1", "007"], &["0", "-1", "1.5"]);
    check(SimpleType::NonNegative, &["0", "-0", "7"], &["-1", ""]);
}

#[test]
fn addresses_are_read_as_generously_as_libxml2_reads_them() {
    check(
        SimpleType::Uri,
        &[
            "",
            "http://a/b",
            "www.a.org",
            "http://a/é <b>",
            "x y",
            "a:b",
            "/x:y",
            "http://[::1]:80/",
            "//a/b",
            "#x",
        ],
        &[
            "http://a/%2",
            "1a:b",
            "http://a:x/",
            "http://a:/",
            "#a#b",
            "http://a/[b]",
            "::",
        ],
    );
}

#[test]
fn a_language_may_be_taken_back() {
    check(
        SimpleType::Lang,
        &["", "en", "pt-BR", "x-klingon"],
        &[" ", "en_US", "en-", "français", "portuguese-br"],
    );
}

#[test]
fn every_name_of_the_tables_is_found_again() {
    for (place, name) in generated::NAMES.iter().enumerate() {
        let id = lookup(name.as_bytes());
        assert_eq!((usize::from(id), name_of(id)), (place, *name));
    }
    for other in ["", "iati", "titel", "iati-activity ", "xmlns"] {
        assert_eq!(lookup(other.as_bytes()), NO_NAME, "{other}");
    }
}

#[test]
fn the_tables_hold_together() {
    for it in &generated::TYPES {
        assert!(
            it.attributes.len() <= 32,
            "the seen ones are counted in 32 bits"
        );
        let (Content::Sequence { particles, .. } | Content::Choice { particles, .. }) = &it.content
        else {
            continue;
        };
        assert!(particles.len() < 255, "places are counted in a byte");
        for particle in *particles {
            assert!(
                usize::from(particle.1) < generated::TYPES.len(),
                "its type is there"
            );
        }
    }
    for version in Version::ALL {
        for (kind, root) in [
            (FileKind::Activities, "iati-activities"),
            (FileKind::Organisations, "iati-organisations"),
        ] {
            let schema = tables::Schema::find(version.as_str(), kind)
                .expect("each version has both schemas");
            let root = schema
                .element(lookup(root.as_bytes()))
                .expect("it declares its root");
            assert!(matches!(
                type_of(root).content,
                Content::Sequence { .. } | Content::Choice { .. }
            ));
        }
    }
}

#[test]
fn old_and_missing_versions_are_read_as_1_01() {
    for text in [None, Some(""), Some("1.0"), Some(" 1.00 "), Some("1.01")] {
        assert_eq!(Version::of_attribute(text), Some(Version::V101), "{text:?}");
    }
    assert_eq!(Version::of_attribute(Some("2.03")), Some(Version::V203));
    assert_eq!(Version::of_attribute(Some("2.3")), None);
    assert_eq!(trim("\t 2.03\r\n"), "2.03");
}

/// A value of a type.
fn sample(simple: SimpleType) -> &'static str {
    match simple {
        SimpleType::Text | SimpleType::NameToken | SimpleType::Name => "x",
        SimpleType::Uri => "http://example.org",
        SimpleType::Boolean
        | SimpleType::Int
        | SimpleType::Integer
        | SimpleType::NonNegative
        | SimpleType::Positive => "1",
        SimpleType::Date => "2024-02-29",
        SimpleType::DateTime => "2024-02-29T00:00:00Z",
        SimpleType::Decimal => "1.5",
        SimpleType::Language | SimpleType::Lang => "fr",
        SimpleType::Space => "preserve",
    }
}

/// The attributes of a type, each once.
fn all_attributes(id: tables::TypeId) -> String {
    let known = type_of(id).attributes.iter();
    known
        .map(|it| format!(" {}=\"{}\"", name_of(it.0), sample(it.1)))
        .collect()
}

/// An element with everything that the tables name in it, each once.
fn all_of(name: &str, id: tables::TypeId) -> String {
    let inside = match &type_of(id).content {
        Content::Anything => "x".to_owned(),
        Content::Text(simple) => sample(*simple).to_owned(),
        Content::Sequence { particles, .. } | Content::Choice { particles, .. } => {
            let named = particles.iter().filter(|particle| particle.0 != NO_NAME);
            named
                .map(|particle| all_of(name_of(particle.0), particle.1))
                .collect()
        }
    };
    format!("<{name}{}>{inside}</{name}>", all_attributes(id))
}

/// Names and values, in no order.
fn words(xml: &str) -> Vec<String> {
    // An element without content is written in two ways.
    let mut words: Vec<String> = xml
        .split(['<', '>', ' '])
        .map(|word| word.trim_end_matches('/').to_owned())
        .filter(|word| !word.is_empty() && !word.starts_with('/'))
        .collect();
    words.sort();
    words
}

/// The children of a root's element by the tables of 2.03, and its own attributes.
fn children_by_tables(kind: FileKind, name: &str) -> (Vec<String>, String) {
    let schema = tables::Schema::find("2.03", kind).unwrap();
    let id = schema.element(lookup(name.as_bytes())).unwrap();
    let Content::Sequence { particles, .. } = &type_of(id).content else {
        panic!("{name} holds a sequence")
    };
    let named = particles.iter().filter(|particle| particle.0 != NO_NAME);
    let children = named
        .map(|particle| all_of(name_of(particle.0), particle.1))
        .collect();
    (children, all_attributes(id))
}

#[test]
fn the_model_has_every_element_and_attribute_of_2_03() {
    use crate::model::{ActivityElement, OrganisationElement};
    use crate::reader::{ActivityReader, OrganisationReader};

    let (children, attributes) = children_by_tables(FileKind::Activities, "iati-activity");
    assert_eq!(children.len(), 34, "all that 2.03 has");
    for xml in &children {
        let element = ActivityElement::from_xml(xml).unwrap();
        assert_eq!(words(&element.to_xml()), words(xml));
        assert_eq!(element.gaps(), [], "{xml}");
    }
    let file = format!(
        "<iati-activities version='2.03'><iati-activity{attributes}>{}</iati-activity></iati-activities>",
        children.concat()
    );
    let mut reader = ActivityReader::new(file.as_bytes());
    while reader.next_event().unwrap().is_some() {}
    assert_eq!(reader.take_findings(), []);

    let (children, attributes) = children_by_tables(FileKind::Organisations, "iati-organisation");
    assert_eq!(children.len(), 9, "all that 2.03 has");
    for xml in &children {
        let element = OrganisationElement::from_xml(xml).unwrap();
        assert_eq!(words(&element.to_xml()), words(xml));
        assert_eq!(element.gaps(), [], "{xml}");
    }
    let file = format!(
        "<iati-organisations version='2.03'><iati-organisation{attributes}>{}</iati-organisation></iati-organisations>",
        children.concat()
    );
    let mut reader = OrganisationReader::new(file.as_bytes());
    while reader.next_event().unwrap().is_some() {}
    assert_eq!(reader.take_findings(), []);
}

#[test]
fn types_that_are_alike_are_not_the_same() {
    let codes = |root: &str, inner: &str| {
        let xml = format!(
            "<{root} version='2.03' xmlns:i='http://www.w3.org/2001/XMLSchema-instance'>{inner}</{root}>"
        );
        let mut reader = Reader::new(xml.as_bytes());
        let mut checker = Checker::new(None);
        let mut n_bad_types = 0;
        while reader.advance().unwrap() != Token::Done {
            checker.check(&reader, &mut |finding| {
                n_bad_types += usize::from(finding.code == Code::BadType.as_str());
            });
        }
        n_bad_types
    };
    // `name` of an organisation has a type without a name; a recipient's document is no more than one.
    for (n, root, inner) in [
        (
            0,
            "iati-activities",
            "<iati-activity><title i:type='textRequiredType'/></iati-activity>",
        ),
        (
            1,
            "iati-organisations",
            "<iati-organisation><name i:type='textRequiredType'/></iati-organisation>",
        ),
        (
            1,
            "iati-activities",
            "<iati-activity><result><document-link i:type='documentLinkBase'/></result></iati-activity>",
        ),
    ] {
        assert_eq!(codes(root, inner), n, "{inner}");
    }
}

#[test]
fn simple_types_give_way_to_what_restricts_them() {
    let check = |inner: &str| {
        let xml = format!(
            "<iati-activities version='2.03' xmlns:i='http://www.w3.org/2001/XMLSchema-instance' \
             xmlns:x='http://www.w3.org/2001/XMLSchema'><iati-activity>{inner}</iati-activity></iati-activities>"
        );
        let mut reader = Reader::new(xml.as_bytes());
        let mut checker = Checker::new(None);
        let mut found = Vec::new();
        while reader.advance().unwrap() != Token::Done {
            checker.check(&reader, &mut |finding| {
                let is_of_the_value = [Code::BadType, Code::BadValue]
                    .iter()
                    .any(|code| finding.code == code.as_str());
                found.extend(is_of_the_value.then(|| finding.code.to_string()));
            });
        }
        found
    };
    // As xmllint 2.9.14 has it.
    for (given, text, expected) in [
        ("x:decimal", "1.5", None),
        ("x:integer", "1", None),
        ("x:integer", "1.5", Some(Code::BadValue)),
        ("x:positiveInteger", "0", Some(Code::BadValue)),
        ("x:string", "1", Some(Code::BadType)),
        ("x:anySimpleType", "1", Some(Code::BadType)),
    ] {
        let inner = format!(
            "<crs-add><loan-status year='2014' currency='USD' value-date='2013-05-24'>\
             <interest-received i:type='{given}'>{text}</interest-received></loan-status></crs-add>"
        );
        let expected: Vec<String> = expected
            .iter()
            .map(|code| code.as_str().to_owned())
            .collect();
        assert_eq!(check(&inner), expected, "{given} {text}");
    }
    for (given, text, expected) in [
        ("x:token", "1 2", None),
        ("x:NMTOKEN", "1 2", Some(Code::BadValue)),
        ("x:decimal", "1", Some(Code::BadType)),
        ("x:anyType", "1", Some(Code::BadType)),
    ] {
        let inner =
            format!("<crs-add><channel-code i:type='{given}'>{text}</channel-code></crs-add>");
        let expected: Vec<String> = expected
            .iter()
            .map(|code| code.as_str().to_owned())
            .collect();
        assert_eq!(check(&inner), expected, "{given} {text}");
    }
}

#[test]
fn an_element_without_a_type_takes_any_attribute() {
    // As xmllint 2.9.14 has it: `organisation-identifier` has no type in 2.01.
    for (attribute, expected) in [
        ("code='1'", vec![]),
        ("i:type='x:string'", vec![]),
        ("i:type='no-such'", vec![Code::BadType.as_str().to_owned()]),
    ] {
        let xml = format!(
            "<iati-organisations version='2.01' xmlns:i='http://www.w3.org/2001/XMLSchema-instance' \
             xmlns:x='http://www.w3.org/2001/XMLSchema'><iati-organisation>\
             <organisation-identifier {attribute}>A</organisation-identifier></iati-organisation></iati-organisations>"
        );
        let mut reader = Reader::new(xml.as_bytes());
        let mut checker = Checker::new(None);
        let mut found = Vec::new();
        while reader.advance().unwrap() != Token::Done {
            checker.check(&reader, &mut |finding| {
                if finding.path.contains("organisation-identifier") {
                    found.push(finding.code.to_string());
                }
            });
        }
        assert_eq!(found, expected, "{attribute}");
    }
}
