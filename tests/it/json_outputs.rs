//! What programs read: JSON alone on standard output, with the keys that the reference names.

use std::collections::BTreeSet;
use std::fs;

use rsr_tests::{run, run_expecting, workspace};
use serde_json::Value;

use crate::bad_input::sample;

const PAGE_MAX: rsr_base::ByteSize = rsr_base::ByteSize::from_mib(1);

/// The commands of the reference with their keys.
fn documented() -> Vec<(String, BTreeSet<String>)> {
    let path = workspace().join("docs/reference/json.md");
    let page = rsr_base::read_file_at_most(&path, PAGE_MAX).unwrap();
    let quoted = |cell: &str| -> Vec<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    page.lines()
        .filter(|line| line.starts_with("| `rsr "))
        .map(|line| {
            let cells: Vec<_> = line.split('|').collect();
            let command = quoted(cells[1]).remove(0);
            (command, quoted(cells[3]).into_iter().collect())
        })
        .collect()
}

/// The arguments a command of the reference needs to do something.
fn arguments(command: &str) -> Vec<&str> {
    let more: &[&str] = match command {
        "rsr import iati" | "rsr validate iati" | "rsr iati split" | "rsr iati stats" => {
            &["three.xml"]
        }
        "rsr validate iati --explain" => &["9.1.1"],
        "rsr iati merge -o FILE" | "rsr iati upgrade -o FILE" => &["three.xml"],
        "rsr iati filter -o FILE" => &["three.xml", "--status", "2"],
        "rsr project tree" | "rsr jobs recalculate" => &["1"],
        "rsr aggregate" => &["--all"],
        _ => &[],
    };
    let words = command.split(' ').skip(1);
    let words = words.map(|word| if word == "FILE" { "out.xml" } else { word });
    words
        .chain(more.iter().copied())
        .chain(["--json"])
        .collect()
}

#[test]
fn every_line_is_an_object_with_the_keys_of_the_reference() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("three.xml"), sample(3)).unwrap();
    run_expecting(here, 0, ["import", "iati", "three.xml"]);
    let all = documented();
    assert!(all.len() > 15, "{all:?}");
    for (command, keys) in all {
        let said = run(here, arguments(&command));
        assert!(
            matches!(said.code, 0 | 1),
            "{command}: {} {}",
            said.code,
            said.err
        );
        assert!(
            !said.out.is_empty(),
            "{command} prints nothing: {}",
            said.err
        );
        for line in said.out.lines() {
            let value: Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{command}: {error}: {line}"));
            let found: BTreeSet<String> = value
                .as_object()
                .unwrap_or_else(|| panic!("{command}: no object: {line}"))
                .keys()
                .cloned()
                .collect();
            assert_eq!(found, keys, "{command}");
        }
        assert!(
            !said.err.lines().any(|line| line.starts_with('{')),
            "{command}: {}",
            said.err
        );
    }
}

#[test]
fn what_has_no_json_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let said = run_expecting(folder.path(), 2, ["settings", "reference", "--json"]);
    assert!(said.out.is_empty(), "{}", said.out);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
}
