//! Schemas brought up to date under the feet of programs of the version before, and of several at once.

use std::sync::Arc;
use std::thread;

use ::postgres::{Client, NoTls};
use rsr_settings::{DatabaseSettings, Settings};
use rsr_store::{Error, Store};
use rsr_testkit::{ManualClock, PostgresDatabase};

use super::support::TestStore;

const FIRST: &str = include_str!("../../../src/sql/postgres/0001_first.sql");
const MAIL: &str = include_str!("../../../src/sql/postgres/0002_mail.sql");
const LATER: [&str; 4] = [
    include_str!("../../../src/sql/postgres/0003_children_order.sql"),
    include_str!("../../../src/sql/postgres/0004_elements_of_projects.sql"),
    include_str!("../../../src/sql/postgres/0005_roots.sql"),
    include_str!("../../../src/sql/postgres/0006_import_seen.sql"),
];

/// A database as version 2 left it, with a connection as a program of that version has it.
pub(super) fn of_version_2() -> Option<(PostgresDatabase, DatabaseSettings, Client)> {
    let database = PostgresDatabase::make()?;
    let mut settings = Settings::default().database;
    settings.url = database.url().parse().unwrap();
    let mut client = Client::connect(&database.url(), NoTls).unwrap();
    client
        .batch_execute(&format!(
            "{FIRST}; {MAIL}; INSERT INTO meta (key, value) VALUES ('schema_version', '2')"
        ))
        .unwrap();
    Some((database, settings, client))
}

fn open(settings: &DatabaseSettings) -> Result<Store, Error> {
    Store::open(settings, Arc::new(ManualClock::new()))
}

/// A project as a program of version 2 stores it, below the writers' lock.
fn store_as_before(client: &mut Client, nth: i64) -> i64 {
    let mut tx = client.transaction().unwrap();
    tx.batch_execute("SELECT pg_advisory_xact_lock(32215080808480769)")
        .unwrap();
    let made = tx.query_one(
        "INSERT INTO projects (uuid, title, title_folded, created_ms, changed_ms)
         VALUES (decode(lpad(to_hex(CAST($1 AS BIGINT)), 32, '0'), 'hex'), 'before', 'before', 0, 0) RETURNING id",
        &[&nth],
    );
    let id: i64 = made.unwrap().get(0);
    tx.execute(
        "INSERT INTO positions (project_id, root_id, depth, place, last_place) VALUES ($1, $1, 0, 4294967296, 4294967296)",
        &[&id],
    )
    .unwrap();
    tx.commit().unwrap();
    id
}

#[test]
fn the_version_before_goes_on_while_and_after_a_new_one_migrates() {
    let Some((_database, settings, mut old)) = of_version_2() else {
        return;
    };
    let ids: Vec<i64> = (0..20).map(|nth| store_as_before(&mut old, nth)).collect();
    let during = thread::spawn(move || {
        let ids: Vec<i64> = (20..60).map(|nth| store_as_before(&mut old, nth)).collect();
        (old, ids)
    });
    let store = open(&settings).unwrap();
    let (mut old, more) = during.join().unwrap();
    let last = store_as_before(&mut old, 60);
    assert_eq!(store.status().unwrap().rows[0], ("projects", 61));
    assert!(store.status().unwrap().schema_version > 2);
    let snapshot = store.snapshot().unwrap();
    for id in ids.into_iter().chain(more).chain([last]) {
        assert_eq!(snapshot.project(id.into()).unwrap().title, "before");
    }
    // What the new one stores the old one reads.
    let new = rsr_store::NewProject {
        title: "after".to_owned(),
        ..rsr_store::NewProject::default()
    };
    let id = store
        .write(|tx| tx.create_project(&new))
        .unwrap_or_else(|error: Error| panic!("{error}"));
    let read = "SELECT p.title, o.depth FROM projects p JOIN positions o ON o.project_id = p.id WHERE p.id = $1";
    let row = old.query_one(read, &[&id.0]).unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, i64>(1)), ("after", 0));
    assert_eq!(store.check_integrity().unwrap(), Vec::<String>::new());
}

