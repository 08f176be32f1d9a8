//! Real publishers' files, all versions, valid and broken: in, rolled up, out again, valid.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rsr_testkit::{iati_data, left_out};
use rsr_tests::{Said, run, run_expecting};
use serde_json::Value;

/// Larger than any file these tests read.
const FILE_MAX: rsr_base::ByteSize = rsr_base::ByteSize::from_mib(256);

/// The folder of real files, or `None` after saying so.
fn real() -> Option<PathBuf> {
    let real = iati_data()
        .map(|data| data.join("real"))
        .filter(|folder| folder.is_dir());
    if real.is_none() {
        left_out(
            "import and export of real publishers' files: set RSR_IATI_DATA to the folder that has `real`",
        );
    }
    real
}

fn lines(said: &Said) -> Vec<Value> {
    said.out
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object a line"))
        .collect()
}

fn number(line: &Value, key: &str) -> u64 {
    line[key]
        .as_u64()
        .unwrap_or_else(|| panic!("{key} is no number in {line}"))
}

/// An independent validator's verdict on a file; all it said where it is not valid.
pub(crate) fn xmllint(file: &Path) -> Result<(), String> {
    xmllint_by("iati-activities-schema.xsd", file)
}

/// The same by one of the schemas of 2.03.
pub(crate) fn xmllint_by(schema: &str, file: &Path) -> Result<(), String> {
    let schema = iati_data().map(|data| data.join("schemas/2.03").join(schema));
    let Some(schema) = schema else {
        left_out("xmllint --schema on exports: set RSR_IATI_DATA to the folder that has `schemas`");
        return Ok(());
    };
    let ran = Command::new("xmllint")
        .args(["--noout", "--schema"])
        .arg(&schema)
        .arg(file)
        .output();
    let Ok(ran) = ran else {
        left_out("xmllint --schema on exports: xmllint is not installed (Debian: libxml2-utils)");
        return Ok(());
    };
    if ran.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&ran.stderr).into_owned())
    }
}

#[test]
fn all_of_them_go_in_once_and_come_out_valid() {
    let Some(real) = real() else { return };
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let real = real.to_str().unwrap();

    // Two files are cut short where they stop being XML: exit code 4 says so, and every other file is whole.
    let first = run_expecting(here, 4, ["import", "iati", real, "--json"]);
    let files = lines(&first);
    let expected = fs::read_dir(real).unwrap().filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|extension| extension == "xml")
    });
    assert_eq!(files.len(), expected.count(), "a line a file");
    for line in &files {
        assert_eq!(
            number(line, "read"),
            number(line, "kept") + number(line, "skipped"),
            "{line}"
        );
        assert!(line["findings"].is_u64(), "{line}");
        let is_broken = line["file"].as_str().unwrap().contains("notwellformed");
        assert_eq!(line["cut_short"].as_bool(), Some(is_broken), "{line}");
    }
    let kept: u64 = files.iter().map(|line| number(line, "kept")).sum();
    assert!(kept > 1_000, "only {kept} activities were kept");

    let dump = contents(here);
    let second = run_expecting(here, 4, ["import", "iati", real, "--json"]);
    assert_eq!(contents(here), dump, "a second import changes nothing");
    assert_eq!(lines(&second).len(), files.len());

    run_expecting(here, 0, ["aggregate", "--all"]);
    let exported = run_expecting(here, 0, ["export", "iati", "-o", "out.xml"]);
    let out = here.join("out.xml");
    xmllint(&out).unwrap_or_else(|said| panic!("the export is not valid:\n{said}"));
    run_expecting(here, 0, ["validate", "iati", "out.xml", "--schema-only"]);

    // Each activity of a valid 2.0x file is in the export, by its identifier, or named as left out.
    let text = rsr_base::read_file_at_most(&out, FILE_MAX).unwrap();
    for (file, identifier) in identifiers_of_valid_files(Path::new(real)) {
        let element = format!("<iati-identifier>{identifier}</iati-identifier>");
        assert!(
            text.contains(&element) || exported.err.contains(&identifier),
            "{identifier} of {file} is neither exported nor reported"
        );
    }
}

/// What is in the database, without when it was last written.
fn contents(folder: &Path) -> String {
    let mut said = run(folder, ["database", "status", "--json"]).out;
    said.push_str(&run(folder, ["export", "iati"]).out);
    said
}

/// Identifiers of the activities of 2.0x files that an independent validator accepts.
fn identifiers_of_valid_files(real: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(real).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_two = ["-2.01.xml", "-2.02.xml", "-2.03.xml"]
            .iter()
            .any(|end| name.ends_with(end));
        if !is_two || name.contains("organisation") || name.contains("invalid") {
            continue;
        }
        let text = rsr_base::read_file_at_most(&path, FILE_MAX).unwrap();
        for part in text.split("<iati-identifier>").skip(1) {
            let identifier = part.split("</iati-identifier>").next().unwrap().trim();
            all.push((name.clone(), identifier.to_owned()));
        }
    }
    assert!(
        all.len() > 500,
        "only {} identifiers were found to compare",
        all.len()
    );
    all
}
