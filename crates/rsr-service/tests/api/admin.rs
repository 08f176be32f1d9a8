//! The admin routes, in memory.

use std::time::Duration;

use http::Method;
use rsr_base::ProjectId;
use serde_json::json;

use crate::support::{World, ask};

#[tokio::test]
async fn admin_routes_are_for_the_socket_or_the_token() {
    let world = World::new();
    for path in [
        "/admin/v1/caches/",
        "/admin/v1/memory/status/",
        "/admin/v1/deletions/",
    ] {
        world.get(path).await.is_problem(404, "not-found", None);
        let bare = ask(world.service.admin_router(), Method::GET, path, &[], "").await;
        bare.is_problem(401, "unauthorized", None);
        assert_eq!(
            world.admin(Method::GET, path, "").await.status,
            200,
            "{path}"
        );
    }
}

#[tokio::test]
async fn caches_are_shown_swept_and_cleared_by_name() {
    let world = World::new();
    let id = world.plant(&[None])[0];
    world.get(&format!("/api/v1/projects/{id}/")).await;

    let stats = world
        .admin(Method::GET, "/admin/v1/caches/", "")
        .await
        .json();
    let cache = &stats["caches"]["project-summaries"];
    assert_eq!(cache["size"], 1);
    for field in [
        "max_size",
        "bytes",
        "expired_entries",
        "ttl_seconds",
        "utilization_percent",
        "hits",
        "misses",
        "hit_ratio",
        "loads",
        "load_failures",
        "evictions",
    ] {
        assert!(cache.get(field).is_some(), "{field} is missing in {cache}");
    }
    assert_eq!(stats["_global"]["total_caches"], 3);
    assert_eq!(
        stats["_global"]["total_entries"], 2,
        "the summary and the permission"
    );

    let dry = world
        .admin(
            Method::POST,
            "/admin/v1/caches/clear/",
            r#"{"dry_run":true}"#,
        )
        .await
        .json();
    assert_eq!(
        (dry["removed"].as_u64(), dry["dry_run"].as_bool()),
        (Some(2), Some(true))
    );
    let key = format!("project {id} for everybody");
    assert_eq!(
        dry["caches"]["project-summaries"]["keys"],
        json!([key]),
        "{dry}"
    );
    let one = r#"{"name":"project-summaries"}"#;
    let cleared = world
        .admin(Method::POST, "/admin/v1/caches/clear/", one)
        .await
        .json();
    assert_eq!(cleared["caches"]["project-summaries"]["removed"], 1);
    assert_eq!(cleared["removed"], 1);

    world.clock.advance(Duration::from_secs(3601));
    let swept = world
        .admin(
            Method::POST,
            "/admin/v1/caches/cleanup/",
            r#"{"dry_run":true}"#,
        )
        .await
        .json();
    assert_eq!(swept["removed"], 1, "the permission is past its time");
    let listed = &swept["caches"]["project-permissions"];
    assert_eq!(listed["keys"], json!([key]), "{swept}");
    assert_eq!(listed["keys_left_out"], 0);
    let swept = world
        .admin(Method::POST, "/admin/v1/caches/cleanup/", "")
        .await
        .json();
    assert_eq!(swept["removed"], 1);

    let unknown = world
        .admin(Method::GET, "/admin/v1/caches/?name=nobody", "")
        .await;
    unknown.is_problem(404, "not-found", None);
    assert!(
        unknown.json()["detail"]
            .as_str()
            .unwrap()
            .contains("project-summaries")
    );
}

#[tokio::test]
async fn a_full_cache_is_an_issue() {
    let world = World::with(&[("RSR_CACHE_MAX_SIZE", "1")]);
    let id = world.plant(&[None])[0];
    world.get(&format!("/api/v1/projects/{id}/")).await;
    let monitor = world
        .admin(Method::GET, "/admin/v1/caches/monitor/", "")
        .await
        .json();
    let issues = monitor["issues"].as_array().unwrap();
    let full = issues
        .iter()
        .find(|issue| issue["cache"] == "project-summaries")
        .unwrap_or_else(|| panic!("an issue in {monitor}"));
    assert_eq!(full["severity"], "high");
    assert_eq!(monitor["timestamp"], "2024-01-01T00:00:00Z");
    let health = world.get("/health/memory").await;
    assert_eq!(health.status, 200, "a warning is no failure");
    assert_eq!(health.json()["overall"], "degraded");
    assert_eq!(health.json()["parts"]["caches"]["state"], "warning");
}

#[tokio::test]
async fn what_is_switched_off_is_no_fault() {
    for (switch, part) in [
        ("RSR_MEMORY_MONITORING_ENABLED", "leaks"),
        ("RSR_LEAK_DETECTION_ENABLED", "leaks"),
        ("RSR_PROMETHEUS_METRICS_ENABLED", "metrics"),
        ("RSR_PROFILING_ENABLED", "profiling"),
    ] {
        let world = World::with(&[(switch, "false")]);
        let health = world.get("/health/memory").await;
        assert_eq!(health.status, 200, "{switch}");
        assert_eq!(health.json()["overall"], "healthy", "{switch}");
        assert_eq!(
            health.json()["parts"][part]["state"],
            "disabled",
            "{switch}"
        );
    }
}

