//! Traces and metrics for OpenTelemetry, as a collector receives them.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::live::Running;
use crate::support::World;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Takes what is sent, whole, and hands on its path and JSON.
async fn collector() -> (String, UnboundedReceiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/collect", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "a test reads all of it")]
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let got = receive(stream).await;
            let _test_still_listens = sender.send(got).is_ok();
        }
    });
    (address, receiver)
}

async fn receive(mut stream: TcpStream) -> (String, Value) {
    let mut bytes = Vec::new();
    loop {
        stream.read_buf(&mut bytes).await.unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse::<usize>().unwrap())
        });
        if body.len() == length.unwrap() {
            let path = head.split(' ').nth(1).unwrap().to_owned();
            let json = serde_json::from_str(body).unwrap();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                .await
                .unwrap();
            return (path, json);
        }
    }
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n")
}

/// The attribute of this name of a span, a point or a resource.
fn attribute<'a>(of: &'a Value, key: &str) -> Option<&'a Value> {
    let all = of["attributes"].as_array()?;
    all.iter()
        .find(|pair| pair["key"] == key)
        .map(|pair| &pair["value"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_the_spans_of_requests_and_every_metric() {
    let (endpoint, mut received) = collector().await;
    let world = World::with(&[
        ("RSR_OTLP_ENDPOINT", &endpoint),
        ("RSR_OTLP_INTERVAL", "1h"),
        ("RSR_GRACE_TIME", "0"),
    ]);
    let running = Running::start(world).await;
    let context = |flags: &str| format!("traceparent: 00-{TRACE}-{PARENT}-{flags}\r\n");
    let answer = running.raw(&get("/health/live", &context("01"))).await;
    running.raw(&get("/health/live", &context("00"))).await;
    running.raw(&get("/nowhere/", "")).await;
    running.end().await;

    let (mut spans, mut metrics) = (Vec::new(), Vec::new());
    while let Ok(Some((path, body))) =
        tokio::time::timeout(Duration::from_millis(500), received.recv()).await
    {
        let (name, of) = match path.as_str() {
            "/collect/v1/traces" => ("resourceSpans", &mut spans),
            "/collect/v1/metrics" => ("resourceMetrics", &mut metrics),
            other => panic!("{other}"),
        };
        let whole = &body[name][0];
        let service = attribute(&whole["resource"], "service.name").unwrap();
        assert_eq!(service["stringValue"], "rsr");
        let (scope, list) = match name {
            "resourceSpans" => ("scopeSpans", "spans"),
            _ => ("scopeMetrics", "metrics"),
        };
        of.extend(whole[scope][0][list].as_array().unwrap().clone());
    }

    // The caller's trace goes on; the one that its caller does not record is not recorded.
    assert_eq!(spans.len(), 2, "{spans:?}");
    let first = &spans[0];
    assert_eq!(first["traceId"], TRACE);
    assert_eq!(first["parentSpanId"], PARENT);
    let own = first["spanId"].as_str().unwrap();
    assert!(
        answer.contains(&format!("traceresponse: 00-{TRACE}-{own}-01")),
        "{answer}"
    );
    assert_eq!(first["name"], "GET /health/live");
    let status = attribute(first, "http.response.status_code").unwrap();
    assert_eq!(status["intValue"], "200");
    let nanos = |key: &str| first[key].as_str().unwrap().parse::<u128>().unwrap();
    assert!(nanos("endTimeUnixNano") >= nanos("startTimeUnixNano"));
    let second = &spans[1];
    assert!(second["parentSpanId"].is_null(), "{second}");
    assert_eq!(second["traceId"].as_str().unwrap().len(), 32);
    let status = attribute(second, "http.response.status_code").unwrap();
    assert_eq!(status["intValue"], "404");

    let metric = |name: &str| {
        let mut all = metrics.iter().rev();
        all.find(|metric| metric["name"] == name)
            .unwrap_or_else(|| panic!("no {name}"))
    };
    let usage = metric("rsr_memory_usage_bytes");
    assert_eq!(usage["unit"], "By");
    let heap = usage["gauge"]["dataPoints"].as_array().unwrap();
    assert!(
        heap.iter()
            .all(|point| point["asDouble"].as_f64().unwrap() > 0.0)
    );
    let leaks = &metric("rsr_requests_shed_total")["sum"];
    assert_eq!(leaks["isMonotonic"], true);
    assert_eq!(leaks["dataPoints"][0]["asInt"], "0");
    let durations = &metric("rsr_request_duration_seconds")["histogram"];
    let points = durations["dataPoints"].as_array().unwrap();
    let live = points.iter().find(|point| {
        attribute(point, "route").is_some_and(|route| route["stringValue"] == "/health/live")
    });
    assert_eq!(live.unwrap()["count"], "2");
    let n_bounds = live.unwrap()["explicitBounds"].as_array().unwrap().len();
    let n_counts = live.unwrap()["bucketCounts"].as_array().unwrap().len();
    assert_eq!(n_counts, n_bounds + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_gone_or_refused_stops_nothing() {
    for endpoint in ["http://127.0.0.1:9/", "https://collector.example.org/"] {
        let world = World::with(&[("RSR_OTLP_ENDPOINT", endpoint), ("RSR_GRACE_TIME", "0")]);
        let running = Running::start(world).await;
        let answer = running.raw(&get("/health/live", "")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        running.end().await;
    }
}
