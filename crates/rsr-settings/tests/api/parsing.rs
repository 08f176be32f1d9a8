//! How texts become values: cases by hand, and laws over all texts and all values.

use std::time::Duration;

use proptest::prelude::*;
use rsr_base::ByteSize;
use rsr_settings::{Inputs, Settings, load};

fn with(variable: &str, text: &str) -> Option<Settings> {
    load(&Inputs::from_environment([(variable, text)]))
        .ok()
        .map(|loaded| loaded.settings)
}

#[track_caller]
fn check_time(text: &str, expected: Option<Duration>) {
    let found = with("RSR_CACHE_TTL", text).map(|settings| settings.cache.ttl);
    assert_eq!(found, expected, "{text:?}");
}

#[test]
fn times() {
    let millis = |millis| Some(Duration::from_millis(millis));
    check_time("1", millis(1000));
    check_time("0.1", millis(100));
    check_time(" 1.5 ", millis(1500));
    check_time("100ms", millis(100));
    check_time("30m", millis(1_800_000));
    check_time("1H", millis(3_600_000));
    check_time("1.5 h", millis(5_400_000));
    check_time("2d", millis(172_800_000));
    check_time("0.000000001", Some(Duration::from_nanos(1)));
    for wrong in [
        "", "-1", "+1", "1e3", ".5", "5.", "1 2", "1h30m", "inf", "NaN", "0x10", "1,5", "ms", "1y",
        "366d",
    ] {
        check_time(wrong, None);
    }
    check_time(&"9".repeat(400), None);
}

#[test]
fn switches() {
    for (text, expected) in [
        ("true", Some(true)),
        ("TRUE", Some(true)),
        ("1", Some(true)),
        ("Yes", Some(true)),
        ("oN", Some(true)),
        ("false", Some(false)),
        ("0", Some(false)),
        ("NO", Some(false)),
        (" off ", Some(false)),
        ("", None),
        ("2", None),
        ("y", None),
    ] {
        let found = with("RSR_LEAK_DETECTION_ENABLED", text).map(|settings| settings.leaks.enabled);
        assert_eq!(found, expected, "{text:?}");
    }
}

#[test]
fn sizes_in_the_unit_of_their_name() {
    let limit = |text: &str| {
        with("RSR_LEAK_MEMORY_THRESHOLD_MB", text)
            .map(|settings| settings.leaks.memory_threshold_mb)
    };
    assert_eq!(limit("100"), Some(ByteSize::from_mib(100)));
    assert_eq!(limit("0.5"), Some(ByteSize::from_kib(512)));
    assert_eq!(limit("1GiB"), Some(ByteSize::from_mib(1024)));
    assert_eq!(limit("1MB"), Some(ByteSize::from_bytes(1_000_000)));
    assert_eq!(limit("0"), None);
    assert_eq!(limit("-5"), None);
    let split =
        |text: &str| with("RSR_IATI_SPLIT_BYTES", text).map(|settings| settings.iati.split_bytes);
    assert_eq!(split("70000000"), Some(ByteSize::from_bytes(70_000_000)));
    assert_eq!(split("60MB"), Some(ByteSize::from_bytes(60_000_000)));
}

#[test]
fn ratios() {
    let ratio = |text: &str| {
        with("RSR_LEAK_GROWTH_THRESHOLD", text).map(|settings| settings.leaks.growth_threshold)
    };
    assert_eq!(ratio("0.25"), Some(0.25));
    assert_eq!(ratio("25%"), Some(0.25));
    assert_eq!(ratio("7 %"), Some(0.07));
    for wrong in ["", "%", "-1", "NaN", "inf", "1e-1", "25%%", "0"] {
        assert_eq!(ratio(wrong), None, "{wrong:?}");
    }
}

#[test]
fn header_prefixes_are_names_a_header_can_have() {
    let prefix = |text: &str| {
        with("RSR_MEMORY_HEADER_PREFIX", text).map(|settings| settings.monitoring.header_prefix)
    };
    assert_eq!(
        prefix("X-Mem-").as_deref(),
        Some("X-Mem"),
        "the hyphen before the name is ours"
    );
    for wrong in ["", "X Mem", "X-Mem\r\nSet-Cookie", "-X", "Ä", "9"] {
        assert_eq!(prefix(wrong), None, "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_any_setting_panic(text in ".{0,40}") {
        let loaded = load(&Inputs::default()).unwrap();
        for entry in loaded.entries() {
            let inputs = Inputs::from_environment([(entry.variable, text.as_str())]);
            if let Err(error) = load(&inputs) {
                prop_assert!(error.to_string().contains(entry.key), "{}: {}", entry.key, error);
            }
        }
    }

    #[test]
    fn no_settings_file_panics(text in "[a-z\\[\\]\\.=\"'\n 0-9{},]{0,80}") {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rsr.toml");
        std::fs::write(&path, &text).unwrap();
        let mut inputs = Inputs::default();
        inputs.config = Some(path);
        drop(load(&inputs));
    }

    #[test]
    fn a_value_shown_is_read_back(nanos in 1_u64..31_536_000_000_000_000, bytes in 1_u64.., days in 1_u64..3_153_600_000) {
        let time = Duration::from_nanos(nanos);
        let shown = show("RSR_CACHE_TTL", &format!("{}.{:09}", time.as_secs(), time.subsec_nanos()), "cache.ttl");
        prop_assert_eq!(with("RSR_CACHE_TTL", &shown).unwrap().cache.ttl, time);

        let shown = show("RSR_LEAK_MEMORY_THRESHOLD_MB", &format!("{bytes}B"), "leaks.memory_threshold_mb");
        let read = with("RSR_LEAK_MEMORY_THRESHOLD_MB", &shown).unwrap().leaks.memory_threshold_mb;
        prop_assert_eq!(read, ByteSize::from_bytes(bytes));

        let shown = show("RSR_PROFILING_CLEANUP_DAYS", &format!("{days}s"), "profiling.cleanup_days");
        let read = with("RSR_PROFILING_CLEANUP_DAYS", &shown).unwrap().profiling.cleanup_days;
        prop_assert_eq!(read, Duration::from_secs(days));
    }
}

fn show(variable: &str, text: &str, key: &str) -> String {
    let loaded = load(&Inputs::from_environment([(variable, text)])).unwrap();
    loaded
        .entries()
        .into_iter()
        .find(|entry| entry.key == key)
        .unwrap()
        .value
}