#[tokio::test]
async fn a_failed_delete_leaves_nothing_tracked() {
    let world = World::new();
    let missing = world
        .send(Method::DELETE, "/api/v1/projects/999/", &json!({}))
        .await;
    missing.is_problem(404, "not-found", None);
    let stats = world
        .admin(Method::GET, "/admin/v1/deletions/", "")
        .await
        .json();
    assert_eq!(
        (stats["active"].as_u64(), stats["finished"].as_u64()),
        (Some(0), Some(1))
    );
    let _not_stored = ProjectId(999);
    let dry = world
        .admin(
            Method::POST,
            "/admin/v1/deletions/cleanup/",
            r#"{"dry_run":true}"#,
        )
        .await;
    assert_eq!(
        dry.json(),
        json!({ "removed": 0, "dry_run": true, "entries": [] })
    );
}

#[tokio::test]
async fn memory_is_shown_and_leaks_are_unknown_at_first() {
    let world = World::new();
    let status = world
        .admin(Method::GET, "/admin/v1/memory/status/", "")
        .await
        .json();
    assert!(status["memory"]["rss_bytes"].as_u64().unwrap() > 0);
    assert_eq!(status["configuration"]["memory.shed_at"]["value"], "0.88");
    assert_eq!(status["pressure"]["level"], "normal");
    let leaks = world
        .admin(
            Method::POST,
            "/admin/v1/memory/check-leaks/",
            r#"{"reset":true}"#,
        )
        .await
        .json();
    assert_eq!(leaks["verdict"], "unknown");
    assert!(
        leaks["message"]
            .as_str()
            .unwrap()
            .contains("first verdict in about"),
        "{leaks}"
    );
    assert_eq!(leaks["findings"], json!([]));
    let summary = world
        .admin(Method::GET, "/admin/v1/memory/summary/", "")
        .await
        .json();
    assert!(summary["caches"]["project-results"].is_object());
    let health = world
        .admin(Method::GET, "/admin/v1/memory/health/", "")
        .await;
    assert_eq!(health.json()["parts"]["database"]["state"], "ok");
}

#[tokio::test]
async fn short_memory_refuses_heavy_routes_and_keeps_the_light_ones() {
    // The process holds more than this at any time, so all of it is in use.
    let world = World::with(&[
        ("RSR_MEMORY_LIMIT", "16MiB"),
        ("RSR_MEMORY_REFUSE_AT", "1"),
        ("RSR_MEMORY_SHED_AT", "0.01"),
        ("RSR_MEMORY_PAUSE_AT", "0.005"),
        ("RSR_MEMORY_RECLAIM_AT", "0.001"),
        ("RSR_MEMORY_HYSTERESIS", "0"),
    ]);
    let id = world.plant(&[None])[0];
    world.service.beat();
    let path = format!("/api/v1/projects/{id}/children/");
    let shed = world.get(&path).await;
    shed.is_problem(503, "memory-pressure", None);
    assert!(shed.header("retry-after").is_some());
    assert_eq!(world.get("/health/live").await.status, 200);
    let metrics = world.get("/metrics/").await.text();
    assert!(metrics.contains("rsr_requests_shed_total{reason=\"memory\"} 1"));
    let health = world.get("/health/memory").await;
    assert_eq!(health.status, 503);
    assert_eq!(health.json()["parts"]["memory"]["state"], "failing");
}

#[tokio::test]
async fn findings_and_profiles_say_what_there_is_and_what_is_off() {
    let world = World::new();
    let get = |path| world.admin(Method::GET, path, "");
    let findings = get("/admin/v1/findings/").await.json();
    assert_eq!(findings, json!({ "open": 0, "findings": [] }));
    let post = |path, body| world.admin(Method::POST, path, body);
    let unknown = post("/admin/v1/findings/ack/", r#"{"id":9}"#).await;
    unknown.is_problem(404, "not-found", None);
    let never = post("/admin/v1/findings/ack/", r#"{"id":9,"for_seconds":0}"#).await;
    never.is_problem(400, "invalid-body", Some("for_seconds"));
    for path in [
        "/admin/v1/memory/profiles/",
        "/debug/pprof/heap",
        "/debug/pprof/allocs",
        "/debug/pprof/peak",
    ] {
        get(path).await.is_problem(409, "conflict", None);
    }
    let report = get("/admin/v1/memory/report/?days=1").await.json();
    assert_eq!(report["health"]["overall"], "healthy");
    assert_eq!(report["leaks"]["verdict"], "unknown");
    let wrong = get("/admin/v1/memory/report/?days=0").await;
    wrong.is_problem(400, "invalid-parameter", Some("days"));
}
