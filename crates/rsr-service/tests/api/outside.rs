//! What every answer has, whatever the route: ids, memory headers, problems, codings, metrics.

use std::io::Read;

use flate2::read::GzDecoder;
use http::Method;

use crate::support::{World, ask};

#[tokio::test]
async fn every_answer_has_an_id_and_keeps_a_callers_own() {
    let world = World::new();
    let answer = world.get("/health/live").await;
    assert_eq!(answer.header("x-request-id").map(str::len), Some(32));
    let named = world
        .ask(
            Method::GET,
            "/health/live",
            &[("x-request-id", "build-7")],
            "",
        )
        .await;
    assert_eq!(named.header("x-request-id"), Some("build-7"));
    let hostile = world
        .ask(Method::GET, "/health/live", &[("x-request-id", "a b")], "")
        .await;
    assert_ne!(hostile.header("x-request-id"), Some("a b"));
}

#[tokio::test]
async fn a_callers_trace_goes_on() {
    let world = World::new();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let answer = world
        .ask(Method::GET, "/health/live", &[("traceparent", trace)], "")
        .await;
    let response = answer.header("traceresponse").unwrap();
    assert!(
        response.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"),
        "{response}"
    );
    assert!(
        !response.contains("00f067aa0ba902b7"),
        "a span of our own: {response}"
    );
    assert_eq!(
        world.get("/health/live").await.header("traceresponse"),
        None
    );
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let world = World::new();
    world
        .get("/nowhere")
        .await
        .is_problem(404, "not-found", None);
    let wrong = world.ask(Method::PUT, "/health/live", &[], "").await;
    wrong.is_problem(405, "method-not-allowed", None);
    assert!(
        wrong
            .header("allow")
            .is_some_and(|allow| allow.contains("GET"))
    );
}

#[tokio::test]
async fn every_answer_states_the_memory_it_took() {
    let world = World::new();
    for path in [
        "/health/live",
        "/nowhere",
        "/metrics/",
        "/api/v1/projects/1/children/",
    ] {
        let answer = world.get(path).await;
        for ending in [
            "Monitoring-Enabled",
            "Duration-Seconds",
            "System-Usage-Percent",
        ] {
            let name = format!("X-RSR-Memory-{ending}");
            assert!(answer.header(&name).is_some(), "{path} lacks {name}");
        }
    }
    let off = World::with(&[("RSR_MEMORY_MONITORING_ENABLED", "false")]);
    let answer = off.get("/health/live").await;
    assert_eq!(answer.header("X-RSR-Memory-Monitoring-Enabled"), None);
    let other = World::with(&[("RSR_MEMORY_HEADER_PREFIX", "X-Heap")]);
    assert!(
        other
            .get("/health/live")
            .await
            .header("X-Heap-Duration-Seconds")
            .is_some()
    );
}

