//! What only a server can do: not be there, go away, hold something else.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ::postgres::{Client, NoTls};
use rsr_settings::DatabaseSettings;
use rsr_store::{Error, NewProject, Store};
use rsr_testkit::{ManualClock, PostgresDatabase};

use super::import::{activity, file, importer};
use super::reimport::result;
use super::support::{TestDatabase, TestStore};

fn open(settings: &DatabaseSettings) -> Result<Store, Error> {
    Store::open(settings, Arc::new(ManualClock::new()))
}

/// A connection past the store, where there is a server.
pub(super) fn client(settings: &DatabaseSettings) -> Option<Client> {
    let is_there = settings.url.sqlite_path().is_none();
    is_there.then(|| Client::connect(settings.url.expose(), NoTls).unwrap())
}

#[test]
fn a_server_that_is_not_there_is_named_without_its_password() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut settings = TestDatabase::new().settings();
    settings.url = format!("postgres://me:s3same@127.0.0.1:{port}/rsr")
        .parse()
        .unwrap();
    let refused = open(&settings).unwrap_err();
    assert!(matches!(refused, Error::Unreachable { .. }), "{refused:?}");
    let text = format!("{refused} {refused:?}");
    assert!(text.contains(&format!("127.0.0.1:{port}")), "{text}");
    assert!(text.contains("database.url"), "{text}");
    assert!(!text.contains("s3same"), "{text}");
}

#[test]
fn an_address_that_asks_for_what_is_not_there_is_refused() {
    let mut settings = TestDatabase::new().settings();
    settings.url = "postgres://me:s3same@db/rsr?port=many".parse().unwrap();
    let refused = open(&settings).unwrap_err();
    assert!(matches!(refused, Error::Address { .. }), "{refused:?}");
    assert!(!refused.to_string().contains("s3same"), "{refused}");
}

#[test]
fn a_database_that_is_not_there_is_to_be_made() {
    let Some(database) = PostgresDatabase::make() else {
        return;
    };
    let mut settings = TestDatabase::new().settings();
    settings.url = database.url().replace("/test_", "/none_").parse().unwrap();
    let refused = open(&settings).unwrap_err().to_string();
    assert!(refused.contains("createdb"), "{refused}");
}

#[test]
fn a_connection_that_broke_is_made_anew() {
    let test = TestStore::new();
    let id = test.project("top", None);
    test.store.version().unwrap();
    let snapshot = test.store.snapshot().unwrap();
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    terminate(&mut client);
    let broken = snapshot.project(id).unwrap_err();
    assert!(matches!(broken, Error::ConnectionLost { .. }), "{broken:?}");
    assert!(broken.is_retryable());
    drop(snapshot);
    test.store.snapshot().unwrap().project(id).unwrap();
    test.store.version().unwrap();
    test.project("another", None);
}

/// What a run has seen decides which of two activities stands, which results are linked and what is said of links.
#[test]
fn an_import_goes_on_over_a_connection_that_breaks_between_two_files() {
    let later = "2024-02-01T00:00:00Z";
    let wells = result("Wells", "1", &[(2024, &[("", 5)])]);
    let parent = "<related-activity type=\"1\" ref=\"A\"/>";
    let first = file(&[
        activity("A", later, &wells),
        activity("B", later, &format!("{parent}{wells}")),
        activity("C", later, "<related-activity type=\"1\" ref=\"none\"/>"),
    ]);
    let second = file(&[activity("C", later, &wells)]);
    let take = |is_cut: bool| {
        let test = TestStore::new();
        let mut client = client(&test.database.settings())?;
        let mut importer = importer(&test);
        let mut notes = Vec::new();
        let mut files = Vec::new();
        for text in [&first, &second] {
            let never = AtomicBool::new(false);
            let report = importer.file("file", text.as_bytes(), false, &never, &mut |note| {
                notes.push(format!("{note:?}"));
            });
            files.push(report.unwrap());
            if is_cut {
                terminate(&mut client);
            }
        }
        let links = importer.finish(&mut |note| notes.push(format!("{note:?}")));
        let n_left = client.query_one("SELECT count(*) FROM import_seen", &[]);
        assert_eq!(
            n_left.unwrap().get::<_, i64>(0),
            0,
            "rows that nobody asks for"
        );
        Some(format!("{files:?} {:?} {notes:#?}", links.unwrap()))
    };
    let (Some(whole), Some(cut)) = (take(false), take(true)) else {
        return;
    };
    assert!(whole.contains("n_periods_matched: 1"), "{whole}");
    assert_eq!(whole, cut);
}

