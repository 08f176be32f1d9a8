//! The database as a whole: opened, seen at one moment, kept within its bounds.

use std::sync::Arc;
use std::time::Duration;

use rsr_base::ProjectId;
use rsr_store::{Error, NewProject, Store};
use rsr_testkit::ManualClock;

use super::support::{TestDatabase, TestStore};

#[test]
fn a_snapshot_sees_one_moment() {
    let test = TestStore::new();
    let snapshot = test.store.snapshot().unwrap();
    let id = test.project("new", None);
    assert!(matches!(snapshot.project(id), Err(Error::NotFound { .. })));
    assert!(test.store.snapshot().unwrap().project(id).is_ok());
}

#[test]
fn connections_are_bounded() {
    let database = TestDatabase::new();
    let mut settings = database.settings();
    settings.pool_size = 1;
    settings.pool_timeout = Duration::from_millis(1);
    let store = Store::open(&settings, Arc::new(ManualClock::new())).unwrap();
    let one = store.snapshot().unwrap();
    let refused = store.snapshot().unwrap_err();
    assert!(refused.is_retryable(), "{refused}");
    drop(one);
    store.snapshot().unwrap();
}

#[test]
fn a_branch_goes_in_one_piece() {
    let test = TestStore::new();
    let top = test.project("top", None);
    let child = test.project("child", Some(top));
    let leaf = test.project("leaf", Some(child));
    let n = test.store.write(|tx| tx.delete_project(child)).unwrap();
    assert_eq!(n, 2);
    let gone: Result<_, Error> = test.store.snapshot().unwrap().project(leaf);
    assert!(matches!(gone, Err(Error::NotFound { .. })));
    let orphan = test.store.write(|tx| {
        tx.create_project(&NewProject {
            parent: Some(ProjectId(leaf.0)),
            ..NewProject::default()
        })
    });
    assert!(matches!(
        orphan,
        Err(Error::NotFound {
            kind: "project",
            ..
        })
    ));
}

#[test]
fn the_version_is_another_one_after_a_change_and_the_same_without() {
    let test = TestStore::new();
    let store = test.database.open();
    let before = store.version().unwrap();
    assert_eq!(store.version().unwrap(), before);
    test.project("from another process", None);
    let after = store.version().unwrap();
    assert_ne!(after, before);
    assert_eq!(store.version().unwrap(), after);
}

#[test]
fn a_writer_keeps_writers_of_other_processes_waiting_and_nobody_else() {
    let test = TestStore::new();
    let mut settings = test.database.settings();
    settings.lock_timeout = Duration::from_millis(20);
    let other = Store::open(&settings, Arc::new(ManualClock::new())).unwrap();
    let tx = test.store.begin().unwrap();
    let refused = other.begin().unwrap_err();
    assert!(matches!(refused, Error::Locked), "{refused:?}");
    other.snapshot().unwrap();
    drop(tx);
    drop(other.begin().unwrap());
}

#[test]
fn what_is_stored_is_counted_and_sound() {
    let test = TestStore::new();
    test.project("top", None);
    let status = test.store.status().unwrap();
    assert_eq!(status.rows[0], ("projects", 1));
    // Only a server spreads rows by their root.
    let is_file = test.store.file().is_some();
    assert_eq!(status.schema_version, if is_file { 5 } else { 7 });
    assert!(status.size.bytes() > 4_096);
    assert_eq!(test.store.check_integrity().unwrap(), Vec::<String>::new());
}
