//! Which source wins, and where each value says it came from.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rsr_base::ByteSize;
use rsr_settings::{Inputs, Loaded, Source, load};

/// A folder with a file `rsr.toml` that holds `text`.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rsr.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

#[track_caller]
fn check(loaded: &Loaded, key: &str, value: &str, source: &Source) {
    let entries = loaded.entries();
    let entry = entries.iter().find(|entry| entry.key == key).expect(key);
    assert_eq!(
        (entry.value.as_str(), &entry.source),
        (value, source),
        "{key}"
    );
}

#[test]
fn each_source_wins_over_those_before_it() {
    let (_folder, path) = file("[cache]\nmax_size = 11\nttl = '11s'\ncleanup_interval = 11\n");
    let mut inputs = Inputs::from_environment([
        ("RSR_PROFILE", "production"),
        ("RSR_CACHE_TTL", "12"),
        ("RSR_CACHE_CLEANUP_INTERVAL", "12"),
    ])
    .with_override("--sweep", "cache.cleanup_interval", "13");
    inputs.config = Some(path.clone());
    let loaded = load(&inputs).unwrap();

    check(&loaded, "deletion.stale_after", "3600", &Source::Default);
    check(
        &loaded,
        "hierarchy.chunk_size",
        "250",
        &Source::Profile(rsr_settings::Profile::Production),
    );
    check(&loaded, "cache.max_size", "11", &Source::File(path.clone()));
    check(
        &loaded,
        "cache.ttl",
        "12",
        &Source::Variable("RSR_CACHE_TTL"),
    );
    check(
        &loaded,
        "cache.cleanup_interval",
        "13",
        &Source::Override("--sweep".to_owned()),
    );
    assert_eq!(loaded.file, Some(path));
}

#[test]
fn a_file_may_use_tables_numbers_texts_and_booleans() {
    let (_folder, path) = file(
        "server.listen = 'localhost:9000'\n\
         [cache]\nttl = 0.1\nmax_bytes = '1GiB'\n\
         [monitoring]\nenabled = false\nprometheus_enabled = 'OFF'\nhigh_usage_threshold_mb = 7\n\
         [profiling]\ncleanup_days = '12h'\n",
    );
    let mut inputs = Inputs::default();
    inputs.config = Some(path);
    let settings = load(&inputs).unwrap().settings;
    assert_eq!(settings.cache.ttl, Duration::from_millis(100));
    assert_eq!(settings.cache.max_bytes, Some(ByteSize::from_mib(1024)));
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:9000");
    assert!(!settings.monitoring.enabled);
    assert!(!settings.monitoring.prometheus_enabled);
    assert_eq!(
        settings.monitoring.high_usage_threshold_mb,
        ByteSize::from_mib(7)
    );
    assert_eq!(settings.profiling.cleanup_days, Duration::from_secs(43_200));
}

#[test]
fn the_file_of_the_working_folder_may_be_missing_and_one_asked_for_may_not() {
    let (folder, path) = file("cache.max_size = 3");
    let missing = folder.path().join("missing.toml");

    let mut inputs = Inputs::default();
    inputs.default_file = Some(missing.clone());
    assert_eq!(load(&inputs).unwrap().file, None);
    inputs.default_file = Some(path.clone());
    assert_eq!(load(&inputs).unwrap().settings.cache.max_size, 3);

    let named = [("RSR_CONFIG", missing.to_str().unwrap())];
    let error = load(&Inputs::from_environment(named)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the settings file {} cannot be read: No such file or directory (os error 2)",
            missing.display()
        )
    );
    let mut inputs = Inputs::from_environment(named);
    inputs.config = Some(path.clone());
    assert_eq!(
        load(&inputs).unwrap().file,
        Some(path),
        "the flag wins over the variable"
    );
}

#[test]
fn a_flag_chooses_the_profile_before_the_variable() {
    let mut inputs = Inputs::from_environment([("RSR_PROFILE", "production")]);
    inputs.profile = Some("Low-Memory".to_owned());
    assert_eq!(load(&inputs).unwrap().settings.cache.max_size, 200);
}

#[test]
fn own_folders_follow_the_environment() {
    let paths = |variables: &[(&str, &str)]| {
        let settings = load(&Inputs::from_environment(variables.iter().copied()))
            .unwrap()
            .settings;
        let shown = |path: PathBuf| path.display().to_string();
        (
            shown(settings.profiling.output_dir),
            shown(settings.server.admin_socket),
        )
    };
    let pair = |left: &str, right: &str| (left.to_owned(), right.to_owned());
    assert_eq!(
        paths(&[("HOME", "/home/me"), ("XDG_RUNTIME_DIR", "/run/user/7")]),
        pair(
            "/home/me/.local/state/rsr/profiles",
            "/run/user/7/rsr/admin.sock"
        )
    );
    assert_eq!(
        paths(&[("HOME", "/home/me"), ("XDG_STATE_HOME", "/state")]),
        pair("/state/rsr/profiles", "/state/rsr/admin.sock")
    );
    assert_eq!(
        paths(&[("HOME", "")]),
        pair(".rsr/profiles", ".rsr/admin.sock")
    );
}

#[test]
fn a_blank_variable_takes_an_optional_value_away() {
    let (_folder, path) = file("cache.max_bytes = 5000000");
    let mut inputs = Inputs::from_environment([("RSR_CACHE_MAX_BYTES", "")]);
    inputs.config = Some(path);
    assert_eq!(load(&inputs).unwrap().settings.cache.max_bytes, None);
}

#[test]
fn secrets_are_shown_nowhere() {
    let loaded = load(&Inputs::from_environment([
        ("RSR_API_TOKEN", "s3same"),
        ("RSR_MAIL_PASSWORD", "s3same"),
        ("RSR_DATABASE_URL", "postgres://rsr:s3same@db/rsr"),
    ]))
    .unwrap();
    assert_eq!(
        loaded.settings.server.api_token.as_ref().unwrap().expose(),
        "s3same"
    );
    assert_eq!(
        loaded.settings.database.url.expose(),
        "postgres://rsr:s3same@db/rsr"
    );
    let shown = format!("{loaded:?} {:?}", loaded.entries());
    assert!(!shown.contains("s3same"), "{shown}");
}
