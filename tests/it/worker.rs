//! `rsr worker`, `rsr jobs` and the mail of an audit, with real processes and a real mail server.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rsr_testkit::SmtpServer;
use rsr_tests::{rsr, run_expecting};
use serde_json::Value;

const DEMO: [&str; 6] = [
    "demo",
    "--once",
    "--projects",
    "10",
    "--listen",
    "127.0.0.1:0",
];

#[test]
fn a_worker_does_what_was_queued_and_stops_when_told_to() {
    let folder = tempfile::tempdir().unwrap();
    run_expecting(folder.path(), 0, DEMO);
    let queued = ["jobs", "recalculate", "1", "--all", "--json"];
    let queued = run_expecting(folder.path(), 0, queued);
    let queued: Value = serde_json::from_str(&queued.out).unwrap();
    assert!(queued["jobs_waiting"].as_u64() > Some(0), "{queued}");
    let mut worker = rsr(folder.path())
        .args(["worker", "--workers", "2"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(worker.stderr.take().unwrap()).lines();
    let is_done = |line: &String| line.contains("aggregated") && line.contains("finished=");
    let done = said.by_ref().map_while(Result::ok).find(is_done);
    assert!(done.is_some(), "a line for each root that was done");
    let pid = rustix::process::Pid::from_child(&worker);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(worker.wait().unwrap().code(), Some(0));
    let rest: Vec<String> = said.map_while(Result::ok).collect();
    let last = rest.last().unwrap();
    assert!(last.contains("stopped"), "{rest:?}");
    run_expecting(folder.path(), 0, ["audit"]);
}

#[test]
fn recalculation_takes_known_projects_alone() {
    let folder = tempfile::tempdir().unwrap();
    run_expecting(folder.path(), 0, DEMO);
    let said = run_expecting(folder.path(), 2, ["jobs", "recalculate", "99999"]);
    assert!(said.err.contains("project 99999"), "{}", said.err);
    let rebuilt = ["aggregate", "--all", "--rebuild", "--json"];
    let rebuilt = run_expecting(folder.path(), 0, rebuilt);
    let rebuilt: Value = serde_json::from_str(&rebuilt.out).unwrap();
    assert_eq!(rebuilt["periods_changed"], 0);
    assert!(
        rebuilt["disaggregations_changed"].as_u64() > Some(0),
        "{rebuilt}"
    );
    run_expecting(folder.path(), 0, ["audit"]);
}

#[test]
fn rule_45_an_audit_with_findings_goes_out_as_one_mail_with_its_table() {
    let folder = tempfile::tempdir().unwrap();
    run_expecting(folder.path(), 0, DEMO);
    let server = SmtpServer::start();
    let audit = |port: u16| {
        let said = rsr(folder.path())
            .args(["audit", "--format", "tsv"])
            .env("RSR_MAIL_HOST", "127.0.0.1")
            .env("RSR_MAIL_PORT", port.to_string())
            .env("RSR_MAIL_TLS", "disable")
            .env("RSR_MAIL_FROM", "RSR <rsr@example.org>")
            .env(
                "RSR_MAIL_AUDIT_RECIPIENTS",
                "ann@example.org, bob@example.org",
            )
            .output()
            .unwrap();
        (said.status.code(), rsr_tests::Said::from(said))
    };
    assert_eq!(audit(server.port()).0, Some(0));
    let database = rusqlite::Connection::open(folder.path().join("rsr.db")).unwrap();
    let spoil = "UPDATE periods SET value = 100 * id WHERE id IN (SELECT id FROM periods WHERE value IS NOT NULL LIMIT 2)";
    assert_eq!(database.execute(spoil, []).unwrap(), 2);
    let (code, said) = audit(server.port());
    assert_eq!(code, Some(1), "{}", said.err);
    let mails = server.take(1);
    let [mail] = &mails[..] else {
        panic!("none where all was well: {mails:?}");
    };
    assert_eq!(mail.from, "rsr@example.org");
    assert_eq!(mail.recipients, ["ann@example.org", "bob@example.org"]);
    for part in ["Audit of results:", "audit.tsv", "periods audited"] {
        assert!(mail.text.contains(part), "{part}: {}", mail.text);
    }

    // Without a server the findings are printed all the same, and the mail waits.
    let port = server.port();
    drop(server);
    let (code, said) = audit(port);
    assert_eq!(code, Some(1), "{}", said.err);
    assert!(said.err.contains("waits for"), "{}", said.err);
}
