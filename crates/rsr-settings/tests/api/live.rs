//! Changes while a service runs.

use std::fs;
use std::path::PathBuf;

use rsr_settings::{Change, Inputs, LiveSettings, load};

/// A service whose file holds `text`.
fn service(text: &str) -> (tempfile::TempDir, PathBuf, Inputs, LiveSettings) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rsr.toml");
    fs::write(&path, text).unwrap();
    let mut inputs = Inputs::from_environment([("RSR_CACHE_MAX_SIZE", "7")]);
    inputs.config = Some(path.clone());
    let live = LiveSettings::new(load(&inputs).unwrap());
    (folder, path, inputs, live)
}

fn lines(changes: &[Change]) -> Vec<String> {
    changes
        .iter()
        .map(|change| format!("{} {} -> {}", change.key, change.old, change.new))
        .collect()
}

#[test]
fn a_reload_takes_what_may_change_and_names_what_waits() {
    let (_folder, path, inputs, live) = service("cache.ttl = 5\n");
    fs::write(
        &path,
        "cache.ttl = '1m'\ncache.max_size = 9\nserver.listen = '127.0.0.1:9'\n",
    )
    .unwrap();
    let reload = live.reload(&inputs).unwrap();
    assert_eq!(
        lines(&reload.changed),
        ["cache.ttl 5 -> 60"],
        "a variable still wins over the file"
    );
    assert_eq!(
        lines(&reload.waiting),
        ["server.listen 127.0.0.1:8000 -> 127.0.0.1:9"]
    );
    assert_eq!(live.current().cache.ttl.as_secs(), 60);
    assert_eq!(live.current().server.listen.port(), 8000);
    let loaded = live.loaded();
    assert_eq!(
        loaded.source("cache.ttl").to_string(),
        path.display().to_string()
    );
    assert_eq!(
        loaded.source("server.listen").to_string(),
        "default",
        "the value in effect is still the default's"
    );
    assert_eq!(live.reload(&inputs).unwrap().changed, []);
}

#[test]
fn a_bad_file_keeps_every_old_value() {
    let (_folder, path, inputs, live) = service("cache.ttl = 5\nhierarchy.chunk_size = 5\n");
    let before = live.current();
    fs::write(&path, "cache.ttl = 0\nhierarchy.chunk_size = 6\n").unwrap();
    let error = live.reload(&inputs).unwrap_err();
    assert!(
        error.to_string().starts_with("cache.ttl cannot be \"0\""),
        "{error}"
    );
    assert_eq!(live.current(), before);
}

#[test]
fn a_reload_that_breaks_a_rule_keeps_every_old_value() {
    let (_folder, path, inputs, live) = service("");
    fs::write(&path, "memory.pause_at = 0.5\n").unwrap();
    live.reload(&inputs).unwrap_err();
    assert!((live.current().memory.pause_at - 0.8).abs() < 1e-9);
}

#[test]
fn a_change_by_hand_says_who_and_gives_way_to_a_reload() {
    let (_folder, _path, inputs, live) = service("");
    let change = live
        .set("hierarchy.chunk_size", "10", "uid 1000")
        .unwrap()
        .unwrap();
    assert_eq!(
        lines(std::slice::from_ref(&change)),
        ["hierarchy.chunk_size 500 -> 10"]
    );
    assert_eq!(change.source.to_string(), "uid 1000");
    assert_eq!(
        live.loaded().source("hierarchy.chunk_size").to_string(),
        "uid 1000"
    );
    assert_eq!(
        live.set("hierarchy.chunk_size", "10", "uid 1000").unwrap(),
        None,
        "no change, nothing to log"
    );
    assert_eq!(
        lines(&live.reload(&inputs).unwrap().changed),
        ["hierarchy.chunk_size 10 -> 500"]
    );
}

#[test]
fn a_change_by_hand_is_checked() {
    let (_folder, _path, _inputs, live) = service("");
    let refused = |key: &str, text: &str| live.set(key, text, "uid 1000").unwrap_err().to_string();
    assert_eq!(
        refused("cache.ttl", "0"),
        "cache.ttl cannot be \"0\" (from uid 1000): give a number of seconds such as 0.1, or a time such as 100ms, 30m \
         or 1h; above 0, up to 365d"
    );
    assert_eq!(
        refused("server.listen", "0.0.0.0:1"),
        "server.listen cannot change while the service runs: set it in the settings file and restart"
    );
    assert_eq!(
        refused("cache.tll", "1"),
        "cache.tll is no setting: the nearest is cache.ttl"
    );
    assert_eq!(
        refused("memory.shed_at", "0.99"),
        "memory.refuse_at cannot be 0.95 (from default): the step before it, memory.shed_at, is at 0.99; give more than \
         that"
    );
}

#[test]
fn a_changed_secret_is_not_told() {
    let (_folder, path, inputs, live) = service("server.api_token = 'old-s3same'\n");
    fs::write(&path, "server.api_token = 'new-s3same'\n").unwrap();
    let reload = live.reload(&inputs).unwrap();
    assert_eq!(lines(&reload.waiting), ["server.api_token *** -> ***"]);
    assert_eq!(
        live.current().server.api_token.as_ref().unwrap().expose(),
        "old-s3same"
    );
}

#[test]
fn readers_keep_their_snapshot() {
    let (_folder, _path, _inputs, live) = service("");
    let before = live.current();
    live.set("cache.max_size", "99", "uid 1000").unwrap();
    assert_eq!(
        (before.cache.max_size, live.current().cache.max_size),
        (7, 99)
    );
}
