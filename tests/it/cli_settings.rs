//! `rsr settings`: right, wrong, and as a page.

use std::fs;

use rsr_tests::{rsr, run, run_expecting};
use serde_json::Value;

#[test]
fn every_value_is_shown_with_its_source() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rsr.toml"), "cache.ttl = '30m'\n").unwrap();
    let said = run_expecting(
        folder.path(),
        0,
        ["settings", "show", "--profile", "test", "--json"],
    );
    let entries: Vec<Value> = serde_json::from_str(&said.out).unwrap();
    let find = |key: &str| entries.iter().find(|entry| entry["key"] == key).unwrap();
    assert_eq!(find("cache.ttl")["value"], "1800");
    assert_eq!(find("cache.ttl")["source"], "rsr.toml");
    assert_eq!(find("cache.max_size")["source"], "profile test");
    assert_eq!(find("server.listen")["source"], "default");
    let text = run_expecting(folder.path(), 0, ["settings", "show", "--format", "tsv"]).out;
    assert!(text.contains("cache.ttl\t1800\trsr.toml\n"), "{text}");
}

#[test]
fn everything_wrong_is_said_at_once_a_line_each() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("rsr.toml"),
        "[cache]\ntll = 1\nttl = 0\n",
    )
    .unwrap();
    let said = run_expecting(
        folder.path(),
        2,
        ["settings", "check", "--database", "mysql://me:s3same@db"],
    );
    let lines: Vec<&str> = said.err.lines().collect();
    assert_eq!(said.out, "");
    assert_eq!(lines.len(), 3, "{}", said.err);
    assert_eq!(
        lines[0],
        "rsr: cache.tll in rsr.toml is no setting: the nearest is cache.ttl"
    );
    assert!(lines[1].starts_with("rsr: cache.ttl cannot be \"0\" (from rsr.toml): give a number"));
    assert!(lines[2].contains("mysql://me:***@db") && lines[2].contains("(from --database)"));

    let json = run_expecting(folder.path(), 2, ["settings", "check", "--json"]);
    let verdict: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(verdict["valid"], false);
    assert_eq!(verdict["problems"].as_array().unwrap().len(), 2);
    assert_eq!(json.err, "");
}

#[test]
fn wrong_settings_stop_any_command_with_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let said = run_expecting(
        folder.path(),
        2,
        ["cache", "stats", "--config", "missing.toml"],
    );
    assert_eq!(
        said.err,
        "rsr: the settings file missing.toml cannot be read: No such file or directory (os error 2)\n"
    );
}

#[test]
fn an_unknown_variable_is_a_warning_and_no_part_of_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let output = rsr(folder.path())
        .args(["settings", "check"])
        .env("RSR_CACHE_TLL", "5")
        .env("RSR_IATI_DATA", "/data")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "warning: the variable RSR_CACHE_TLL is not known and has no effect: the nearest is RSR_CACHE_TTL\n"
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "the settings are right\n"
    );
}

#[test]
fn the_reference_page_needs_no_settings() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rsr.toml"), "nonsense").unwrap();
    let said = run_expecting(folder.path(), 0, ["settings", "reference"]);
    assert!(said.out.starts_with("# Settings\n"));
    assert!(
        said.out
            .contains("| `RSR_CACHE_TTL` | `cache.ttl` | seconds | `3600` |")
    );
}

#[test]
fn a_secret_is_masked() {
    let folder = tempfile::tempdir().unwrap();
    let output = rsr(folder.path())
        .args(["settings", "show"])
        .env("RSR_API_TOKEN", "s3same")
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(
        !shown.contains("s3same") && shown.contains("***"),
        "{shown}"
    );
}

#[test]
fn the_doctor_looks_at_every_part() {
    let folder = tempfile::tempdir().unwrap();
    let said = run(folder.path(), ["doctor", "--json"]);
    assert!([0, 1].contains(&said.code), "{}", said.err);
    let parts: Vec<Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |part: &str| parts.iter().find(|each| each["part"] == part).unwrap();
    assert_eq!(of("database")["ok"], true);
    assert!(
        of("service")["state"]
            .as_str()
            .unwrap()
            .contains("rsr serve")
    );
    assert!(
        parts
            .iter()
            .all(|part| part["ok"] == true || part["remedy"].is_string())
    );
    assert!(
        !folder.path().join("rsr.db").exists(),
        "looking makes nothing"
    );

    fs::write(
        folder.path().join("rsr.db"),
        "no database at all, but long enough to be looked at",
    )
    .unwrap();
    let sick = run_expecting(folder.path(), 1, ["doctor"]);
    assert!(sick.out.contains("warn  database: "), "{}", sick.out);
}
