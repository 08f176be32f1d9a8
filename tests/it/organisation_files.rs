//! Organisation files brought up to 2.03 by the program, and what other commands say of them.

use std::fs;
use std::path::{Path, PathBuf};

use rsr_testkit::{iati_data, left_out};
use rsr_tests::{Said, run_expecting};
use serde_json::{Value, json};

use crate::bad_input::sample;
use crate::real_files::xmllint_by;

/// One organisation of 1.05, in no order.
const OLD: &str = r#"<?xml version="1.0"?>
<iati-organisations version="1.05" generated-datetime="2014-01-01T00:00:00Z" xmlns:x="urn:x">
  <iati-organisation version="1.05" default-currency="EUR">
    <document-link url="http://example.org/a" format="text/html"><title>Plan</title>
      <category code="B01"/><language>fr</language></document-link>
    <total-budget><value value-date="2014-01-01">100</value><period-start iso-date="2014-01-01"/>
      <period-end iso-date="2014-12-31"/></total-budget>
    <total-budget><value>no number</value><period-start iso-date="2015-01-01"/>
      <period-end iso-date="2015-12-31"/></total-budget>
    <name>Wells for all</name><x:more>kept</x:more>
    <iati-identifier>XM-1</iati-identifier><old-thing/>
    <reporting-org ref="XM-1" type="22">Wells for all</reporting-org>
  </iati-organisation>
</iati-organisations>"#;

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.out))
}

#[track_caller]
fn check_valid(here: &Path, file: &str) {
    xmllint_by("iati-organisations-schema.xsd", &here.join(file))
        .unwrap_or_else(|said| panic!("{file}: {said}"));
    run_expecting(here, 0, ["validate", "iati", file, "--schema-only"]);
}

fn read(path: &Path) -> String {
    rsr_base::read_file_at_most(path, rsr_base::ByteSize::from_mib(16)).unwrap()
}

#[test]
fn organisations_of_1_0x_become_valid_2_03() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("old.xml"), OLD).unwrap();
    let command = ["iati", "upgrade", "old.xml", "-o", "new.xml", "--json"];
    let said = run_expecting(here, 0, command);
    let report = json(&said);
    let n = |key: &str| report[key].clone();
    assert_eq!(
        (n("read"), n("written"), n("elements_left_out")),
        (
            json!(1),
            json!(1),
            json!({"total-budget": 1, "old-thing": 1})
        ),
        "{report}"
    );
    assert_eq!(report["files"][0]["organisations"], 1, "{report}");
    check_valid(here, "new.xml");
    let new = read(&here.join("new.xml"));
    for part in [
        "generated-datetime=\"2014-01-01T00:00:00Z\"",
        "<organisation-identifier>XM-1</organisation-identifier>",
        "<language code=\"fr\"/>",
        "<x:more>kept</x:more>",
    ] {
        assert!(new.contains(part), "{part}: {new}");
    }
    // Nothing is lost where gaps may stay, and nothing is left of a file that cannot be written.
    let gaps = ["iati", "upgrade", "old.xml", "--keep-gaps", "-q"];
    let said = run_expecting(here, 0, gaps);
    assert!(said.out.contains("no number"), "{}", said.out);
    let nameless = OLD.replace("<name>Wells for all</name>", "");
    fs::write(here.join("nameless.xml"), nameless).unwrap();
    let command = ["iati", "upgrade", "nameless.xml", "-o", "none.xml"];
    let said = run_expecting(here, 2, command);
    assert!(said.err.contains("no <name>"), "{}", said.err);
    let last = said.err.lines().last().unwrap_or_default();
    assert!(last.contains("none of 1 organisations"), "{}", said.err);
    assert_eq!(
        fs::read_dir(here).unwrap().count(),
        3,
        "nothing is left behind"
    );
}

#[test]
fn organisations_are_written_into_files_below_a_size() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let (start, rest) = OLD.split_at(OLD.find("<iati-organisation ").unwrap());
    let (one, end) = rest.split_at(rest.find("</iati-organisations>").unwrap());
    let many: String = (0..200)
        .map(|nth| one.replace("XM-1<", &format!("XM-{nth}<")))
        .collect();
    fs::write(here.join("old.xml"), format!("{start}{many}{end}")).unwrap();
    let mut command = rsr_tests::rsr(here);
    command
        .args(["iati", "upgrade", "old.xml", "-o", "new.xml.gz", "--json"])
        .env("RSR_IATI_SPLIT_BYTES", "64KiB");
    let said = Said::from(command.output().unwrap());
    assert_eq!(said.code, 0, "{}", said.err);
    let report = json(&said);
    let files = report["files"].as_array().unwrap();
    assert!(files.len() > 1, "{report}");
    let mut n = 0;
    for file in files {
        assert!(file["bytes"].as_u64().unwrap() <= 64 << 10, "{report}");
        n += file["organisations"].as_u64().unwrap();
        let name = Path::new(file["file"].as_str().unwrap());
        run_expecting(here, 0, [Path::new("validate"), Path::new("iati"), name]);
    }
    assert_eq!(n, 200, "{report}");
}

#[test]
fn real_organisation_files_stay_valid() {
    let files = iati_data().map(|data| {
        [
            data.join("real/iom-organisation-2.03.xml"),
            data.join("examples/organisation-standard-example-annotated.xml"),
            data.join("examples/organisation-standard-example-annotated-1.04.xml"),
            data.join("examples/organisation-standard-example-annotated-1.05.xml"),
            data.join("examples/organisation-standard-example-annotated-2.01.xml"),
        ]
    });
    let Some(files) = files else {
        left_out("bringing real organisation files up to 2.03: set RSR_IATI_DATA");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for path in files {
        let arguments = ["iati", "upgrade", "-o", "new.xml", "--json"].map(PathBuf::from);
        let arguments = arguments.iter().chain([&path]);
        let report = json(&run_expecting(here, 0, arguments));
        assert_eq!(report["written"], report["read"], "{}", path.display());
        check_valid(here, "new.xml");
    }
}

#[test]
fn where_activities_are_wanted_an_organisation_file_gets_a_line_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("organisations.xml"), OLD).unwrap();
    fs::write(here.join("activities.xml"), sample(2)).unwrap();
    let before = fs::read_dir(here).unwrap().count();
    for (command, more) in [
        ("split", &[][..]),
        ("merge", &[]),
        ("filter", &["--country", "KE"]),
        ("stats", &[]),
    ] {
        let arguments = ["iati", command, "organisations.xml"];
        let said = run_expecting(here, 2, arguments.iter().chain(more));
        assert_eq!(said.err.lines().count(), 1, "{command}: {}", said.err);
        for word in ["organisations.xml", "`rsr iati upgrade`"] {
            assert!(said.err.contains(word), "{command}: {}", said.err);
        }
        assert_eq!(said.out, "", "{command}");
    }
    assert_eq!(fs::read_dir(here).unwrap().count(), before);
    // Beside files of activities it is passed over, and that is said.
    for (command, found) in [
        ("merge", "<iati-identifier>"),
        ("upgrade", "<iati-identifier>"),
        ("stats", "2 activities in 1 files"),
    ] {
        let arguments = ["iati", command, "organisations.xml", "activities.xml"];
        let said = run_expecting(here, 0, arguments);
        let first = said.err.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("organisations.xml: an organisation file"),
            "{command}: {}",
            said.err
        );
        assert!(said.out.contains(found), "{command}: {}", said.out);
    }
}
