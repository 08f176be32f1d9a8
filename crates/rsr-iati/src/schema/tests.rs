use super::simple::trim;
use super::tables::{Content, NO_NAME, SimpleType, lookup, name_of, type_of};
use super::*;

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