/// Ends all other connections to a database.
fn terminate(client: &mut Client) {
    let ended = client.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
        &[],
    );
    ended.unwrap();
}

#[test]
fn a_database_of_somebody_else_is_left_alone() {
    let database = TestDatabase::new();
    let settings = database.settings();
    let Some(mut client) = client(&settings) else {
        return;
    };
    client.batch_execute("CREATE TABLE other (id INT)").unwrap();
    let refused = open(&settings).unwrap_err();
    assert!(matches!(refused, Error::Foreign { .. }), "{refused:?}");
}

#[test]
fn a_newer_schema_is_refused() {
    let test = TestStore::new();
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    client
        .batch_execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
        .unwrap();
    let refused = open(&test.database.settings()).unwrap_err();
    assert!(
        matches!(refused, Error::NewerSchema { found: 99, .. }),
        "{refused:?}"
    );
}

#[test]
fn a_transaction_with_a_failed_statement_keeps_nothing() {
    let test = TestStore::new();
    if client(&test.database.settings()).is_none() {
        return;
    }
    let mut tx = test.store.begin().unwrap();
    let nul = NewProject {
        title: "a\0b".to_owned(),
        ..NewProject::default()
    };
    tx.create_project(&NewProject::default()).unwrap();
    let refused = tx.create_project(&nul).unwrap_err();
    assert!(matches!(refused, Error::Invalid { .. }), "{refused:?}");
    tx.commit().unwrap_err();
    assert_eq!(test.store.status().unwrap().rows[0], ("projects", 0));
    test.project("after it", None);
}

#[test]
fn workers_write_side_by_side_and_keep_writers_out() {
    let mut settings = TestDatabase::new().settings();
    let test = TestStore::new();
    let Some(mut other) = client(&test.database.settings()) else {
        return;
    };
    settings.url.clone_from(&test.database.settings().url);
    settings.lock_timeout = Duration::from_millis(100);
    let store = open(&settings).unwrap();
    let example = super::example::Example::over(test, &[None, Some(0)], "1", false, 1);
    example.report(1, super::example::number(4), &[]);
    let root = example.period(0).id;
    let aggregation = rsr_settings::Settings::default().aggregation;

    // Another worker is at another root: this one goes on, people wait.
    let writer_lock = 0x0072_7372_0000_0001_i64;
    let mut worker = other.transaction().unwrap();
    worker
        .execute("SELECT pg_advisory_xact_lock_shared($1)", &[&writer_lock])
        .unwrap();
    let refused = store.write(|tx| tx.queue_period(root)).unwrap_err();
    assert!(matches!(refused, Error::Locked), "{refused:?}");
    // It takes this root, and for that moment nobody else can.
    let root_lock = 0x0052_0000_0000_0000_i64 ^ root.0;
    worker
        .execute("SELECT pg_advisory_xact_lock($1)", &[&root_lock])
        .unwrap();
    assert!(store.claim(root, &aggregation).unwrap().is_none());
    worker.rollback().unwrap();

    let mut worker = other.transaction().unwrap();
    worker
        .execute("SELECT pg_advisory_xact_lock_shared($1)", &[&writer_lock])
        .unwrap();
    let claim = store.claim(root, &aggregation).unwrap().unwrap();
    assert_eq!(store.work_off(claim, &aggregation).unwrap().n_finished, 1);
    example.check(0, "4.00 (-, -)");
}
