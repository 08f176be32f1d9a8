//! Each kind of error with its whole message, and that all of them come at once.

use std::fs;

use rsr_settings::{Inputs, load};

/// The messages of loading these variables, one line each.
#[track_caller]
fn check(variables: &[(&str, &str)], expected: &str) {
    let error = load(&Inputs::from_environment(variables.iter().copied())).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

/// The messages of loading a file that holds `text`; `FILE` stands for its path.
#[track_caller]
fn check_file(text: &str, expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rsr.toml");
    fs::write(&path, text).unwrap();
    let mut inputs = Inputs::default();
    inputs.config = Some(path.clone());
    let error = load(&inputs).unwrap_err();
    let shown = error
        .to_string()
        .replace(&path.display().to_string(), "FILE");
    assert_eq!(shown, expected);
}

#[test]
fn a_time_that_is_none() {
    check(
        &[("RSR_CACHE_TTL", "soon")],
        "cache.ttl cannot be \"soon\" (from RSR_CACHE_TTL): give a number of seconds such as 0.1, or a time such as \
         100ms, 30m or 1h; above 0, up to 365d",
    );
}

#[test]
fn a_time_to_live_of_zero() {
    for zero in ["0", "0.0", "0ms"] {
        check(
            &[("RSR_CACHE_TTL", zero)],
            &format!(
                "cache.ttl cannot be \"{zero}\" (from RSR_CACHE_TTL): give a number of seconds such as 0.1, or a time \
                 such as 100ms, 30m or 1h; above 0, up to 365d"
            ),
        );
    }
}

#[test]
fn a_number_out_of_bounds() {
    check(
        &[
            ("RSR_CACHE_MAX_SIZE", "0"),
            ("RSR_MAX_AGGREGATION_DEPTH", "-1"),
        ],
        "cache.max_size cannot be \"0\" (from RSR_CACHE_MAX_SIZE): give a whole number; from 1, up to 1000000000\n\
         aggregation.max_depth cannot be \"-1\" (from RSR_MAX_AGGREGATION_DEPTH): give a whole number; from 1, up to \
         1000000",
    );
}

#[test]
fn a_share_above_one() {
    check(
        &[("RSR_PROFILING_REQUEST_PROBABILITY", "101%")],
        "profiling.request_probability cannot be \"101%\" (from RSR_PROFILING_REQUEST_PROBABILITY): give a ratio such \
         as 0.2 or 20%; up to 1",
    );
}

#[test]
fn a_switch_that_is_neither_on_nor_off() {
    check(
        &[("RSR_LEAK_DETECTION_ENABLED", "maybe")],
        "leaks.enabled cannot be \"maybe\" (from RSR_LEAK_DETECTION_ENABLED): give true or false (also 1, 0, yes, no, \
         on, off)",
    );
}

#[test]
fn a_size_with_an_unknown_unit() {
    check(
        &[("RSR_MEMORY_LIMIT", "2 elephants")],
        "memory.limit cannot be \"2 elephants\" (from RSR_MEMORY_LIMIT): give a number of bytes, or a size such as \
         64MiB, or none; from 16MiB",
    );
}

#[test]
fn an_unknown_profile() {
    check(
        &[("RSR_PROFILE", "prod")],
        "profile cannot be \"prod\" (from RSR_PROFILE): give one of production, development, low-memory, high-memory, \
         test",
    );
}

#[test]
fn an_address_without_a_port() {
    check(
        &[("RSR_LISTEN", "127.0.0.1")],
        "server.listen cannot be \"127.0.0.1\" (from RSR_LISTEN): give an IP address with a port, such as \
         127.0.0.1:8000",
    );
}

#[test]
fn a_database_of_another_kind_does_not_show_its_password() {
    for url in ["mysql://me:s3same@db/rsr", "me:s3same@db/rsr"] {
        let error = load(&Inputs::from_environment([("RSR_DATABASE_URL", url)])).unwrap_err();
        assert!(!error.to_string().contains("s3same"), "{error}");
    }
    check(
        &[("RSR_DATABASE_URL", "mysql://me:s3same@db/rsr")],
        "database.url cannot be \"mysql://me:***@db/rsr\" (from RSR_DATABASE_URL): give sqlite://PATH or \
         postgres://USER:PASSWORD@HOST/NAME",
    );
}

#[test]
fn listening_for_other_machines_without_a_token() {
    check(
        &[
            ("RSR_LISTEN", "0.0.0.0:8000"),
            ("RSR_ADMIN_LISTEN", "127.0.0.1:8001"),
        ],
        "server.listen cannot be 0.0.0.0:8000 (from RSR_LISTEN): other machines reach it, so set server.api_token \
         (RSR_API_TOKEN), or listen on 127.0.0.1\n\
         server.admin_listen cannot be 127.0.0.1:8001 (from RSR_ADMIN_LISTEN): each request there needs a token, so \
         set server.api_token (RSR_API_TOKEN)",
    );
}

#[test]
fn steps_of_the_pressure_ladder_out_of_order() {
    check(
        &[("RSR_MEMORY_PAUSE_AT", "60%")],
        "memory.pause_at cannot be 0.6 (from RSR_MEMORY_PAUSE_AT): the step before it, memory.reclaim_at, is at 0.7; \
         give more than that",
    );
}

#[test]
fn a_socket_path_that_no_system_takes() {
    let path = format!("/{}", "x".repeat(107));
    check(
        &[("RSR_ADMIN_SOCKET", &path)],
        &format!(
            "server.admin_socket cannot be {path} (from RSR_ADMIN_SOCKET): it has 108 bytes, and the path of a socket \
             has at most 107"
        ),
    );
}

#[test]
fn an_unknown_key_names_the_nearest() {
    check_file(
        "[cache]\ntll = 5\n[sever]\nlisten = '127.0.0.1:1'\n",
        "cache.tll in FILE is no setting: the nearest is cache.ttl\n\
         sever.listen in FILE is no setting: the nearest is server.listen",
    );
}

#[test]
fn a_value_of_the_wrong_type_in_a_file() {
    check_file(
        "[cache]\nttl = true\nmax_size = [1]\n[server]\nlisten = 8000\napi_token = 5\n",
        "cache.max_size cannot be a list (from FILE): give a whole number; from 1, up to 1000000000\n\
         cache.ttl cannot be \"true\" (from FILE): give a number of seconds such as 0.1, or a time such as 100ms, 30m \
         or 1h; above 0, up to 365d\n\
         server.api_token cannot be *** (from FILE): give a text that is not empty, or none\n\
         server.listen cannot be 8000 (from FILE): give an IP address with a port, such as 127.0.0.1:8000",
    );
}

#[test]
fn a_file_that_is_no_toml_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rsr.toml");
    fs::write(&path, "[cache]\nttl = \n").unwrap();
    let mut inputs = Inputs::default();
    inputs.config = Some(path.clone());
    let error = load(&inputs).unwrap_err().to_string();
    let head = format!("the settings file {} is not TOML: ", path.display());
    assert!(
        error.starts_with(&head) && error.contains("line 2"),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1);
}

