//! The JSON of OTLP.
//!
//! **Source:** the OpenTelemetry protocol, version 1, JSON encoding: numbers of 64 bits are strings, ids are hexadecimal.

use std::time::{SystemTime, UNIX_EPOCH};

use rsr_monitoring::{FamilySnapshot, Figure};
use serde_json::{Value, json};

use super::Span;

/// A span of a request that was served.
const SERVER: u8 = 2;
/// A status that is an error.
const ERROR: u8 = 2;
/// Figures since the start, not since the last time.
const CUMULATIVE: u8 = 2;

fn nanos(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().to_string()
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn resource(instance: &str) -> Value {
    json!({ "attributes": [
        text("service.name", "rsr"),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("service.instance.id", instance),
    ]})
}

fn scope() -> Value {
    json!({ "name": "rsr", "version": env!("CARGO_PKG_VERSION") })
}

/// A request for `/v1/traces`.
pub(super) fn traces(instance: &str, spans: &[Span]) -> Value {
    let spans: Vec<Value> = spans.iter().map(span).collect();
    json!({ "resourceSpans": [{
        "resource": resource(instance),
        "scopeSpans": [{ "scope": scope(), "spans": spans }],
    }]})
}

fn span(span: &Span) -> Value {
    let route = span.name.split_once(' ').map_or("", |(_, route)| route);
    let mut out = json!({
        "traceId": span.trace,
        "spanId": span.id,
        "name": span.name,
        "kind": SERVER,
        "startTimeUnixNano": nanos(span.began),
        "endTimeUnixNano": nanos(span.ended),
        "attributes": [
            text("http.request.method", &span.method),
            text("http.route", route),
            text("url.path", &span.path),
            { "key": "http.response.status_code", "value": { "intValue": span.status.to_string() } },
        ],
        "status": if span.status >= 500 { json!({ "code": ERROR }) } else { json!({}) },
    });
    if let Some(parent) = &span.parent {
        out["parentSpanId"] = json!(parent);
    }
    out
}

/// A request for `/v1/metrics`.
pub(super) fn metrics(
    instance: &str,
    families: &[FamilySnapshot],
    began: SystemTime,
    now: SystemTime,
) -> Value {
    let (began, now) = (nanos(began), nanos(now));
    let metrics: Vec<Value> = families
        .iter()
        .filter_map(|family| metric(family, &began, &now))
        .collect();
    json!({ "resourceMetrics": [{
        "resource": resource(instance),
        "scopeMetrics": [{ "scope": scope(), "metrics": metrics }],
    }]})
}

fn metric(family: &FamilySnapshot, began: &str, now: &str) -> Option<Value> {
    let mut kind = "gauge";
    let mut points = Vec::new();
    for (labels, figure) in &family.series {
        let attributes: Vec<Value> = labels
            .iter()
            .map(|(name, value)| text(name, value))
            .collect();
        let mut point = json!({
            "attributes": attributes,
            "startTimeUnixNano": began,
            "timeUnixNano": now,
        });
        match figure {
            Figure::Counter(total) => {
                kind = "sum";
                point["asInt"] = json!(total.to_string());
            }
            // JSON has no number for what is none.
            Figure::Gauge(value) if !value.is_finite() => continue,
            Figure::Gauge(value) => point["asDouble"] = json!(value),
            Figure::Histogram {
                bounds,
                counts,
                sum,
            } => {
                kind = "histogram";
                let count: u64 = counts.iter().sum();
                if count == 0 {
                    continue;
                }
                let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
                point["count"] = json!(count.to_string());
                point["sum"] = json!(sum);
                point["bucketCounts"] = json!(counts);
                point["explicitBounds"] = json!(bounds);
            }
            _ => continue,
        }
        points.push(point);
    }
    if points.is_empty() {
        return None;
    }
    let mut data = json!({ "dataPoints": points });
    if kind != "gauge" {
        data["aggregationTemporality"] = json!(CUMULATIVE);
    }
    if kind == "sum" {
        data["isMonotonic"] = json!(true);
    }
    let unit = [("_bytes", "By"), ("_seconds", "s"), ("_ratio", "1")]
        .into_iter()
        .find(|(ending, _)| family.name.trim_end_matches("_total").ends_with(ending))
        .map_or("", |(_, unit)| unit);
    let mut out = json!({ "name": family.name, "description": family.help, "unit": unit });
    out[kind] = data;
    Some(out)
}
