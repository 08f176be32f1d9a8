use std::collections::BTreeSet;

use rsr_monitoring::Format;

use super::*;

/// The names that dashboards, alerts and other people's scripts rely on.
const FIXED: [&str; 40] = [
    "rsr_memory_usage_bytes",
    "rsr_memory_peak_usage_bytes",
    "rsr_memory_limit_bytes",
    "rsr_memory_pressure_level",
    "rsr_memory_growth_bytes_per_second",
    "rsr_request_memory_allocated_bytes",
    "rsr_request_memory_peak_bytes",
    "rsr_request_duration_seconds",
    "rsr_memory_leaks_detected_total",
    "rsr_object_instances",
    "rsr_object_growth_per_second",
    "rsr_cache_entries",
    "rsr_cache_bytes",
    "rsr_cache_capacity_entries",
    "rsr_cache_utilization_ratio",
    "rsr_cache_hits_total",
    "rsr_cache_misses_total",
    "rsr_cache_evictions_total",
    "rsr_deletion_tracker_entries",
    "rsr_deletion_tracker_stale_entries",
    "rsr_deletion_tracker_operations_total",
    "rsr_hierarchy_descendants_processed_total",
    "rsr_hierarchy_depth",
    "rsr_hierarchy_truncated_total",
    "rsr_aggregation_periods_total",
    "rsr_aggregation_duration_seconds",
    "rsr_aggregation_cycles_total",
    "rsr_aggregation_depth_limited_total",
    "rsr_aggregation_jobs",
    "rsr_iati_activities_total",
    "rsr_iati_bytes_total",
    "rsr_request_memory_retained_bytes",
    "rsr_operation_memory_allocated_bytes",
    "rsr_system_memory_bytes",
    "rsr_cache_expired_entries",
    "rsr_database_connections",
    "rsr_requests_in_flight",
    "rsr_build_info",
    "rsr_profiles_active",
    "rsr_requests_shed_total",
];

#[test]
fn every_fixed_name_is_defined() {
    let names: BTreeSet<String> = Metrics::new().registry.names().into_iter().collect();
    for name in FIXED {
        assert!(names.contains(name), "{name} is missing");
    }
}

#[test]
fn counters_exist_at_zero_from_the_start() {
    let text = Metrics::new().registry.scrape(Format::Text);
    for line in [
        "rsr_hierarchy_truncated_total 0",
        "rsr_requests_shed_total{reason=\"memory\"} 0",
        "rsr_deletion_tracker_operations_total{operation=\"begun\"} 0",
        "rsr_iati_activities_total{operation=\"import\",outcome=\"kept\"} 0",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}
