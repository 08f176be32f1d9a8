//! The running service over real data, from outside.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rsr_testkit::{iati_data, left_out};
use rsr_tests::serving::{Server, read_some};
use rsr_tests::{run, run_expecting};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn it_answers_over_real_data_and_ends_well() {
    let Some(data) = iati_data() else {
        left_out("the service over real data: set RSR_IATI_DATA to the folder that has `real`");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = data.join("real/beis-rs-newton-hierarchy-2.03.xml");
    run_expecting(folder.path(), 0, ["import", "iati", file.to_str().unwrap()]);
    let server = Server::start(folder.path(), &[]);

    let list = json(&server.get("/api/v1/projects/?limit=200").body);
    let projects = list
        .as_array()
        .or_else(|| list["results"].as_array())
        .expect("a list of projects");
    let root = projects
        .iter()
        .find(|project| project["parent"].is_null())
        .expect("a root")["id"]
        .as_i64()
        .unwrap();

    let children = server.get(&format!("/api/v1/projects/{root}/children/?limit=100"));
    assert_eq!(children.status, 200, "{}", children.body);
    assert_eq!(children.header("x-children-count"), "100");
    assert_eq!(children.header("x-truncated"), "true");
    assert_eq!(json(&children.body).as_array().unwrap().len(), 100);
    let link = children.header("link");
    let next = link.split(['<', '>']).nth(1).expect("a link to the rest");
    let path = next
        .strip_prefix("http://")
        .map_or(next, |url| url.split_at(url.find('/').unwrap()).1);
    let rest = server.get(path);
    assert_eq!(rest.header("x-children-count"), "49", "{}", rest.body);
    assert_eq!(rest.header("x-truncated"), "false");

    let descendants = server.get(&format!("/api/v1/projects/{root}/descendants/"));
    assert_eq!(descendants.body.lines().count(), 149);
    let export = server.get("/api/v1/iati/activities.xml");
    assert_eq!(
        export.body.matches("<iati-activity ").count()
            + export.body.matches("<iati-activity>").count(),
        150
    );

    for path in [
        "/metrics/",
        "/metrics",
        "/health/live",
        "/health/ready",
        "/health/memory",
        "/",
        "/api/openapi.json",
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert_eq!(
            answer.header("x-rsr-memory-monitoring-enabled"),
            "true",
            "{path}"
        );
        for what in ["delta-mb", "peak-mb"] {
            let figure = answer.header(&format!("x-rsr-memory-{what}"));
            assert!(figure.parse::<f64>().is_ok(), "{path}: {what} {figure:?}");
        }
    }
    let metrics = server.get("/metrics").body;
    assert!(
        metrics.contains("rsr_memory_usage_bytes{kind=\"heap_allocated\"} "),
        "the allocator's own counters are read"
    );
    for (path, status) in [
        ("/api/v1/projects/999999/children/", 404),
        (&format!("/api/v1/projects/{root}/children/?limit=0"), 400),
        (
            &format!("/api/v1/projects/{root}/children/?max_depth=99999999999"),
            400,
        ),
        (
            &format!("/api/v1/projects/{root}/children/?cursor=forged"),
            400,
        ),
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{path}"
        );
    }

    let mut hung_up = server.connect();
    let ask = format!("GET /api/v1/projects/{root}/descendants/ HTTP/1.1\r\nHost: x\r\n\r\n");
    std::io::Write::write_all(&mut hung_up, ask.as_bytes()).unwrap();
    assert!(!read_some(&mut hung_up).is_empty());
    drop(hung_up);
    assert_eq!(server.get("/health/ready").status, 200);

    let (code, log) = server.stop();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn the_admin_commands_see_the_running_service() {
    let folder = tempfile::tempdir().unwrap();
    let none = run(folder.path(), ["cache", "stats"]);
    assert_eq!(none.code, 3, "{}", none.err);
    assert_eq!(none.err.lines().count(), 1, "{}", none.err);
    assert!(
        none.err.contains("rsr serve"),
        "it says how to start one: {}",
        none.err
    );

    let server = Server::start(folder.path(), &[]);
    let socket = folder.path().join("rsr/admin.sock");
    assert_eq!(
        fs::metadata(&socket).unwrap().permissions().mode() & 0o777,
        0o600
    );
    for arguments in [
        &["cache", "stats", "--json"][..],
        &["cache", "cleanup", "--dry-run", "--json"],
        &["cache", "clear", "--json"],
        &["cache", "monitor", "--json"],
        &["deletions", "stats", "--json"],
        &["deletions", "cleanup", "--dry-run", "--json"],
        &["memory", "status", "--json"],
        &["memory", "health-check", "--json"],
        &["memory", "check-leaks", "--json"],
        &["memory", "summary", "--json"],
    ] {
        let said = run_expecting(folder.path(), 0, arguments);
        assert!(json(&said.out).is_object(), "{arguments:?}: {}", said.out);
    }
    let unknown = run_expecting(
        folder.path(),
        2,
        ["cache", "stats", "--cache-name", "nobody"],
    );
    assert!(unknown.err.contains("nobody"), "{}", unknown.err);
    let (code, log) = server.stop();
    assert_eq!(code, 0, "{log}");
    assert!(!socket.exists(), "the socket goes with the service");
}
