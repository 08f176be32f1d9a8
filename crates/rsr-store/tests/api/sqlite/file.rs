//! What only a file can do.

use std::sync::Arc;

use rsr_store::{Error, Store};
use rsr_testkit::ManualClock;

use super::support::{TestDatabase, TestStore};

#[test]
fn a_backup_is_a_whole_database_of_its_moment() {
    let test = TestStore::new();
    let top = test.project("top", None);
    let folder = tempfile::tempdir().unwrap();
    let mut settings = test.database.settings();
    let target = folder.path().join("copy.db");
    // While somebody writes.
    let tx = test.store.begin().unwrap();
    test.store.backup(&target).unwrap();
    drop(tx);
    test.project("later", None);
    settings.url = format!("sqlite://{}", target.display()).parse().unwrap();
    let copy = Store::open(&settings, Arc::new(ManualClock::new())).unwrap();
    assert_eq!(copy.status().unwrap().rows[0], ("projects", 1));
    assert_eq!(copy.snapshot().unwrap().project(top).unwrap().title, "top");
    assert_eq!(copy.check_integrity().unwrap(), Vec::<String>::new());
    assert!(matches!(
        test.store.backup(&target),
        Err(Error::Invalid { .. })
    ));
}

#[test]
fn a_file_that_is_not_ours_is_left_alone() {
    let database = TestDatabase::new();
    let settings = database.settings();
    std::fs::write(
        settings.url.sqlite_path().unwrap(),
        "this is no database, but it is long enough to be taken for one\n".repeat(200),
    )
    .unwrap();
    let refused = Store::open(&settings, Arc::new(ManualClock::new())).unwrap_err();
    assert!(matches!(refused, Error::Corrupt { .. }), "{refused:?}");
}
