//! Alerts: what is worth a person's time, and a case in which each fires and one in which it is quiet.

use std::fmt::Write as _;

use super::query::{Known, QueryError, Scope};
use super::quoted;

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// A person, now.
    Critical,
    /// A person, in working hours.
    Warning,
    /// The log.
    Info,
}

impl Severity {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// Series with their values minute by minute, in the notation of promtool.
type Series = &'static [(&'static str, &'static str)];

/// One alert.
#[derive(Debug)]
pub(super) struct Alert {
    pub(super) name: &'static str,
    pub(super) severity: Severity,
    expression: &'static str,
    /// How long it has to hold.
    hold: &'static str,
    summary: &'static str,
    /// The heading of `docs/guides/troubleshooting.md` that says what to do.
    pub(super) runbook: &'static str,
    /// It fires after two hours of this.
    fires: Series,
    /// It does not in two hours of this.
    quiet: Series,
}

/// All of them, the urgent ones first.
pub(super) const ALERTS: &[Alert] = &[
    Alert {
        name: "RsrDown",
        severity: Severity::Critical,
        expression: r#"up{job=~"rsr.*"} == 0 or absent(up{job=~"rsr.*"})"#,
        hold: "2m",
        summary: "rsr cannot be scraped: it is down, or Prometheus does not reach it",
        runbook: "the-service-was-killed",
        fires: &[(r#"up{job="rsr",instance="a"}"#, "0x120")],
        quiet: &[(r#"up{job="rsr",instance="a"}"#, "1x120")],
    },
    Alert {
        name: "RsrMemoryExhaustionPredicted",
        severity: Severity::Critical,
        expression: r#"predict_linear(rsr_memory_usage_bytes{kind="heap_allocated"}[1h], 3600) > on (job, instance) group_left () rsr_memory_limit_bytes and on (job, instance) rsr:memory_limit:ratio > 0.5"#,
        hold: "10m",
        summary: "at this slope the heap reaches the limit within an hour",
        runbook: "a-leak-alert-comes",
        fires: &[
            (
                r#"rsr_memory_usage_bytes{job="rsr",instance="a",kind="heap_allocated"}"#,
                "100000000+3000000x120",
            ),
            (
                r#"rsr_memory_limit_bytes{job="rsr",instance="a"}"#,
                "536870912x120",
            ),
        ],
        quiet: &[
            (
                r#"rsr_memory_usage_bytes{job="rsr",instance="a",kind="heap_allocated"}"#,
                "300000000x120",
            ),
            (
                r#"rsr_memory_limit_bytes{job="rsr",instance="a"}"#,
                "536870912x120",
            ),
        ],
    },
    Alert {
        name: "RsrCriticalLeak",
        severity: Severity::Critical,
        expression: r#"increase(rsr_memory_leaks_detected_total{severity=~"high|critical"}[30m]) > 0"#,
        hold: "0m",
        summary: "a leak that pages was confirmed; rsr memory check-leaks names it",
        runbook: "a-leak-alert-comes",
        fires: &[(
            r#"rsr_memory_leaks_detected_total{job="rsr",instance="a",object_type="heap",severity="high"}"#,
            "0x110 1x10",
        )],
        quiet: &[(
            r#"rsr_memory_leaks_detected_total{job="rsr",instance="a",object_type="heap",severity="high"}"#,
            "1x120",
        )],
    },
    Alert {
        name: "RsrMemoryPressure",
        severity: Severity::Critical,
        expression: "rsr_memory_pressure_level >= 3",
        hold: "5m",
        summary: "heavy routes are refused for want of memory, and it does not end by itself",
        runbook: "requests-get-503",
        fires: &[(
            r#"rsr_memory_pressure_level{job="rsr",instance="a"}"#,
            "3x120",
        )],
        quiet: &[(
            r#"rsr_memory_pressure_level{job="rsr",instance="a"}"#,
            "2x120",
        )],
    },
    Alert {
        name: "RsrHighMemory",
        severity: Severity::Warning,
        expression: "rsr:memory_limit:ratio > 0.85",
        hold: "5m",
        summary: "the heap is over 85 % of the limit",
        runbook: "memory-is-high",
        fires: &[
            (
                r#"rsr_memory_usage_bytes{job="rsr",instance="a",kind="heap_allocated"}"#,
                "90x120",
            ),
            (
                r#"rsr_memory_limit_bytes{job="rsr",instance="a"}"#,
                "100x120",
            ),
        ],
        quiet: &[
            (
                r#"rsr_memory_usage_bytes{job="rsr",instance="a",kind="heap_allocated"}"#,
                "80x120",
            ),
            (
                r#"rsr_memory_limit_bytes{job="rsr",instance="a"}"#,
                "100x120",
            ),
        ],
    },
    Alert {
        name: "RsrMemoryGrowth",
        severity: Severity::Warning,
        expression: r#"delta(rsr_memory_usage_bytes{kind="heap_allocated"}[10m]) > 52428800"#,
        hold: "20m",
        summary: "the heap has grown by more than 50 MB in ten minutes, and goes on",
        runbook: "memory-is-high",
        fires: &[(
            r#"rsr_memory_usage_bytes{job="rsr",instance="a",kind="heap_allocated"}"#,
            "0+10000000x120",
        )],
        quiet: &[(
            r#"rsr_memory_usage_bytes{job="rsr",instance="a",kind="heap_allocated"}"#,
            "0+1000000x120",
        )],
    },
    Alert {
        name: "RsrLeakDetected",
        severity: Severity::Warning,
        expression: "increase(rsr_memory_leaks_detected_total[30m]) > 0",
        hold: "0m",
        summary: "a leak was confirmed; rsr memory check-leaks names it",
        runbook: "a-leak-alert-comes",
        fires: &[(
            r#"rsr_memory_leaks_detected_total{job="rsr",instance="a",object_type="heap",severity="low"}"#,
            "0x110 1x10",
        )],
        quiet: &[(
            r#"rsr_memory_leaks_detected_total{job="rsr",instance="a",object_type="heap",severity="low"}"#,
            "2x120",
        )],
    },
    Alert {
        name: "RsrObjectGrowth",
        severity: Severity::Warning,
        expression: "deriv(rsr_object_instances[30m]) > 1 and rsr_object_instances > 10000",
        hold: "30m",
        summary: "ever more instances of a type are alive",
        runbook: "a-leak-alert-comes",
        fires: &[(
            r#"rsr_object_instances{job="rsr",instance="a",object_type="Session"}"#,
            "0+600x120",
        )],
        quiet: &[(
            r#"rsr_object_instances{job="rsr",instance="a",object_type="Session"}"#,
            "50000x120",
        )],
    },
    Alert {
        name: "RsrHighRequestMemory",
        severity: Severity::Warning,
        expression: "rsr:request_peak_bytes:p95 > 52428800",
        hold: "10m",
        summary: "one in twenty requests of a route holds more than 50 MB at once",
        runbook: "memory-is-high",
        fires: &[
            (
                r#"rsr_request_memory_peak_bytes_bucket{job="rsr",instance="a",route="/x",le="52428800"}"#,
                "0x120",
            ),
            (
                r#"rsr_request_memory_peak_bytes_bucket{job="rsr",instance="a",route="/x",le="104857600"}"#,
                "0+60x120",
            ),
            (
                r#"rsr_request_memory_peak_bytes_bucket{job="rsr",instance="a",route="/x",le="+Inf"}"#,
                "0+60x120",
            ),
        ],
        quiet: &[
            (
                r#"rsr_request_memory_peak_bytes_bucket{job="rsr",instance="a",route="/x",le="65536"}"#,
                "0+60x120",
            ),
            (
                r#"rsr_request_memory_peak_bytes_bucket{job="rsr",instance="a",route="/x",le="52428800"}"#,
                "0+60x120",
            ),
            (
                r#"rsr_request_memory_peak_bytes_bucket{job="rsr",instance="a",route="/x",le="+Inf"}"#,
                "0+60x120",
            ),
        ],
    },
    Alert {
        name: "RsrDeletionTrackerOverload",
        severity: Severity::Warning,
        expression: "rsr_deletion_tracker_entries > 1000 or rsr_deletion_tracker_stale_entries > 0",
        hold: "15m",
        summary: "deletions pile up, or one hangs",
        runbook: "memory-is-high",
        fires: &[(
            r#"rsr_deletion_tracker_stale_entries{job="rsr",instance="a"}"#,
            "1x120",
        )],
        quiet: &[
            (
                r#"rsr_deletion_tracker_entries{job="rsr",instance="a"}"#,
                "20x120",
            ),
            (
                r#"rsr_deletion_tracker_stale_entries{job="rsr",instance="a"}"#,
                "0x120",
            ),
        ],
    },
    Alert {
        name: "RsrQueueStuck",
        severity: Severity::Warning,
        expression: r#"rsr_aggregation_jobs{status="scheduled"} > 0 unless on (job, instance) increase(rsr_aggregation_duration_seconds_count[15m]) > 0"#,
        hold: "15m",
        summary: "jobs wait and none is computed: no worker runs, or it cannot reach the database",
        runbook: "totals-are-not-what-i-expect",
        fires: &[
            (
                r#"rsr_aggregation_jobs{job="rsr",instance="a",status="scheduled"}"#,
                "5x120",
            ),
            (
                r#"rsr_aggregation_duration_seconds_count{job="rsr",instance="a"}"#,
                "9x120",
            ),
        ],
        quiet: &[
            (
                r#"rsr_aggregation_jobs{job="rsr",instance="a",status="scheduled"}"#,
                "5x120",
            ),
            (
                r#"rsr_aggregation_duration_seconds_count{job="rsr",instance="a"}"#,
                "0+2x120",
            ),
        ],
    },
    Alert {
        name: "RsrJobsGivenUp",
        severity: Severity::Warning,
        expression: r#"rsr_aggregation_jobs{status="maxxed"} > 0"#,
        hold: "5m",
        summary: "jobs were given up: their totals stay as they were until somebody looks",
        runbook: "totals-are-not-what-i-expect",
        fires: &[(
            r#"rsr_aggregation_jobs{job="rsr",instance="a",status="maxxed"}"#,
            "1x120",
        )],
        quiet: &[(
            r#"rsr_aggregation_jobs{job="rsr",instance="a",status="maxxed"}"#,
            "0x120",
        )],
    },
    Alert {
        name: "RsrAggregationCycle",
        severity: Severity::Warning,
        expression: "increase(rsr_aggregation_cycles_total[30m]) > 0",
        hold: "0m",
        summary: "a roll-up met a cycle in the data; rsr project check names it",
        runbook: "project-a-is-its-own-grandparent",
        fires: &[(
            r#"rsr_aggregation_cycles_total{job="rsr",instance="a"}"#,
            "0x110 1x10",
        )],
        quiet: &[(
            r#"rsr_aggregation_cycles_total{job="rsr",instance="a"}"#,
            "1x120",
        )],
    },
    Alert {
        name: "RsrAggregationDepthLimited",
        severity: Severity::Warning,
        expression: "increase(rsr_aggregation_depth_limited_total[30m]) > 0",
        hold: "0m",
        summary: "a roll-up ended at the depth limit: what is above does not have it",
        runbook: "totals-are-not-what-i-expect",
        fires: &[(
            r#"rsr_aggregation_depth_limited_total{job="rsr",instance="a"}"#,
            "0x110 3x10",
        )],
        quiet: &[(
            r#"rsr_aggregation_depth_limited_total{job="rsr",instance="a"}"#,
            "3x120",
        )],
    },
    Alert {
        name: "RsrLowHitRatio",
        severity: Severity::Info,
        expression: "rsr:cache_hits:ratio5m < 0.7 and rsr:cache_lookups:rate5m > 1",
        hold: "10m",
        summary: "a cache that is asked much finds little; rsr cache monitor recommends a size",
        runbook: "answers-are-slow",
        fires: &[
            (
                r#"rsr_cache_hits_total{job="rsr",instance="a",cache="c"}"#,
                "0+60x120",
            ),
            (
                r#"rsr_cache_misses_total{job="rsr",instance="a",cache="c"}"#,
                "0+60x120",
            ),
        ],
        quiet: &[
            (
                r#"rsr_cache_hits_total{job="rsr",instance="a",cache="c"}"#,
                "0+100x120",
            ),
            (
                r#"rsr_cache_misses_total{job="rsr",instance="a",cache="c"}"#,
                "0+20x120",
            ),
        ],
    },
    Alert {
        name: "RsrCacheNearlyFull",
        severity: Severity::Info,
        expression: "rsr_cache_utilization_ratio > 0.95",
        hold: "30m",
        summary: "a cache is full: what it drops is computed again",
        runbook: "memory-is-high",
        fires: &[(
            r#"rsr_cache_utilization_ratio{job="rsr",instance="a",cache="c"}"#,
            "1x120",
        )],
        quiet: &[(
            r#"rsr_cache_utilization_ratio{job="rsr",instance="a",cache="c"}"#,
            "0.9x120",
        )],
    },
    Alert {
        name: "RsrManyExpired",
        severity: Severity::Info,
        expression: "rsr_cache_expired_entries > 100 and rsr_cache_expired_entries > 0.1 * rsr_cache_entries",
        hold: "30m",
        summary: "many expired entries wait for the sweep: shorten cache.cleanup_interval",
        runbook: "memory-is-high",
        fires: &[
            (
                r#"rsr_cache_expired_entries{job="rsr",instance="a",cache="c"}"#,
                "200x120",
            ),
            (
                r#"rsr_cache_entries{job="rsr",instance="a",cache="c"}"#,
                "1000x120",
            ),
        ],
        quiet: &[
            (
                r#"rsr_cache_expired_entries{job="rsr",instance="a",cache="c"}"#,
                "50x120",
            ),
            (
                r#"rsr_cache_entries{job="rsr",instance="a",cache="c"}"#,
                "60x120",
            ),
        ],
    },
    Alert {
        name: "RsrTruncationRising",
        severity: Severity::Info,
        expression: "rate(rsr_hierarchy_truncated_total[10m]) > 0.1 and rate(rsr_hierarchy_truncated_total[10m]) > 2 * rate(rsr_hierarchy_truncated_total[1h] offset 10m)",
        hold: "10m",
        summary: "twice as many answers are cut as in the hour before: a client may not follow its links",
        runbook: "answers-are-cut-short",
        fires: &[(
            r#"rsr_hierarchy_truncated_total{job="rsr",instance="a"}"#,
            "0x95 0+60x25",
        )],
        quiet: &[(
            r#"rsr_hierarchy_truncated_total{job="rsr",instance="a"}"#,
            "0+60x120",
        )],
    },
];

/// Where the runbooks are.
const RUNBOOKS: &str = concat!(
    env!("CARGO_PKG_REPOSITORY"),
    "/blob/main/docs/guides/troubleshooting.md#"
);

/// The file that Prometheus loads.
///
/// # Errors
///
/// [`QueryError`] where an expression does not fit the metrics.
pub(super) fn yaml(known: &Known) -> Result<String, QueryError> {
    let mut text = String::from(
        "# Written by `rsr dashboards export`; do not edit by hand.\n\
         groups:\n  - name: rsr-alerts\n    rules:\n",
    );
    for alert in ALERTS {
        let expression = known.check(alert.expression, Scope::All)?;
        let _written = write!(
            text,
            "      - alert: {}\n        expr: {}\n        for: {}\n        labels:\n          severity: {}\n        \
             annotations:\n          summary: {}\n          description: {}\n          runbook_url: {}\n",
            alert.name,
            quoted(&expression),
            alert.hold,
            alert.severity.name(),
            quoted(alert.summary),
            quoted("{{ $labels.instance }}: the value is {{ $value | humanize }}"),
            quoted(&format!("{RUNBOOKS}{}", alert.runbook)),
        );
    }
    Ok(text)
}

/// A file for `promtool test rules` beside the two files of rules: each alert in its firing and in its quiet case.
pub(super) fn cases(alerts: &[Alert]) -> String {
    let mut text = String::from(
        "rule_files: [rsr-recording.yml, rsr-alerts.yml]\nevaluation_interval: 1m\ntests:\n",
    );
    for alert in alerts {
        for (series, fires) in [(alert.fires, true), (alert.quiet, false)] {
            let _written = writeln!(text, "  - interval: 1m\n    input_series:");
            for (name, values) in series {
                let _written = writeln!(
                    text,
                    "      - series: {}\n        values: {}",
                    quoted(name),
                    quoted(values)
                );
            }
            // How many fire: promtool compares whole alerts by their texts, and this asks for no more than the fact.
            let asked = format!(
                "count(ALERTS{{alertname=\"{}\",alertstate=\"firing\"}}) or vector(0)",
                alert.name
            );
            let _written = write!(
                text,
                "    promql_expr_test:\n      - expr: {}\n        eval_time: 2h\n        exp_samples:\n          - value: {}\n",
                quoted(&asked),
                u8::from(fires)
            );
        }
    }
    text
}
