//! Defaults and profiles, against the table the product was specified with.

use rsr_settings::{Inputs, Profile, Settings, load};

/// Variable, key, default, production, development, low-memory, high-memory; an empty cell keeps the default, and
/// production's value in the last two.
const SPECIFIED: &str = "
RSR_CACHE_TTL|cache.ttl|3600|1800|3600|900|7200
RSR_CACHE_MAX_SIZE|cache.max_size|1000|500|1000|200|2000
RSR_CACHE_MAX_BYTES|cache.max_bytes|none||||
RSR_CACHE_CLEANUP_INTERVAL|cache.cleanup_interval|300|180|300|180|600
RSR_DELETION_STALE_AFTER|deletion.stale_after|3600||||
RSR_DELETION_CLEANUP_INTERVAL|deletion.cleanup_interval|900||||
RSR_MAX_DESCENDANTS_PER_REQUEST|hierarchy.max_descendants_per_request|1000|500|1000|200|1000
RSR_DESCENDANTS_CHUNK_SIZE|hierarchy.chunk_size|500|250|1000|100|1000
RSR_MAX_AGGREGATION_DEPTH|aggregation.max_depth|100|50|100|50|200
RSR_AGGREGATION_MAX_ATTEMPTS|aggregation.max_attempts|5||||
RSR_IATI_EXPORT_CHUNK_SIZE|iati.export_chunk_size|100|50|100|50|200
RSR_MEMORY_MONITORING_ENABLED|monitoring.enabled|true||||
RSR_MEMORY_DETAILED_TRACKING|monitoring.detailed_tracking|false|false|true||
RSR_MEMORY_HEADER_PREFIX|monitoring.header_prefix|X-RSR-Memory||||
RSR_MEMORY_METRICS_UPDATE_INTERVAL|monitoring.metrics_update_interval|300||||
RSR_MEMORY_HIGH_USAGE_THRESHOLD_MB|monitoring.high_usage_threshold_mb|50||||
RSR_MEMORY_REQUEST_TIMEOUT_SECONDS|monitoring.long_request_seconds|10||||
RSR_PROMETHEUS_METRICS_ENABLED|monitoring.prometheus_enabled|true||||
RSR_CACHE_METRICS_ENABLED|monitoring.cache_metrics_enabled|true||||
RSR_CACHE_METRICS_UPDATE_FREQUENCY|monitoring.cache_metrics_update_frequency|60||||
RSR_LEAK_DETECTION_ENABLED|leaks.enabled|true||||
RSR_LEAK_CHECK_INTERVAL|leaks.check_interval|300|600|60||
RSR_LEAK_GROWTH_THRESHOLD|leaks.growth_threshold|0.2|0.3|0.2||
RSR_LEAK_MEMORY_THRESHOLD_MB|leaks.memory_threshold_mb|100|200|50||
RSR_LEAK_MODEL_GROWTH_THRESHOLD|leaks.model_growth_threshold|1||||
RSR_PROFILING_ENABLED|profiling.enabled|false|false|true||
RSR_MAX_PROFILE_SIZE_MB|profiling.max_profile_size_mb|100||||
RSR_PROFILING_CLEANUP_DAYS|profiling.cleanup_days|7||||
RSR_PROFILING_REQUEST_PROBABILITY|profiling.request_probability|0.01||||
RSR_MEMORY_LIMIT|memory.limit|none||||
RSR_MEMORY_REQUEST_BUDGET|memory.request_budget|64MiB||||
RSR_DATABASE_URL|database.url|sqlite://rsr.db||||
RSR_LISTEN|server.listen|127.0.0.1:8000||||
RSR_API_TOKEN|server.api_token|none||||
";

#[track_caller]
fn value(profile: Option<&str>, key: &str) -> (String, &'static str) {
    let environment = profile.map(|profile| ("RSR_PROFILE", profile));
    let loaded = load(&Inputs::from_environment(environment)).unwrap();
    let entries = loaded.entries();
    let entry = entries.iter().find(|entry| entry.key == key).expect(key);
    (entry.value.clone(), entry.variable)
}

#[test]
fn every_value_of_the_specified_table_is_what_a_load_gives() {
    for line in SPECIFIED.trim().lines() {
        let cells: Vec<&str> = line.split('|').collect();
        let (variable, key, default) = (cells[0], cells[1], cells[2]);
        assert_eq!(
            value(None, key),
            (default.to_owned(), variable),
            "{key} by default"
        );
        let or =
            |cell: &'static str, other: &'static str| if cell.is_empty() { other } else { cell };
        let production = or(cells[3], default);
        for (profile, expected) in [
            ("production", production),
            ("development", or(cells[4], default)),
            ("low-memory", or(cells[5], production)),
            ("high-memory", or(cells[6], production)),
        ] {
            assert_eq!(value(Some(profile), key).0, expected, "{key} in {profile}");
        }
    }
}

#[test]
fn the_profile_test_has_limits_that_tests_reach() {
    for (key, expected) in [
        ("cache.ttl", "0.1"),
        ("cache.max_size", "10"),
        ("hierarchy.max_descendants_per_request", "50"),
        ("hierarchy.chunk_size", "25"),
        ("aggregation.max_depth", "10"),
        ("cache.cleanup_interval", "300"),
    ] {
        assert_eq!(value(Some("test"), key).0, expected, "{key}");
    }
}

#[test]
fn every_profile_loads() {
    for profile in Profile::ALL {
        let loaded = load(&Inputs::from_environment([(
            "RSR_PROFILE",
            profile.as_str(),
        )]))
        .unwrap();
        assert_eq!(loaded.profile, Some(*profile));
        assert_eq!(loaded.warnings, []);
    }
}

#[test]
fn the_built_in_defaults_are_those_of_a_load_without_sources() {
    assert_eq!(
        load(&Inputs::default()).unwrap().settings,
        Settings::default()
    );
}
