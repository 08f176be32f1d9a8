//! The database as a whole: opened, checked, copied.

use std::sync::Arc;
use std::time::Duration;

use rsr_base::ProjectId;
use rsr_store::{Error, NewProject, Store};
use rsr_testkit::ManualClock;

use crate::support::{TestStore, options};

#[test]
fn a_backup_is_a_whole_database_of_its_moment() {
    let test = TestStore::new();
    let top = test.project("top", None);
    let folder = tempfile::tempdir().unwrap();
    let mut settings = options(&folder);
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
fn a_snapshot_sees_one_moment() {
    let test = TestStore::new();
    let snapshot = test.store.snapshot().unwrap();
    let id = test.project("new", None);
    assert!(matches!(snapshot.project(id), Err(Error::NotFound { .. })));
    assert!(test.store.snapshot().unwrap().project(id).is_ok());
}

#[test]
fn connections_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = options(&folder);
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
fn a_file_that_is_not_ours_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = options(&folder);
    let path = folder.path().join("rsr.db");
    std::fs::write(
        &path,
        "this is no database, but it is long enough to be taken for one\n".repeat(200),
    )
    .unwrap();
    let refused = Store::open(&settings, Arc::new(ManualClock::new())).unwrap_err();
    assert!(matches!(refused, Error::Corrupt { .. }), "{refused:?}");
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