#[test]
fn a_file_that_never_ends_is_not_read_to_its_end() {
    let mut inputs = Inputs::default();
    inputs.config = Some("/dev/zero".into());
    assert_eq!(
        load(&inputs).unwrap_err().to_string(),
        "the settings file /dev/zero holds more than 1MiB"
    );
}

#[test]
fn everything_wrong_is_said_at_once_from_the_weakest_source_to_the_strongest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rsr.toml");
    fs::write(&path, "cache.ttl = 0\ncolour = 'red'\n").unwrap();
    let mut inputs = Inputs::from_environment([
        ("RSR_PROFILE", "fast"),
        ("RSR_CACHE_MAX_SIZE", "many"),
        ("RSR_CACHE_TTL", "60"),
    ])
    .with_override("--listen", "server.listen", "here");
    inputs.config = Some(path);
    let error = load(&inputs).unwrap_err();
    let starts: Vec<String> = error
        .problems()
        .iter()
        .map(|problem| problem.to_string().split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        starts,
        [
            "profile",
            "cache.ttl",
            "colour",
            "cache.max_size",
            "server.listen"
        ]
    );
}

#[test]
fn an_unknown_variable_is_a_warning_with_the_nearest_name() {
    let inputs = Inputs::from_environment([
        ("RSR_CACHE_TLL", "5"),
        ("RSR_IATI_DATA", "/data"),
        ("RSR_PROFILES", "test"),
        ("RSRX", "not ours"),
    ]);
    let loaded = load(&inputs).unwrap();
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "the variable RSR_CACHE_TLL is not known and has no effect: the nearest is RSR_CACHE_TTL",
            "the variable RSR_PROFILES is not known and has no effect: the nearest is RSR_PROFILE",
        ]
    );
}
