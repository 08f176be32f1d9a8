//! The examples of the crates, as someone who reads them would run them.

use std::path::PathBuf;
use std::process::Command;

use rsr_tests::{Said, rsr_path};

/// Each example that needs no argument, and a part of what it prints.
const EXAMPLES: [(&str, &str); 9] = [
    ("cached_method", "2 entries, 1 hits"),
    ("delete_in_transaction", "0 active"),
    (
        "in_memory",
        "period 1: 0.30\nperiod 2: 0.30\nperiod 3: 0.00",
    ),
    (
        "own_database",
        "2 children, more to come: true\n  roof (1 below)\n  walls (0 below)\n1 children, more to come: false",
    ),
    ("split", "100 activities in "),
    ("leak_detector", "Session: 864 alive"),
    ("memory_layer", "/1000000: 1000000 bytes"),
    ("cache_in_axum", "GET /projects/700/title: 404"),
    ("validate_uploads", "valid: false"),
];

#[test]
fn the_validator_names_what_is_wrong_in_each_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.xml");
    let text = "<iati-activities version=\"2.03\">\n<iati-activity/>\n</iati-activities>";
    std::fs::write(&file, text).unwrap();
    let said: Said = Command::new(rsr_path().with_file_name("examples").join("validate"))
        .arg(&file)
        .output()
        .unwrap()
        .into();
    assert_eq!(said.code, 0, "{}", said.err);
    let line = format!("{}:", file.display());
    assert!(
        said.out
            .lines()
            .any(|told| told.starts_with(&line) && told.contains("iati-activity")),
        "{}",
        said.out
    );
    let missing: Said = Command::new(rsr_path().with_file_name("examples").join("validate"))
        .arg(folder.path().join("none.xml"))
        .output()
        .unwrap()
        .into();
    assert_eq!(missing.code, 1, "{}", missing.err);
}

#[test]
fn every_example_runs_and_shows_its_point() {
    let folder = rsr_path().with_file_name("examples");
    for (name, shown) in EXAMPLES {
        let path: PathBuf = folder.join(name);
        assert!(
            path.is_file(),
            "{} is not built: `cargo test --workspace` builds it, a run of this package alone does not",
            path.display()
        );
        let said: Said = Command::new(path).output().unwrap().into();
        assert_eq!(said.code, 0, "{name}: {}", said.err);
        assert!(said.out.contains(shown), "{name} printed:\n{}", said.out);
    }
}
