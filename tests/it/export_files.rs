//! Exports to files: where they may go, what is said where there is nothing, and what of a database may be read-only.

use std::fs;
use std::path::Path;
use std::process::Command;

use rsr_testkit::left_out;
use rsr_tests::{Said, run_expecting};

use crate::bad_input::sample;

/// A folder with a database of three activities.
fn filled() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("three.xml"), sample(3)).unwrap();
    run_expecting(folder.path(), 0, ["import", "iati", "three.xml"]);
    folder
}

#[track_caller]
fn check(folder: &Path, code: i32, word: &str, more: &[&str]) -> Said {
    let said = run_expecting(folder, code, ["export", "iati"].iter().chain(more));
    assert_eq!(said.err.lines().count(), 1, "one line: {}", said.err);
    assert!(said.err.contains(word), "{more:?}: {}", said.err);
    said
}

#[test]
fn what_cannot_be_exported_is_said_in_a_line_and_leaves_no_file() {
    let folder = filled();
    let here = folder.path();
    let before = fs::read_dir(here).unwrap().count();
    check(
        here,
        2,
        "NOPE",
        &["--reporting-org", "NOPE", "-o", "out.xml"],
    );
    check(here, 2, "NOPE", &["--reporting-org", "NOPE"]);
    check(here, 2, "is a folder", &["-o", "."]);
    check(here, 2, "is a folder", &["-o", here.to_str().unwrap()]);
    check(here, 2, "does not exist", &["-o", "nowhere/out.xml"]);
    assert_eq!(fs::read_dir(here).unwrap().count(), before);

    let empty = tempfile::tempdir().unwrap();
    run_expecting(empty.path(), 0, ["database", "migrate"]);
    check(empty.path(), 2, "holds no activity", &["-o", "out.xml"]);
    let bare = "<iati-activities version=\"2.03\"><iati-activity><iati-identifier>A</iati-identifier></iati-activity></iati-activities>";
    fs::write(empty.path().join("bare.xml"), bare).unwrap();
    run_expecting(empty.path(), 0, ["import", "iati", "bare.xml"]);
    let said = run_expecting(empty.path(), 1, ["export", "iati", "-o", "out.xml"]);
    assert!(said.err.contains("none of 1 activities"), "{}", said.err);
    assert!(!empty.path().join("out.xml").exists());
}

#[test]
fn an_export_is_cut_before_the_limit_into_numbered_files() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("many.xml"), sample(500)).unwrap();
    run_expecting(here, 0, ["import", "iati", "many.xml"]);
    fs::write(here.join("rsr.toml"), "[iati]\nsplit_bytes = \"64KiB\"\n").unwrap();
    // What a killed export left.
    fs::write(here.join(".out.xml.gz.4194999-0.part"), "half").unwrap();
    let said = run_expecting(here, 0, ["export", "iati", "-o", "out.xml.gz", "--json"]);
    let summary: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let files = summary["files"].as_array().unwrap();
    assert!(files.len() > 1, "{summary}");
    assert_eq!(files[0]["file"], "out-1.xml.gz");
    for file in files {
        assert!(file["bytes"].as_u64().unwrap() <= 65_536, "{summary}");
    }
    let names = files.iter().map(|file| file["file"].as_str().unwrap());
    let merged = run_expecting(here, 0, ["iati", "merge"].into_iter().chain(names));
    assert_eq!(merged.out.matches("<iati-identifier>").count(), 500);
    assert!(!here.join(".out.xml.gz.4194999-0.part").exists());
}

#[test]
fn what_only_reads_needs_no_right_to_write() {
    let folder = filled();
    let here = folder.path();
    let disk = here.join("disk");
    fs::create_dir(&disk).unwrap();
    let mount = |arguments: &[&str]| {
        Command::new("mount")
            .args(arguments)
            .arg(&disk)
            .output()
            .is_ok_and(|done| done.status.success())
    };
    if !mount(&["-t", "tmpfs", "-o", "size=8m", "tmpfs"]) {
        left_out("reading a database on a disk that cannot be written: mounting one needs root");
        return;
    }
    fs::copy(here.join("rsr.db"), disk.join("rsr.db")).unwrap();
    let is_read_only = mount(&["-o", "remount,ro"]);
    let database = ["--database", "sqlite://disk/rsr.db"];
    let ask = |command: &[&str]| -> Said { rsr_tests::run(here, command.iter().chain(&database)) };
    let read = [
        ask(&["export", "iati", "-o", "out.xml"]),
        ask(&["project", "tree", "1"]),
        ask(&["project", "check"]),
        ask(&["audit"]),
        ask(&["database", "status"]),
        ask(&["jobs", "list"]),
    ];
    let written = ask(&["import", "iati", "three.xml"]);
    let unmounted = Command::new("umount")
        .arg(&disk)
        .status()
        .unwrap()
        .success();
    assert!(
        unmounted && is_read_only,
        "the disk can be made and taken away again"
    );
    for said in read {
        assert_eq!(said.code, 0, "{}", said.err);
    }
    assert_eq!(written.code, 3, "{}", written.err);
    assert!(written.err.contains("read-only"), "{}", written.err);
    assert_eq!(written.err.lines().count(), 1, "{}", written.err);
}
