//! The layer table holds, and an edge that points up is noticed.

use std::process::Command;

use serde_json::Value;
use xtask::lint_layers::{Graph, Kind, Table, check, read};

fn real() -> (Table, Graph) {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
            "--locked",
        ])
        .current_dir(rsr_tests::workspace())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    read(&metadata).unwrap()
}

#[test]
fn no_edge_points_up() {
    let (table, graph) = real();
    let found: Vec<_> = check(&table, &graph)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn an_edge_added_upwards_fails() {
    let (table, mut graph) = real();
    let base = graph.members.get_mut("rsr-base").unwrap();
    base.internal.insert(("rsr-store".to_owned(), Kind::Built));
    let found: Vec<_> = check(&table, &graph)
        .into_iter()
        .map(|violation| violation.message)
        .collect();
    assert_eq!(found, ["rsr-base uses rsr-store: not in its uses list"]);
}
