//! What was read is written again: valid, and the same.

use std::fs::{self, File};
use std::process::Command;

use crate::data;
use crate::source::{Activity, read, written};

const SCHEMA: &str = "iati-activities-schema.xsd";

/// Runs xmllint on what was written; `None` where it or the schema is missing.
pub(crate) fn xmllint(xml: &[u8], name: &str, schema: &str) -> Option<String> {
    let schema = data::folder()?.join("schemas/2.03").join(schema);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, xml).unwrap();
    let Ok(output) = Command::new("xmllint")
        .args(["--noout", "--schema"])
        .args([&schema, &path])
        .output()
    else {
        rsr_testkit::left_out(
            "xmllint --schema on what is written: xmllint is not installed (Debian: libxml2-utils)",
        );
        return None;
    };
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    Some(if output.status.success() {
        String::new()
    } else {
        errors
    })
}

/// The elements as text, languages aside that say what the activity says.
fn normal(activity: &Activity) -> Vec<String> {
    let own = activity
        .head
        .language
        .as_ref()
        .map(|language| format!(" xml:lang=\"{language}\""));
    let text = |xml: String| own.as_ref().map_or(xml.clone(), |own| xml.replace(own, ""));
    activity
        .elements
        .iter()
        .map(|element| text(element.to_xml()))
        .collect()
}

#[test]
fn every_valid_real_activity_of_2_0x_comes_back_valid_and_the_same() {
    let mut n = 0;
    for path in data::real_files() {
        let name = data::name(&path);
        if !name.contains("-2.0") || name.contains("invalid") || name.contains("organisation") {
            continue;
        }
        let first = read(File::open(&path).unwrap());
        let (xml, summary, notes) = written(first.clone());
        assert!(notes.is_empty(), "{name}: {:?}", notes.first());
        assert_eq!(
            (summary.n_activities, summary.n_parts_omitted),
            (first.len() as u64, 0),
            "{name}"
        );
        let errors = xmllint(&xml, &name, SCHEMA).unwrap_or_default();
        assert!(
            errors.is_empty(),
            "{name}: {}",
            errors.lines().take(5).collect::<Vec<_>>().join("\n")
        );
        let second = read(&xml[..]);
        assert_eq!(first.len(), second.len(), "{name}");
        for (one, other) in first.iter().zip(&second) {
            assert_eq!(one.head, other.head, "{name}");
            assert_eq!(normal(one), normal(other), "{name}");
        }
        let (again, ..) = written(second);
        assert!(
            again == xml,
            "{name}: writing what was written changes nothing"
        );
        n += first.len();
    }
    println!("{n} activities there and back");
}

#[test]
fn whatever_was_read_what_is_written_is_valid() {
    let mut total = (0, 0, 0);
    for path in data::real_files() {
        let name = data::name(&path);
        let (xml, summary, notes) = written(read(File::open(&path).unwrap()));
        println!("{name}: {summary:?}");
        for note in notes.iter().take(3) {
            println!("    {note:?}");
        }
        total.0 += summary.n_activities;
        total.1 += summary.n_activities_omitted;
        total.2 += summary.n_elements_omitted;
        if summary.n_activities > 0 {
            let errors = xmllint(&xml, &name, SCHEMA).unwrap_or_default();
            assert!(
                errors.is_empty(),
                "{name}: {}",
                errors.lines().take(5).collect::<Vec<_>>().join("\n")
            );
        } else {
            assert!(
                xml.is_empty(),
                "a file of no activities is not valid, so there is none"
            );
        }
    }
    println!(
        "{} activities, {} left out, {} elements left out",
        total.0, total.1, total.2
    );
}

#[test]
fn each_element_is_what_its_fragment_says() {
    use rsr_iati::model::ActivityElement;
    for path in data::real_files()
        .iter()
        .filter(|path| data::name(path).contains("-2.0"))
    {
        for activity in read(File::open(path).unwrap()) {
            for element in activity.elements {
                let xml = element.to_xml();
                assert_eq!(
                    ActivityElement::from_xml(&xml).unwrap(),
                    element,
                    "{}: {xml}",
                    data::name(path)
                );
            }
        }
    }
}
