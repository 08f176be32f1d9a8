//! `rsr aggregate` over the sample portfolio, and `rsr demo` for programs.

use rsr_tests::run_expecting;
use serde_json::Value;

const ONCE: [&str; 7] = [
    "demo",
    "--once",
    "--projects",
    "30",
    "--listen",
    "127.0.0.1:0",
    "--json",
];

#[test]
fn the_demo_tells_programs_what_it_made_and_a_second_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let said = run_expecting(folder.path(), 0, ONCE);
    let first: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(first["projects"], 30);
    assert!(first["periods_changed"].as_u64() > Some(0), "{first}");
    assert_eq!(first["children"]["headers"].as_array().unwrap().len(), 4);
    let standing = &first["aggregated"]["indicators"][0]["periods"][0];
    assert!(standing["value"].is_string(), "{standing}");
    assert_eq!(
        standing["parts"].as_array().unwrap().len(),
        2,
        "women and men"
    );

    let again: Value = serde_json::from_str(&run_expecting(folder.path(), 0, ONCE).out).unwrap();
    assert_eq!(again["programmes_made"], 0);
    assert_eq!(again["periods_changed"], 0);
    assert_eq!(again["aggregated"], first["aggregated"]);

    let all = run_expecting(folder.path(), 0, ["aggregate", "--all", "--json"]);
    let all: Value = serde_json::from_str(&all.out).unwrap();
    assert_eq!(all["periods"], first["periods"]);
    assert_eq!(all["periods_changed"], 0);
    assert_eq!(all["failed"].as_array().unwrap().len(), 0);
}

#[test]
fn what_is_not_stored_cannot_be_rolled_up() {
    let folder = tempfile::tempdir().unwrap();
    run_expecting(folder.path(), 0, ["database", "migrate"]);
    let said = run_expecting(folder.path(), 2, ["aggregate", "--project", "7"]);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    assert!(said.err.contains("project 7"), "{}", said.err);
    run_expecting(folder.path(), 2, ["aggregate"]);
}

#[test]
fn waiting_jobs_are_listed_and_worked_off() {
    let folder = tempfile::tempdir().unwrap();
    run_expecting(folder.path(), 0, ONCE);
    let done = run_expecting(
        folder.path(),
        0,
        [
            "jobs", "list", "--state", "finished", "--json", "--limit", "5",
        ],
    );
    assert_eq!(
        done.out.lines().count(),
        5,
        "the roll-up of the demo ended its jobs"
    );
    let waiting = run_expecting(
        folder.path(),
        0,
        ["jobs", "list", "--state", "scheduled", "--json"],
    );
    assert_eq!(waiting.out, "");
    let run = run_expecting(folder.path(), 0, ["jobs", "run", "--json"]);
    let totals: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(totals["jobs_finished"], 0);
    let refused = run_expecting(folder.path(), 2, ["jobs", "retry", "1"]);
    assert!(
        refused.err.contains("job 1 is finished, not maxxed"),
        "{}",
        refused.err
    );
    run_expecting(folder.path(), 2, ["jobs", "retry", "999999"]);
    run_expecting(folder.path(), 2, ["jobs", "list", "--state", "asleep"]);
}

#[test]
fn an_audit_finds_what_was_changed_by_hand_and_queues_it() {
    let folder = tempfile::tempdir().unwrap();
    run_expecting(folder.path(), 0, ONCE);
    let clean = run_expecting(folder.path(), 0, ["audit"]);
    assert!(
        clean.out.ends_with(" periods audited, 0 findings\n"),
        "{}",
        clean.out
    );

    let database = rusqlite::Connection::open(folder.path().join("rsr.db")).unwrap();
    // A top, so that nothing above it is wrong with it.
    let top: (i64, i64) = database
        .query_row(
            "UPDATE periods SET value = value + 100 WHERE id = (SELECT min(id) FROM periods
                 WHERE parent_period_id IS NULL AND value IS NOT NULL) RETURNING id, project_id",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    drop(database);

    let tsv = run_expecting(folder.path(), 1, ["audit", "--format", "tsv"]);
    let lines: Vec<Vec<&str>> = tsv
        .out
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let [header, finding] = &lines[..] else {
        panic!("one finding: {}", tsv.out);
    };
    assert_eq!(header.len(), finding.len());
    assert_eq!(header[1], "project_id");
    assert_eq!(finding[1], top.1.to_string());
    assert_eq!(finding[5], top.0.to_string());

    let project = top.1.to_string();
    let fixed = run_expecting(
        folder.path(),
        1,
        ["audit", "--project", &project, "--fix", "--json"],
    );
    let fixed: Value = serde_json::from_str(&fixed.out).unwrap();
    assert_eq!(fixed["findings_count"], 1, "{fixed}");
    assert_eq!(fixed["findings"][0]["column"], "value");
    assert_eq!(fixed["periods_queued"], 1);
    let still = run_expecting(folder.path(), 1, ["audit"]);
    assert!(still.out.contains("stored"), "{}", still.out);

    let run = run_expecting(folder.path(), 0, ["jobs", "run", "--json"]);
    let run: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(run["jobs_finished"], 1);
    assert_eq!(run["periods_changed"], 1);
    run_expecting(folder.path(), 0, ["audit"]);
    run_expecting(folder.path(), 2, ["audit", "--project", "999999"]);
}
