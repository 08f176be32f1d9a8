//! What is written is in the order of 2.03, has no gap that was filled, and no character that XML forbids.

use std::fs;

use rsr_iati::export::{ExportOptions, export_to_file};
use rsr_iati::model::{
    ActivityElement, ActivityHead, ElementKind, Identifier, Narrative, TextBlock,
};
use rsr_iati::reader::{ActivityReader, Event};
use rsr_iati::validate::{Options, validate};
use rsr_iati::writer::{FileOptions, FileWriter, Gaps, WriteError};

use crate::source::{Memory, read, written};

/// A valid activity with something before its end tag.
fn valid(more: &str) -> String {
    format!(
        "<iati-activities version='2.03'><iati-activity xml:lang='en'><iati-identifier>XM-1</iati-identifier>\
         <reporting-org ref='XM' type='22'><narrative>Us</narrative></reporting-org>\
         <title><narrative>Wells</narrative></title><description><narrative>Deep</narrative></description>\
         <participating-org role='1'/><activity-status code='2'/>\
         <activity-date type='2' iso-date='2020-01-01'/>{more}</iati-activity></iati-activities>"
    )
}

fn gaps_written() -> FileOptions {
    let mut options = FileOptions::default();
    options.gaps = Gaps::Write;
    options
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn no_element_is_taken_after_one_that_comes_later_in_2_03() {
    let of_kind = |kind: ElementKind| {
        ActivityElement::from_xml(&format!("<{}/>", kind.name())).expect("it is well-formed")
    };
    let kinds = ElementKind::NAMED;
    for (nth, &late) in kinds.iter().enumerate() {
        let mut file = FileWriter::new(Vec::new(), &gaps_written());
        let mut activity = file.activity(&ActivityHead::default());
        activity.element(&of_kind(late)).unwrap();
        for &early in kinds.iter().take(nth) {
            let error = activity.element(&of_kind(early)).unwrap_err();
            assert!(matches!(error, WriteError::OutOfOrder { .. }), "{error}");
            let said = error.to_string();
            for name in [early.name(), late.name()] {
                assert!(said.contains(&format!("<{name}>")), "{said}");
            }
        }
        let again = activity.element(&of_kind(late));
        assert_eq!(again.is_ok(), late.is_repeatable(), "{late:?} twice");
        activity.end().unwrap();
        let out = text(file.finish().unwrap());
        let n = out.matches(&format!("<{}/>", late.name())).count();
        let expected = if late.is_repeatable() { 2 } else { 1 };
        assert_eq!(n, expected, "nothing that was refused is in it: {out}");
    }
}

#[test]
fn parts_of_results_come_in_the_order_of_2_03_however_they_came() {
    let parts = [
        "<comment><narrative>c</narrative></comment>",
        "<document-link url=\"http://a.b\"/>",
        "<dimension name=\"sex\" value=\"f\"/>",
        "<location ref=\"L\"/>",
    ];
    let [comment, document, dimension, location] = parts;
    for (outer, open, expected) in [
        (
            "indicator",
            "baseline",
            [location, dimension, document, comment],
        ),
        ("period", "target", [location, dimension, comment, document]),
        ("period", "actual", [location, dimension, comment, document]),
    ] {
        let inner = format!("<{open}>{}</{open}>", parts.concat());
        let (before, after) = match outer {
            "period" => ("<indicator><period>", "</period></indicator>"),
            _ => ("<indicator>", "</indicator>"),
        };
        let result = format!("<result>{before}{inner}{after}</result>");
        let written = ActivityElement::from_xml(&result).unwrap().to_xml();
        assert!(written.contains(&expected.concat()), "{open}: {written}");
    }
}

#[test]
fn references_have_the_address_of_their_own_kind() {
    for (element, own, other) in [
        (
            "<result><reference {}/></result>",
            "vocabulary-uri",
            "indicator-uri",
        ),
        (
            "<result><indicator><reference {}/></indicator></result>",
            "indicator-uri",
            "vocabulary-uri",
        ),
    ] {
        let with = |name: &str| {
            let xml = element.replace("{}", &format!("{name}=\"http://a.b\""));
            ActivityElement::from_xml(&xml).unwrap().to_xml()
        };
        assert!(with(own).contains(own), "{}", with(own));
        assert!(!with(other).contains(other), "{}", with(other));
    }
}

#[test]
fn what_is_missing_is_named_and_never_filled() {
    for (element, part) in [
        ("<result type=\"1\"><indicator/></result>", "@measure"),
        (
            "<result type=\"1\"><indicator measure=\"1\"><baseline value=\"1\"/></indicator></result>",
            "@year",
        ),
        (
            "<result type=\"1\"><indicator measure=\"1\"><period><period-end iso-date=\"2024-12-31\"/></period></indicator></result>",
            "period-start",
        ),
        (
            "<budget><period-start iso-date=\"2024-01-01\"/><period-end iso-date=\"2024-12-31\"/><value>1</value></budget>",
            "@value-date",
        ),
        (
            "<transaction><transaction-type code=\"3\"/><transaction-date iso-date=\"2024-01-01\"/></transaction>",
            "value",
        ),
    ] {
        let (out, summary, notes) = written(read(valid(element).as_bytes()));
        assert_eq!(
            (summary.n_activities, summary.n_elements_omitted),
            (1, 1),
            "{element}"
        );
        assert!(format!("{notes:?}").contains(part), "{part}: {notes:?}");
        assert!(validate(&out[..], &Options::default(), &mut |_| {}).is_valid());
        // With the gap, where that is asked for, and with nothing in it.
        let typed = ActivityElement::from_xml(element).unwrap();
        let mut file = FileWriter::new(Vec::new(), &gaps_written());
        let mut activity = file.activity(&ActivityHead::default());
        activity.element(&typed).unwrap();
        activity.end().unwrap();
        let out = text(file.finish().unwrap());
        assert!(out.contains(element), "{out}");
    }
    // Without a title, or an identifier, the activity itself is left out and told.
    for (gone, name) in [
        ("<title><narrative>Wells</narrative></title>", "title"),
        ("<iati-identifier>XM-1</iati-identifier>", "iati-identifier"),
    ] {
        let (out, summary, notes) = written(read(valid("").replace(gone, "").as_bytes()));
        assert_eq!((out.len(), summary.n_activities_omitted), (0, 1), "{name}");
        assert!(format!("{notes:?}").contains(name), "{notes:?}");
    }
}

#[test]
fn one_forbidden_character_never_ends_an_export() {
    let mut activities = read(valid("").as_bytes());
    for element in &mut activities[0].elements {
        if let ActivityElement::Title(title) = element {
            title.narratives = vec![Narrative::new("a\0b\u{1}c\u{fffe}d<&>\r")];
        }
    }
    let (out, summary, _) = written(activities);
    assert_eq!(
        (summary.n_activities, summary.n_characters_replaced),
        (1, 3)
    );
    let summary = validate(&out[..], &Options::default(), &mut |_| {});
    assert!(summary.is_valid() && summary.n_critical == 0, "{summary:?}");
    let out = text(out);
    let expected = "a\u{fffd}b\u{fffd}c\u{fffd}d&lt;&amp;&gt;&#13;";
    assert!(out.contains(expected), "{out}");
}

#[test]
fn a_language_is_written_where_it_is_another_than_the_activity_s() {
    let texts = "<contact-info><organisation><narrative xml:lang='en'>A</narrative>\
                 <narrative xml:lang='fr'>B</narrative><narrative>C</narrative></organisation></contact-info>";
    let (out, ..) = written(read(valid(texts).as_bytes()));
    let out = text(out);
    let expected =
        "<narrative>A</narrative><narrative xml:lang=\"fr\">B</narrative><narrative>C</narrative>";
    assert!(out.contains(expected), "{out}");
}

#[test]
fn extensions_are_declared_once_on_the_root() {
    let mut options = FileOptions::default();
    options.namespaces = vec![("x".to_owned(), "urn:x".to_owned())];
    options.gaps = Gaps::Write;
    let extension = |namespace: &str| {
        ActivityElement::from_xml(&format!("<x:e xmlns:x=\"{namespace}\"><x:f/></x:e>")).unwrap()
    };
    let mut file = FileWriter::new(Vec::new(), &options);
    for _ in 0..3 {
        let mut activity = file.activity(&ActivityHead::default());
        activity.element(&extension("urn:x")).unwrap();
        activity.end().unwrap();
    }
    let mut activity = file.activity(&ActivityHead::default());
    activity.element(&extension("urn:other")).unwrap();
    activity.end().unwrap();
    let out = text(file.finish().unwrap());
    assert_eq!(out.matches("xmlns:x=\"urn:x\"").count(), 1, "{out}");
    // Where the prefix means something else, that is said there.
    assert_eq!(
        out.matches("<x:e xmlns:x=\"urn:other\">").count(),
        1,
        "{out}"
    );
}

#[test]
fn the_same_activities_give_the_same_bytes_and_none_give_no_file() {
    let folder = tempfile::tempdir().unwrap();
    for gzip in [false, true] {
        let mut options = ExportOptions::default();
        options.gzip = gzip;
        let [one, two] = ["one.xml", "two.xml"].map(|name| folder.path().join(name));
        for target in [&one, &two] {
            let mut source = Memory::new(read(valid("").as_bytes()));
            export_to_file(&mut source, target, &options, &mut |_| {}).unwrap();
        }
        let bytes = |path| {
            rsr_base::read_at_most(
                fs::File::open(path).unwrap(),
                rsr_base::ByteSize::from_mib(1),
            )
        };
        assert_eq!(bytes(&one).unwrap(), bytes(&two).unwrap(), "gzip: {gzip}");
    }
    let none = folder.path().join("none.xml");
    let nothing = &mut Memory::new(Vec::new());
    let summary = export_to_file(nothing, &none, &ExportOptions::default(), &mut |_| {}).unwrap();
    assert_eq!((summary.files.len(), none.exists()), (0, false));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn numbers_that_are_none_are_left_out_and_none_is_made_of_them() {
    let budget = |amount: &str| {
        format!(
            "<budget><period-start iso-date=\"2024-01-01\"/><period-end iso-date=\"2024-12-31\"/>\
             <value value-date=\"2024-01-01\">{amount}</value></budget>"
        )
    };
    let many = "9".repeat(60);
    let small = format!("0.{}1", "0".repeat(300));
    for (amount, is_kept) in [
        ("1500.50", true),
        ("-0.10", true),
        ("+5", true),
        ("1e-10", false),
        ("1,000", false),
        ("15%", false),
        ("", false),
        (&many, false),
        (&small, false),
    ] {
        let file = valid(&budget(amount));
        let mut reader = ActivityReader::new(file.as_bytes());
        let mut found = Vec::new();
        while let Some(event) = reader.next_event().unwrap() {
            if let Event::Element(ActivityElement::Budget(budget), _) = event {
                let value = budget.value.unwrap();
                assert_eq!(value.amount.as_str(), amount, "it is kept as it is written");
                assert_eq!(value.amount.value().is_some(), is_kept, "{amount:?}");
            }
            found.extend(reader.take_findings());
        }
        assert_eq!(
            found.iter().any(|f| f.code == "invalid-value"),
            !is_kept,
            "{amount:?}: {found:?}"
        );
        let (out, ..) = written(read(file.as_bytes()));
        let out = text(out);
        assert_eq!(out.contains(&budget(amount)), is_kept, "{amount:?}: {out}");
        assert_eq!(out.contains("<budget>"), is_kept, "{amount:?}: {out}");
    }
}

#[test]
fn an_activity_that_was_given_up_leaves_no_trace() {
    let mut file = FileWriter::new(Vec::new(), &FileOptions::default());
    let mut activity = file.activity(&ActivityHead::default());
    activity
        .element(&ActivityElement::Identifier(Identifier::new("XM-GONE")))
        .unwrap();
    drop(activity);
    let mut activity = file.activity(&ActivityHead::default());
    activity
        .element(&ActivityElement::Title(TextBlock::new("alone")))
        .unwrap();
    assert!(matches!(activity.end(), Err(WriteError::Missing { .. })));
    for whole in read(valid("").as_bytes()) {
        let mut activity = file.activity(&whole.head);
        for element in &whole.elements {
            activity.element(element).unwrap();
        }
        activity.end().unwrap();
    }
    let out = text(file.finish().unwrap());
    assert_eq!(out.matches("<iati-activity").count(), 1, "{out}");
    assert!(!out.contains("XM-GONE") && !out.contains("alone"), "{out}");
}