/// Programs of before step 5 are served for as long as they may run: a database that they could have stored in keeps what they
/// ask for, until it is brought up to date once more.
#[test]
fn what_only_older_programs_ask_for_goes_where_none_can_run() {
    let n_triggers = |client: &mut Client| -> i64 {
        let sql = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'root\\_of\\_%'";
        client.query_one(sql, &[]).unwrap().get(0)
    };
    let Some((_database, settings, mut client)) = of_version_2() else {
        return;
    };
    open(&settings).unwrap();
    assert_eq!(n_triggers(&mut client), 22, "from version 2");

    let (_database, settings, mut client) = of_version_2().unwrap();
    client.batch_execute(&LATER.join(";")).unwrap();
    client
        .batch_execute("UPDATE meta SET value = '6' WHERE key = 'schema_version'")
        .unwrap();
    assert_eq!(n_triggers(&mut client), 22);
    open(&settings).unwrap();
    assert_eq!(n_triggers(&mut client), 0, "from version 6");

    let new = TestStore::new();
    let mut client = super::server::client(&new.database.settings()).unwrap();
    assert_eq!(n_triggers(&mut client), 0, "made anew");
}

#[test]
fn of_many_that_start_at_once_one_migrates_and_all_serve() {
    let Some((_database, settings, _old)) = of_version_2() else {
        return;
    };
    let starting: Vec<_> = (0..6)
        .map(|_| {
            let settings = settings.clone();
            thread::spawn(move || {
                open(&settings).map(|store| store.status().unwrap().schema_version)
            })
        })
        .collect();
    let versions: Vec<i64> = starting
        .into_iter()
        .map(|one| one.join().unwrap().unwrap())
        .collect();
    assert!(
        versions
            .iter()
            .all(|version| *version == versions[0] && *version > 2),
        "{versions:?}"
    );
}

#[test]
fn a_step_that_cannot_be_made_leaves_the_version_before_whole() {
    let Some((_database, settings, mut client)) = of_version_2() else {
        return;
    };
    client
        .batch_execute("CREATE INDEX children_by_actual_end ON projects (id)")
        .unwrap();
    open(&settings).unwrap_err();
    let left = client.query_one(
        "SELECT value, (SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'children_by_%') FROM meta
         WHERE key = 'schema_version'",
        &[],
    );
    let left = left.unwrap();
    assert_eq!((left.get::<_, &str>(0), left.get::<_, i64>(1)), ("2", 1));
    client
        .batch_execute("DROP INDEX children_by_actual_end")
        .unwrap();
    open(&settings).unwrap();
}

#[test]
fn a_program_that_runs_goes_on_after_a_newer_one_added_to_the_schema_and_does_not_start_again() {
    let test = TestStore::new();
    if test.database.settings().url.sqlite_path().is_some() {
        return;
    }
    let top = test.project("top", None);
    test.meddle(
        "ALTER TABLE projects ADD COLUMN future TEXT NOT NULL DEFAULT 'x';
         ALTER TABLE project_elements ADD COLUMN future BIGINT;
         CREATE TABLE futures (id BIGINT PRIMARY KEY);
         UPDATE meta SET value = '9' WHERE key = 'schema_version'",
    );
    let child = test.project("child", Some(top));
    let text = r#"<iati-activities version="2.03"><iati-activity><iati-identifier>XX-1</iati-identifier>
        <title><narrative>imported</narrative></title></iati-activity></iati-activities>"#;
    super::import::import(&test, &[text]);
    let snapshot = test.store.snapshot().unwrap();
    assert_eq!(snapshot.branch(top, None, 9).unwrap(), [(child, 1)]);
    assert!(snapshot.project_by_identifier("XX-1").unwrap().is_some());
    let refused = open(&test.database.settings()).unwrap_err();
    assert!(
        matches!(refused, Error::NewerSchema { found: 9, .. }),
        "{refused:?}"
    );
}

#[test]
fn what_hangs_on_a_project_goes_with_it() {
    let test = TestStore::new();
    let text = r#"<iati-activities version="2.03"><iati-activity><iati-identifier>XX-1</iati-identifier>
        <title><narrative>imported</narrative></title><sector vocabulary="1" code="11110"/>
        <recipient-country code="KE"/><related-activity ref="XX-2" type="1"/></iati-activity></iati-activities>"#;
    super::import::import(&test, &[text]);
    let left = |table: &str| {
        let mut client = super::server::client(&test.database.settings())?;
        let sql = format!("SELECT count(*) FROM {table}");
        Some(client.query_one(&sql, &[]).unwrap().get::<_, i64>(0))
    };
    let tables = [
        "project_elements",
        "sectors",
        "recipient_countries",
        "related_activities",
    ];
    if left("meta").is_none() {
        return;
    }
    assert!(tables.iter().all(|table| left(table) > Some(0)));
    let id = test
        .store
        .snapshot()
        .unwrap()
        .project_by_identifier("XX-1")
        .unwrap()
        .unwrap();
    test.store
        .write(|tx| tx.delete_project(id))
        .unwrap_or_else(|error: Error| panic!("{error}"));
    for table in tables {
        assert_eq!(left(table), Some(0), "{table}");
    }
}
