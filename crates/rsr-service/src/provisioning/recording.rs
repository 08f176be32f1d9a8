//! Series that dashboards and alerts share, computed once by Prometheus.

use std::fmt::Write as _;

use super::query::{Known, QueryError, Scope};
use super::quoted;

/// Name and expression. Where nothing can be said (no limit, no lookups) there is no value; nothing divides by zero.
pub(super) const RULES: &[(&str, &str)] = &[
    (
        "rsr:memory_limit:ratio",
        r#"sum by (job, instance) (rsr_memory_usage_bytes{$,kind="heap_allocated"}) / (sum by (job, instance) (rsr_memory_limit_bytes{$}) > 0)"#,
    ),
    (
        "rsr:cache_lookups:rate5m",
        "sum by (job, instance, cache) (rate(rsr_cache_hits_total{$}[5m])) + sum by (job, instance, cache) (rate(rsr_cache_misses_total{$}[5m]))",
    ),
    (
        "rsr:cache_hits:ratio5m",
        "sum by (job, instance, cache) (rate(rsr_cache_hits_total{$}[5m])) / (rsr:cache_lookups:rate5m{$} > 0)",
    ),
    (
        "rsr:request_peak_bytes:p95",
        "histogram_quantile(0.95, sum by (job, instance, route, le) (rate(rsr_request_memory_peak_bytes_bucket{$}[10m]))) >= 0",
    ),
    (
        "rsr:request_duration_seconds:p99",
        "histogram_quantile(0.99, sum by (job, instance, route, le) (rate(rsr_request_duration_seconds_bucket{$}[5m]))) >= 0",
    ),
    (
        "rsr:memory_exhaustion:seconds",
        r#"clamp_max((sum by (job, instance) (rsr_memory_limit_bytes{$}) - sum by (job, instance) (rsr_memory_usage_bytes{$,kind="heap_allocated"})) / (sum by (job, instance) (deriv(rsr_memory_usage_bytes{$,kind="heap_allocated"}[1h])) > 0), 86400) or 0 * sum by (job, instance) (rsr_memory_limit_bytes{$}) + 86400"#,
    ),
];

/// The file that Prometheus loads.
///
/// # Errors
///
/// [`QueryError`] where an expression does not fit the metrics.
pub(super) fn yaml(known: &Known) -> Result<String, QueryError> {
    let mut text = String::from(
        "# Written by `rsr dashboards export`; do not edit by hand.\n\
         groups:\n  - name: rsr-recording\n    rules:\n",
    );
    for (name, expression) in RULES {
        let expression = known.check(expression, Scope::All)?;
        let _written = writeln!(
            text,
            "      - record: {name}\n        expr: {}",
            quoted(&expression)
        );
    }
    Ok(text)
}