#[tokio::test]
async fn paths_answer_with_and_without_their_last_slash() {
    let world = World::new();
    assert_eq!(world.get("/metrics").await.status, 200);
    assert_eq!(world.get("/metrics/").await.status, 200);
    let root = world.plant(&[None])[0];
    assert_eq!(
        world
            .get(&format!("/api/v1/projects/{root}/children"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn metrics_speak_both_formats() {
    let world = World::new();
    let text = world.get("/metrics/").await;
    assert_eq!(
        text.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert!(text.text().contains("\nrsr_hierarchy_truncated_total 0\n"));
    let accept = [(
        "accept",
        "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
    )];
    let open = world.ask(Method::GET, "/metrics/", &accept, "").await;
    assert!(
        open.header("content-type")
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    assert!(open.text().ends_with("# EOF\n"));
    let off = World::with(&[("RSR_PROMETHEUS_METRICS_ENABLED", "false")]);
    off.get("/metrics/")
        .await
        .is_problem(404, "not-found", None);
}

#[tokio::test]
async fn requests_are_counted_under_their_route_never_their_path() {
    let world = World::new();
    for id in 0..5 {
        world
            .get(&format!("/api/v1/projects/{id}/children/?x={id}"))
            .await;
        world.get(&format!("/scan/{id}")).await;
    }
    let text = world.get("/metrics/").await.text();
    let line = "rsr_request_duration_seconds_count{route=\"/api/v1/projects/{id}/children/\",method=\"GET\",status=\"4xx\"} 5";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("{route=\"other\",method=\"other\",status=\"4xx\"} 5"));
    assert!(!text.contains("scan"), "a caller's path is no label");
}

#[tokio::test]
async fn children_can_be_compressed() {
    let world = World::new();
    let root = world.plant(&[None, Some(0)])[0];
    let path = format!("/api/v1/projects/{root}/children/");
    let plain = world.get(&path).await;
    let coded = world
        .ask(Method::GET, &path, &[("accept-encoding", "gzip, br")], "")
        .await;
    assert_eq!(coded.header("content-encoding"), Some("gzip"));
    let mut text = vec![0; plain.body.len()];
    GzDecoder::new(coded.body.as_ref())
        .read_exact(&mut text)
        .unwrap();
    assert_eq!(text, plain.body.as_ref());
    assert_ne!(
        coded.header("etag"),
        plain.header("etag"),
        "other bytes, another tag"
    );
}

#[tokio::test]
async fn zstd_is_taken_where_it_is_as_welcome() {
    let world = World::new();
    let root = world.plant(&[None, Some(0)])[0];
    let path = format!("/api/v1/projects/{root}/children/");
    let plain = world.get(&path).await;
    let accept = [("accept-encoding", "gzip, zstd")];
    let coded = world.ask(Method::GET, &path, &accept, "").await;
    assert_eq!(coded.header("content-encoding"), Some("zstd"));
    assert!(coded.header("vary").unwrap().contains("accept-encoding"));
    let text = zstd::decode_all(coded.body.as_ref()).unwrap();
    assert_eq!(text, plain.body.as_ref());
    assert_ne!(coded.header("etag"), plain.header("etag"));
}

#[tokio::test]
async fn a_stream_has_a_tag_and_is_not_sent_again() {
    let world = World::with(&[("RSR_MAX_DESCENDANTS_PER_REQUEST", "5000")]);
    let mut tree = vec![None];
    tree.resize(1_500, Some(0));
    let ids = world.plant(&tree);
    let path = format!("/api/v1/projects/{}/children/", ids[0]);
    let first = world.get(&path).await;
    assert!(first.body.len() > 256 << 10, "more than one piece");
    let etag = first.header("etag").unwrap().to_owned();
    assert!(etag.starts_with("W/"), "{etag}");
    let known = [("if-none-match", etag.as_str())];
    let again = world.ask(Method::GET, &path, &known, "").await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), Some(etag.as_str()));
    world.plant(&[None]);
    let later = world.ask(Method::GET, &path, &known, "").await;
    assert_eq!(later.status, 200, "the data is another one");
}

#[tokio::test]
async fn what_is_possible_can_be_asked() {
    let world = World::new();
    let answer = world
        .ask(Method::OPTIONS, "/api/v1/projects/", &[], "")
        .await;
    assert_eq!(answer.status, 204);
    let allow = answer.header("allow").unwrap();
    for method in ["GET", "HEAD", "POST"] {
        assert!(allow.contains(method), "{allow}");
    }
    let head = world.ask(Method::HEAD, "/api/v1/projects/", &[], "").await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_not_waited_for() {
    let world = World::new();
    let headers = [
        crate::support::token(),
        ("content-type", "application/json"),
        ("content-length", "99999999999999999999999"),
    ];
    let answer = world
        .ask(Method::POST, "/api/v1/projects/", &headers, "{}")
        .await;
    answer.is_problem(413, "body-too-large", None);
}

#[tokio::test]
async fn the_description_lists_the_routes() {
    let world = World::new();
    let description = world.get("/api/openapi.json").await.json();
    assert_eq!(description["openapi"], "3.1.0");
    let children = &description["paths"]["/api/v1/projects/{id}/children/"]["get"];
    assert_eq!(children["operationId"], "children");
    assert!(
        description["paths"].get("/admin/v1/caches/").is_none(),
        "no admin route in public"
    );
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_no_answer_tells_the_right_one() {
    let world = World::new();
    let answer = world
        .ask(
            Method::GET,
            "/api/v1/projects/1/",
            &[("authorization", "Bearer wrong")],
            "",
        )
        .await;
    answer.is_problem(401, "unauthorized", None);
    assert!(answer.header("www-authenticate").is_some());
    assert!(!answer.text().contains("s3same"));
}

#[tokio::test]
async fn admin_routes_are_not_on_the_public_side() {
    let world = World::new();
    world
        .get("/admin/v1/caches/")
        .await
        .is_problem(404, "not-found", None);
    let bare = ask(
        world.service.admin_router(),
        Method::GET,
        "/admin/v1/caches/",
        &[],
        "",
    )
    .await;
    bare.is_problem(401, "unauthorized", None);
}

#[tokio::test]
async fn the_dashboard_needs_no_script_and_nothing_from_elsewhere() {
    let world = World::new();
    world.service.beat();
    let page = world.get("/").await;
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let text = page.text();
    assert!(
        text.contains("<dt>Memory in use</dt><dd class=\"figure\">"),
        "figures are in the page itself"
    );
    assert!(text.contains("project-summaries"));
    assert!(text.contains("<polyline"));
    // Namespaces and the page's own gradient are no links.
    for foreign in ["https://", "src=", "@import", "url(http"] {
        assert!(!text.contains(foreign), "{foreign}");
    }
    assert_ne!(
        world.get("/").await.header("content-security-policy"),
        Some(policy),
        "a nonce is used once"
    );
}
