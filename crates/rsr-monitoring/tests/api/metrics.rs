//! The registry and its two text formats.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use rsr_monitoring::{Format, MetricError, Registry};

fn sample() -> Registry {
    let registry = Registry::new();
    let hits = registry
        .counter(
            "app_hits_total",
            "Reads that found\ntheir \\ entry.",
            &["cache"],
        )
        .unwrap();
    hits.with(&["a"]).unwrap().add(3);
    hits.with(&["say \"hi\"\\\n"]).unwrap();
    let usage = registry
        .gauge("app_usage_bytes", "Bytes in use.", &["kind"])
        .unwrap();
    usage.with(&["rss"]).unwrap().set_count(1 << 20);
    usage.with(&["unknown"]).unwrap();
    let size = registry
        .histogram(
            "app_wait_seconds",
            "Waiting time.",
            &["route"],
            &[0.1, 1.0, 10.0],
        )
        .unwrap();
    let series = size.with(&["/"]).unwrap();
    for value in [0.05, 0.1, 0.5, 100.0] {
        series.observe(value);
    }
    registry
        .gauge("app_temperature", "No labels.", &[])
        .unwrap()
        .with(&[])
        .unwrap()
        .set(-1.5);
    registry
}

#[test]
fn prometheus_text() {
    let expected = r#"# HELP app_hits_total Reads that found\ntheir \\ entry.
# TYPE app_hits_total counter
app_hits_total{cache="a"} 3
app_hits_total{cache="say \"hi\"\\\n"} 0
# HELP app_usage_bytes Bytes in use.
# TYPE app_usage_bytes gauge
app_usage_bytes{kind="rss"} 1048576
# HELP app_wait_seconds Waiting time.
# TYPE app_wait_seconds histogram
app_wait_seconds_bucket{route="/",le="0.1"} 2
app_wait_seconds_bucket{route="/",le="1"} 3
app_wait_seconds_bucket{route="/",le="10"} 3
app_wait_seconds_bucket{route="/",le="+Inf"} 4
app_wait_seconds_sum{route="/"} 100.65
app_wait_seconds_count{route="/"} 4
# HELP app_temperature No labels.
# TYPE app_temperature gauge
app_temperature -1.5
"#;
    assert_eq!(sample().scrape(Format::Text), expected);
}

#[test]
fn open_metrics_text() {
    let expected = r#"# HELP app_hits Reads that found\ntheir \\ entry.
# TYPE app_hits counter
app_hits_total{cache="a"} 3
app_hits_total{cache="say \"hi\"\\\n"} 0
# HELP app_usage_bytes Bytes in use.
# TYPE app_usage_bytes gauge
# UNIT app_usage_bytes bytes
app_usage_bytes{kind="rss"} 1048576.0
# HELP app_wait_seconds Waiting time.
# TYPE app_wait_seconds histogram
# UNIT app_wait_seconds seconds
app_wait_seconds_bucket{route="/",le="0.1"} 2
app_wait_seconds_bucket{route="/",le="1.0"} 3
app_wait_seconds_bucket{route="/",le="10.0"} 3
app_wait_seconds_bucket{route="/",le="+Inf"} 4
app_wait_seconds_sum{route="/"} 100.65
app_wait_seconds_count{route="/"} 4
# HELP app_temperature No labels.
# TYPE app_temperature gauge
app_temperature -1.5
# EOF
"#;
    assert_eq!(sample().scrape(Format::OpenMetrics), expected);
}

#[test]
fn the_accept_header_chooses_the_format() {
    #[track_caller]
    fn check(accept: &str, expected: Format) {
        assert_eq!(Format::from_accept(accept), expected, "{accept}");
    }
    check("", Format::Text);
    check("*/*", Format::Text);
    check("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", Format::Text);
    check("application/openmetrics-text", Format::OpenMetrics);
    check("application/openmetrics-text; version=2.0.0", Format::Text);
    check(
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
        Format::OpenMetrics,
    );
    check(
        "application/openmetrics-text;q=0.3,text/plain;q=0.9",
        Format::Text,
    );
}

