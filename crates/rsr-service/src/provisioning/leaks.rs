//! The dashboard of leaks: whether there is one, since when, and who.

use super::board::Look::{Lines, Number, Table};
use super::board::{Board, Panel, Row};

pub(super) const BOARD: Board = Board {
    uid: "rsr-leaks",
    title: "rsr: leaks",
    about: "Whether memory grows that should not, what grows with it, and when the limit would be reached.",
    rows: &[
        Row {
            title: "Verdict",
            panels: &[
                Panel {
                    title: "Findings in a day",
                    about: "Leaks that were confirmed; each is counted once, at its start.",
                    look: Number,
                    unit: "none",
                    queries: &[(
                        "findings",
                        "sum(increase(rsr_memory_leaks_detected_total{$}[1d]))",
                    )],
                },
                Panel {
                    title: "Growth that was found",
                    about: "Slope of the trend that the detector sees; 0 where it sees none.",
                    look: Number,
                    unit: "Bps",
                    queries: &[(
                        "{{instance}}",
                        "rsr_memory_growth_bytes_per_second{$} or vector(0)",
                    )],
                },
                Panel {
                    title: "Over half of the limit",
                    about: "1 where the heap is over half of the limit.",
                    look: Number,
                    unit: "none",
                    queries: &[("{{instance}}", "rsr:memory_limit:ratio{$} > bool 0.5")],
                },
                Panel {
                    title: "Limit in",
                    about: "Time until the limit at the slope of the last hour; a day where it does not grow.",
                    look: Number,
                    unit: "s",
                    queries: &[("{{instance}}", "rsr:memory_exhaustion:seconds{$}")],
                },
                Panel {
                    title: "Profiles running",
                    about: "Heap profiles that are being taken.",
                    look: Number,
                    unit: "none",
                    queries: &[("{{instance}}", "rsr_profiles_active{$}")],
                },
                Panel {
                    title: "Thresholds passed",
                    about: "Requests in 15 minutes that held more than 50 MB at once.",
                    look: Number,
                    unit: "none",
                    queries: &[(
                        "over 50 MB",
                        r#"sum(increase(rsr_request_memory_peak_bytes_count{$}[15m])) - sum(increase(rsr_request_memory_peak_bytes_bucket{$,le=~"52428800|52428800.0|5.24288e.07"}[15m]))"#,
                    )],
                },
            ],
        },
        Row {
            title: "What grows",
            panels: &[
                Panel {
                    title: "Heap less caches",
                    about: "What is left when the caches' bytes are taken out: the signal that is judged.",
                    look: Lines,
                    unit: "bytes",
                    queries: &[(
                        "{{instance}}",
                        r#"sum by (job, instance) (rsr_memory_usage_bytes{$,kind="heap_allocated"}) - sum by (job, instance) (rsr_cache_bytes{$})"#,
                    )],
                },
                Panel {
                    title: "Live instances",
                    about: "Values alive of each type that is counted.",
                    look: Lines,
                    unit: "none",
                    queries: &[(
                        "{{object_type}}",
                        "sum by (object_type) (rsr_object_instances{$}) or vector(0)",
                    )],
                },
                Panel {
                    title: "Growth of types",
                    about: "Instances a second that were made and not dropped.",
                    look: Lines,
                    unit: "ops",
                    queries: &[(
                        "{{object_type}}",
                        "sum by (object_type) (rsr_object_growth_per_second{$}) or vector(0)",
                    )],
                },
                Panel {
                    title: "Bytes by type and stack",
                    about: "What the values of each counted type take themselves, and what the call stacks that hold most have allocated, estimated from samples.",
                    look: Lines,
                    unit: "bytes",
                    queries: &[
                        (
                            "{{object_type}}",
                            "topk(10, sum by (object_type) (rsr_object_bytes{$})) or vector(0)",
                        ),
                        (
                            "{{stack}}",
                            "topk(10, sum by (stack) (rsr_heap_stack_bytes{$}) > 0) or vector(0)",
                        ),
                    ],
                },
                Panel {
                    title: "Kept after requests",
                    about: "The routes whose requests keep most.",
                    look: Lines,
                    unit: "bytes",
                    queries: &[(
                        "{{route}}",
                        "topk(5, sum by (route) (rsr_request_memory_retained_bytes{$}))",
                    )],
                },
                Panel {
                    title: "Fragmentation",
                    about: "Bytes resident beyond what is allocated.",
                    look: Lines,
                    unit: "bytes",
                    queries: &[(
                        "{{instance}}",
                        r#"sum by (job, instance) (rsr_memory_usage_bytes{$,kind="heap_resident"}) - sum by (job, instance) (rsr_memory_usage_bytes{$,kind="heap_allocated"})"#,
                    )],
                },
                Panel {
                    title: "Events",
                    about: "Leaks confirmed, by severity.",
                    look: Lines,
                    unit: "none",
                    queries: &[(
                        "{{severity}}",
                        r#"sum by (severity) (increase(rsr_memory_leaks_detected_total{$,severity=~"$severity"}[15m]))"#,
                    )],
                },
            ],
        },
        Row {
            title: "Findings",
            panels: &[Panel {
                title: "Found, by type and severity",
                about: "Since the start of the service. `rsr findings list` has evidence and call sites.",
                look: Table,
                unit: "none",
                queries: &[(
                    "",
                    r#"sum by (instance, object_type, severity) (rsr_memory_leaks_detected_total{$,severity=~"$severity"})"#,
                )],
            }],
        },
    ],
};
