//! What shells, `man` and the page of commands are told.

use std::process::Command;

use rsr_tests::documents::read;
use rsr_tests::{Said, run_expecting, workspace};

#[test]
fn shells_take_the_completions() {
    let folder = tempfile::tempdir().unwrap();
    let script = run_expecting(folder.path(), 0, ["completions", "bash"]).out;
    let file = folder.path().join("rsr.bash");
    std::fs::write(&file, &script).unwrap();
    let said: Said = Command::new("bash")
        .arg("-n")
        .arg(file)
        .output()
        .unwrap()
        .into();
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(script.contains("health-check"), "a command of two words");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let script = run_expecting(folder.path(), 0, ["completions", shell]).out;
        assert!(script.contains("health-check"), "{shell}");
    }
    run_expecting(folder.path(), 2, ["completions", "csh"]);
}

#[test]
fn every_command_has_a_page_with_an_example() {
    let folder = tempfile::tempdir().unwrap();
    run_expecting(folder.path(), 0, ["manual", "--folder", "man"]);
    for page in ["rsr.1", "rsr-import-iati.1", "rsr-memory-health-check.1"] {
        assert!(folder.path().join("man").join(page).is_file(), "{page}");
    }
    let page = run_expecting(folder.path(), 0, ["manual"]).out;
    let kept = read(&workspace().join("docs/reference/commands.md"));
    assert!(
        page == kept,
        "docs/reference/commands.md is out of date: run `cargo xtask docs`"
    );
    for section in page.split("\n## ").skip(1) {
        let name = section.lines().next().unwrap();
        assert!(
            section.contains("\nExample: `rsr "),
            "{name} has no example"
        );
    }
}

#[test]
fn routes_and_metrics_have_pages_that_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    for (flag, file, says) in [
        (
            "--api",
            "api.md",
            "### `GET /api/v1/projects/{id}/children/`",
        ),
        (
            "--metrics",
            "metrics.md",
            "| `rsr_memory_usage_bytes` | gauge | `kind` |",
        ),
    ] {
        let page = run_expecting(folder.path(), 0, ["manual", flag]).out;
        assert!(page.contains(says), "{flag}: {page}");
        assert!(
            page == read(&workspace().join("docs/reference").join(file)),
            "docs/reference/{file} is out of date: run `cargo xtask docs`"
        );
    }
    let said = run_expecting(folder.path(), 2, ["manual", "--api", "--metrics"]);
    assert!(said.err.contains("cannot be used with"), "{}", said.err);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let said = run_expecting(folder.path(), 4, ["manual", "--folder", "file/man"]);
    assert!(said.err.contains("file/man"), "{}", said.err);
}