#[test]
fn mistakes_are_told() {
    let registry = Registry::new();
    let name = |result: Result<_, MetricError>| matches!(result, Err(MetricError::Name { .. }));
    assert!(name(registry.counter("hits", "", &[])));
    assert!(name(registry.counter("9_total", "", &[])));
    assert!(name(registry.counter("a_total", "", &["x-y"])));
    assert!(name(registry.counter("a_total", "", &["x", "x"])));
    assert!(name(registry.counter("a_total", "", &["le"])));
    assert!(name(
        registry.gauge("a_total", "", &[]).map(|_| unreachable!())
    ));
    let family = registry
        .counter("a_total", "", &["x"])
        .unwrap()
        .with_series_max(1);
    assert!(matches!(
        registry.counter("a_total", "", &[]),
        Err(MetricError::Duplicate { .. })
    ));
    assert!(matches!(family.with(&[]), Err(MetricError::Labels { .. })));
    family.with(&["1"]).unwrap();
    family.with(&["1"]).unwrap();
    assert!(matches!(
        family.with(&["2"]),
        Err(MetricError::TooManySeries { limit: 1, .. })
    ));
    for bounds in [
        &[][..],
        &[1.0, 1.0],
        &[2.0, 1.0],
        &[f64::INFINITY],
        &[f64::NAN],
    ] {
        assert!(matches!(
            registry.histogram("h", "", &[], bounds),
            Err(MetricError::Bounds { .. })
        ));
    }
    registry.histogram("h", "", &[], &[1.0]).unwrap();
    assert!(matches!(
        registry.gauge("h_count", "", &[]),
        Err(MetricError::Duplicate { .. })
    ));
}

#[test]
fn a_scrape_shows_what_is_current() {
    let registry = Registry::new();
    let gauge = registry.gauge("now", "", &[]).unwrap().with(&[]).unwrap();
    let source = Arc::new(AtomicU64::new(7));
    let seen = Arc::clone(&source);
    registry.before_scrape(move || gauge.set_count(seen.load(Ordering::Relaxed)));
    assert!(registry.scrape(Format::Text).ends_with("now 7\n"));
    source.store(8, Ordering::Relaxed);
    assert!(registry.scrape(Format::Text).ends_with("now 8\n"));
}

#[test]
fn counting_on_many_threads_loses_nothing() {
    let registry = Registry::new();
    let counter = registry
        .counter("n_total", "", &[])
        .unwrap()
        .with(&[])
        .unwrap();
    let histogram = registry
        .histogram("h", "", &[], &[1.0])
        .unwrap()
        .with(&[])
        .unwrap();
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for _ in 0..10_000 {
                    counter.inc();
                    histogram.observe(2.0);
                }
            });
        }
    });
    assert_eq!(counter.value(), 40_000);
    assert_eq!(histogram.count(), 40_000);
    assert!((histogram.sum() - 80_000.0).abs() < 1e-6);
}

/// Undoes the escaping of a label value.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => {}
            },
            (c, false) => out.push(c),
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    /// Any text as a label value stays on one line and reads back as it was.
    #[test]
    fn label_values_read_back(value in any::<String>()) {
        let registry = Registry::new();
        registry.counter("n_total", "", &["x"]).unwrap().with(&[&value]).unwrap();
        let text = registry.scrape(Format::Text);
        let lines: Vec<_> = text.split('\n').collect();
        prop_assert_eq!(lines.len(), 4);
        let line = lines[2].strip_prefix("n_total{x=\"").unwrap();
        prop_assert_eq!(unescape(line.strip_suffix("\"} 0").unwrap()), value);
    }

    /// Buckets are what counting each value by hand gives.
    #[test]
    fn buckets_are_counts(values in prop::collection::vec(-10.0..110.0_f64, 0..50)) {
        let registry = Registry::new();
        let bounds = [0.0, 1.0, 10.0, 100.0];
        let histogram = registry.histogram("h", "", &[], &bounds).unwrap().with(&[]).unwrap();
        for value in &values {
            histogram.observe(*value);
        }
        let text = registry.scrape(Format::Text);
        for bound in bounds {
            let count = values.iter().filter(|value| **value <= bound).count();
            let line = format!("h_bucket{{le=\"{bound}\"}} {count}\n");
            prop_assert!(text.contains(&line), "{} lacks {}", text, line);
        }
        prop_assert_eq!(histogram.count(), values.len() as u64);
    }
}
