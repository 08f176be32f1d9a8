//! Memory is reserved before it is taken, and given back.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::iati::{file, import};
use crate::support::{World, token};

/// Longest wait for a thread to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes that a pool has promised.
async fn used(world: &World, pool: &str) -> u64 {
    let metrics = world.get("/metrics/").await.text();
    let series = format!("rsr_memory_reserved_bytes{{pool=\"{pool}\"}} ");
    let found = metrics.lines().find_map(|line| line.strip_prefix(&series));
    let value: f64 = found.expect("the pool is measured").parse().unwrap();
    format!("{value:.0}").parse().unwrap()
}

/// The thread that wrote an answer may end a moment after its reader.
async fn is_given_back(world: &World) {
    let given_back = async {
        while used(world, "exports").await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, given_back).await.unwrap();
}

#[tokio::test]
async fn an_export_holds_its_reservation_until_its_reader_is_gone() {
    let world = World::new();
    import(&world, &file(3));
    assert_eq!(used(&world, "exports").await, 0);
    let request = Request::get("/api/v1/iati/activities.xml").header(token().0, token().1);
    let router = world.service.router();
    let answer = router
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert!(used(&world, "exports").await > 1 << 20, "it is being read");
    let body = answer.into_body().collect().await.unwrap();
    drop(body);
    is_given_back(&world).await;
}

#[tokio::test]
async fn what_finds_no_memory_is_told_when_to_come_again_and_light_routes_go_on() {
    // Half of 16 MiB may be reserved; a chunk of so many activities takes nearly as much.
    let world = World::with(&[
        ("RSR_MEMORY_LIMIT", "16MiB"),
        ("RSR_MEMORY_RESERVE", "0.5"),
        ("RSR_IATI_EXPORT_CHUNK_SIZE", "600"),
    ]);
    import(&world, &file(3));
    let export = || {
        let request = Request::get("/api/v1/iati/activities.xml").header(token().0, token().1);
        let request = request.body(Body::empty()).unwrap();
        world.service.router().oneshot(request)
    };
    let first = export().await.unwrap();
    assert_eq!(first.status(), 200);
    let refused = world.get_all("/api/v1/iati/activities.xml").await;
    refused.is_problem(503, "memory-pressure", None);
    assert_eq!(refused.header("retry-after"), Some("5"));
    assert!(
        refused.text().contains("most is held by exports"),
        "{}",
        refused.text()
    );
    assert_eq!(world.get("/health/live").await.status, 200);
    assert_eq!(world.get("/api/v1/projects/").await.status, 200);
    let metrics = world.get("/metrics/").await.text();
    assert!(metrics.contains("rsr_requests_shed_total{reason=\"memory\"} 1"));
    assert!(metrics.contains("rsr_memory_reservations_refused_total 1"));
    drop(first);
    is_given_back(&world).await;
    let again = world.get_all("/api/v1/iati/activities.xml").await;
    assert_eq!(again.status, 200, "what was held came back");
}

#[tokio::test]
async fn a_body_counts_before_it_is_read() {
    let world = World::with(&[
        ("RSR_MEMORY_LIMIT", "16MiB"),
        ("RSR_MAX_BODY_BYTES", "64MiB"),
    ]);
    let huge = (20_u64 << 20).to_string();
    let headers = [
        token(),
        ("content-type", "application/json"),
        ("content-length", huge.as_str()),
    ];
    let refused = world
        .ask(Method::POST, "/api/v1/projects/", &headers, "{}")
        .await;
    refused.is_problem(503, "memory-pressure", None);
    assert_eq!(used(&world, "requests").await, 0);
}

#[tokio::test]
async fn a_profile_for_which_no_memory_is_left_is_refused() {
    // A dump takes 8 MiB, and 6.4 MiB may be reserved.
    let world = World::with(&[
        ("RSR_MEMORY_LIMIT", "16MiB"),
        ("RSR_MEMORY_RESERVE", "0.6"),
        ("RSR_PROFILING_ENABLED", "true"),
    ]);
    let stop = "/admin/v1/memory/profiles/stop/";
    let refused = [
        world
            .admin(Method::POST, stop, r#"{"profile_id":"any"}"#)
            .await,
        world.admin(Method::GET, "/debug/pprof/heap", "").await,
        world
            .admin(Method::GET, "/debug/pprof/heap?seconds=1", "")
            .await,
        world.admin(Method::GET, "/debug/pprof/allocs", "").await,
        world.admin(Method::GET, "/debug/pprof/peak", "").await,
    ];
    for answer in refused {
        answer.is_problem(503, "memory-pressure", None);
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
    assert_eq!(used(&world, "profiles").await, 0);
    let metrics = world.get("/metrics/").await.text();
    assert!(metrics.contains("rsr_memory_reservations_refused_total 5"));
}
