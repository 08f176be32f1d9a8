//! The dashboard of memory and of what uses it.

use super::board::Look::{Bars, Lines, Number};
use super::board::{Board, Panel, Row};

pub(super) const BOARD: Board = Board {
    uid: "rsr-memory",
    title: "rsr: memory and work",
    about: "What the service holds against its limit, who holds it, and the work it does with it.",
    rows: &[
        Row {
            title: "Now",
            panels: &[
                Panel {
                    title: "Heap allocated",
                    about: "Bytes that the program holds now. Pressure is judged by this against the limit.",
                    look: Number,
                    unit: "bytes",
                    queries: &[(
                        "{{instance}}",
                        r#"rsr_memory_usage_bytes{$,kind="heap_allocated"}"#,
                    )],
                },
                Panel {
                    title: "Share of the limit",
                    about: "The heap against the limit that the process plans for.",
                    look: Number,
                    unit: "percentunit",
                    queries: &[("{{instance}}", "rsr:memory_limit:ratio{$}")],
                },
                Panel {
                    title: "Limit",
                    about: "What the process plans for: the setting, the control group's limit, or the machine's memory.",
                    look: Number,
                    unit: "bytes",
                    queries: &[("{{instance}}", "rsr_memory_limit_bytes{$}")],
                },
                Panel {
                    title: "Growth",
                    about: "Slope of the heap over the last hour; a leak shows here before it hurts.",
                    look: Number,
                    unit: "Bps",
                    queries: &[(
                        "{{instance}}",
                        r#"deriv(rsr_memory_usage_bytes{$,kind="heap_allocated"}[1h])"#,
                    )],
                },
                Panel {
                    title: "Pressure",
                    about: "0 none, 1 caches give back, 2 background work waits, 3 heavy routes are refused, 4 all but health and metrics.",
                    look: Number,
                    unit: "none",
                    queries: &[("{{instance}}", "rsr_memory_pressure_level{$}")],
                },
                Panel {
                    title: "Requests in flight",
                    about: "Requests under way, streams included.",
                    look: Number,
                    unit: "none",
                    queries: &[("{{instance}}", "rsr_requests_in_flight{$}")],
                },
            ],
        },
        Row {
            title: "Memory",
            panels: &[
                Panel {
                    title: "Heap, limit, and where it leads",
                    about: "The dashed line goes on in an hour's time as the last hour went.",
                    look: Lines,
                    unit: "bytes",
                    queries: &[
                        (
                            "heap {{instance}}",
                            r#"rsr_memory_usage_bytes{$,kind="heap_allocated"}"#,
                        ),
                        ("limit {{instance}}", "rsr_memory_limit_bytes{$}"),
                        (
                            "in an hour {{instance}}",
                            r#"predict_linear(rsr_memory_usage_bytes{$,kind="heap_allocated"}[1h], 3600)"#,
                        ),
                    ],
                },
                Panel {
                    title: "By kind",
                    about: "RSS and what the allocator keeps. Resident that grows while allocated does not is fragmentation.",
                    look: Lines,
                    unit: "bytes",
                    queries: &[
                        (
                            "{{kind}} {{instance}}",
                            r#"rsr_memory_usage_bytes{$,kind!="virtual"}"#,
                        ),
                        ("peak {{instance}}", "rsr_memory_peak_usage_bytes{$}"),
                    ],
                },
                Panel {
                    title: "Machine",
                    about: "Total and available memory of the machine or container.",
                    look: Lines,
                    unit: "bytes",
                    queries: &[("{{kind}} {{instance}}", "rsr_system_memory_bytes{$}")],
                },
                Panel {
                    title: "Refused to stay within bounds",
                    about: "Answers of 503 by reason; each carried Retry-After.",
                    look: Lines,
                    unit: "reqps",
                    queries: &[(
                        "{{reason}}",
                        "sum by (reason) (rate(rsr_requests_shed_total{$}[5m]))",
                    )],
                },
                Panel {
                    title: "By operation",
                    about: "Bytes that background work allocates, each time.",
                    look: Lines,
                    unit: "bytes",
                    queries: &[(
                        "{{operation}}",
                        "sum by (operation) (increase(rsr_operation_memory_allocated_bytes_sum{$}[15m]))",
                    )],
                },
                Panel {
                    title: "Database connections",
                    about: "Connections of the pool: used, idle, and the most it may have.",
                    look: Lines,
                    unit: "none",
                    queries: &[("{{state}} {{instance}}", "rsr_database_connections{$}")],
                },
            ],
        },
        Row {
            title: "Requests",
            panels: &[
                Panel {
                    title: "Requests",
                    about: "By class of status.",
                    look: Lines,
                    unit: "reqps",
                    queries: &[(
                        "{{status}}",
                        "sum by (status) (rate(rsr_request_duration_seconds_count{$}[5m]))",
                    )],
                },
                Panel {
                    title: "Duration",
                    about: "From arrival to the last byte; streams take as long as their readers.",
                    look: Lines,
                    unit: "s",
                    queries: &[
                        (
                            "median",
                            "histogram_quantile(0.5, sum by (le) (rate(rsr_request_duration_seconds_bucket{$}[5m]))) >= 0 or vector(0)",
                        ),
                        (
                            "p95",
                            "histogram_quantile(0.95, sum by (le) (rate(rsr_request_duration_seconds_bucket{$}[5m]))) >= 0 or vector(0)",
                        ),
                        (
                            "p99",
                            "histogram_quantile(0.99, sum by (le) (rate(rsr_request_duration_seconds_bucket{$}[5m]))) >= 0 or vector(0)",
                        ),
                    ],
                },
                Panel {
                    title: "Most held by a request",
                    about: "95 of 100 requests of a route hold no more than this at once.",
                    look: Lines,
                    unit: "bytes",
                    queries: &[(
                        "{{route}}",
                        "histogram_quantile(0.95, sum by (route, le) (rate(rsr_request_memory_peak_bytes_bucket{$}[5m]))) >= 0 or vector(0)",
                    )],
                },
                Panel {
                    title: "Allocated by a request",
                    about: "95 of 100 requests of a route allocate no more than this in all.",
                    look: Lines,
                    unit: "bytes",
                    queries: &[(
                        "{{route}}",
                        "histogram_quantile(0.95, sum by (route, le) (rate(rsr_request_memory_allocated_bytes_bucket{$}[5m]))) >= 0 or vector(0)",
                    )],
                },
                Panel {
                    title: "Kept after requests",
                    about: "Bytes that requests of a route allocated and did not free; caches take some, a leak takes ever more.",
                    look: Lines,
                    unit: "bytes",
                    queries: &[(
                        "{{route}}",
                        "sum by (route) (rsr_request_memory_retained_bytes{$})",
                    )],
                },
            ],
        },
        Row {
            title: "Caches and deletions",
            panels: &[
                Panel {
                    title: "Hit ratio",
                    about: "Share of lookups that found a value. Below one half a cache costs more than it gives.",
                    look: Lines,
                    unit: "percentunit",
                    queries: &[(
                        "{{cache}}",
                        r#"rsr:cache_hits:ratio5m{$,cache=~"$cache"} or vector(0)"#,
                    )],
                },
                Panel {
                    title: "Entries",
                    about: "Entries of each cache, and those that are past their time and not swept yet.",
                    look: Lines,
                    unit: "none",
                    queries: &[
                        ("{{cache}}", r#"rsr_cache_entries{$,cache=~"$cache"}"#),
                        (
                            "{{cache}} expired",
                            r#"rsr_cache_expired_entries{$,cache=~"$cache"}"#,
                        ),
                    ],
                },
                Panel {
                    title: "Bytes",
                    about: "What each cache holds.",
                    look: Lines,
                    unit: "bytes",
                    queries: &[("{{cache}}", r#"rsr_cache_bytes{$,cache=~"$cache"}"#)],
                },
                Panel {
                    title: "Fill",
                    about: "Entries against the bound.",
                    look: Bars,
                    unit: "percentunit",
                    queries: &[(
                        "{{cache}}",
                        r#"rsr_cache_utilization_ratio{$,cache=~"$cache"}"#,
                    )],
                },
                Panel {
                    title: "Removals",
                    about: "What left, by cause. Many for size: the bound is small for the traffic.",
                    look: Lines,
                    unit: "ops",
                    queries: &[(
                        "{{cause}}",
                        r#"sum by (cause) (rate(rsr_cache_evictions_total{$,cache=~"$cache"}[5m]))"#,
                    )],
                },
                Panel {
                    title: "Deletions",
                    about: "Projects being deleted now, and those whose deletion is too old to count.",
                    look: Lines,
                    unit: "none",
                    queries: &[
                        ("active {{instance}}", "rsr_deletion_tracker_entries{$}"),
                        (
                            "stale {{instance}}",
                            "rsr_deletion_tracker_stale_entries{$}",
                        ),
                        (
                            "{{operation}} in 15 min",
                            "sum by (operation) (increase(rsr_deletion_tracker_operations_total{$}[15m]))",
                        ),
                    ],
                },
            ],
        },
        Row {
            title: "Work",
            panels: &[
                Panel {
                    title: "Descendants read",
                    about: "Projects read for children answers and streams, by mode.",
                    look: Lines,
                    unit: "ops",
                    queries: &[(
                        "{{mode}}",
                        "sum by (mode) (rate(rsr_hierarchy_descendants_processed_total{$}[5m]))",
                    )],
                },
                Panel {
                    title: "Cut answers",
                    about: "Answers that were cut at the limit; each had a link to the rest.",
                    look: Lines,
                    unit: "ops",
                    queries: &[("cut", "sum(rate(rsr_hierarchy_truncated_total{$}[5m]))")],
                },
                Panel {
                    title: "Roll-up",
                    about: "Periods computed, by outcome.",
                    look: Lines,
                    unit: "ops",
                    queries: &[(
                        "{{outcome}}",
                        "sum by (outcome) (rate(rsr_aggregation_periods_total{$}[5m]))",
                    )],
                },
                Panel {
                    title: "Queue",
                    about: "Jobs by state. Scheduled ones that do not become fewer: no worker runs.",
                    look: Lines,
                    unit: "none",
                    queries: &[(
                        "{{status}}",
                        "sum by (status) (rsr_aggregation_jobs{$}) or vector(0)",
                    )],
                },
                Panel {
                    title: "Limits met",
                    about: "Climbs that ended at the depth limit or in a cycle: the data needs a look.",
                    look: Lines,
                    unit: "none",
                    queries: &[
                        (
                            "depth",
                            "sum(increase(rsr_aggregation_depth_limited_total{$}[15m]))",
                        ),
                        (
                            "cycles",
                            "sum(increase(rsr_aggregation_cycles_total{$}[15m]))",
                        ),
                    ],
                },
                Panel {
                    title: "IATI",
                    about: "Bytes read and written.",
                    look: Lines,
                    unit: "Bps",
                    queries: &[(
                        "{{operation}}",
                        "sum by (operation) (rate(rsr_iati_bytes_total{$}[5m]))",
                    )],
                },
                Panel {
                    title: "IATI activities",
                    about: "By operation and outcome.",
                    look: Lines,
                    unit: "ops",
                    queries: &[(
                        "{{operation}} {{outcome}}",
                        "sum by (operation, outcome) (rate(rsr_iati_activities_total{$}[5m]))",
                    )],
                },
            ],
        },
    ],
};
