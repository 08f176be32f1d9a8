//! `rsr database migrate`, killed while it brings a database of the first version up to date.

use std::time::Duration;

use postgres::{Client, NoTls};
use rsr_testkit::Seeded;
use rusqlite::Connection;

use super::place::{Place, each_round};

const SQLITE: &str = include_str!("../../../crates/rsr-store/src/sql/sqlite/0001_first.sql");
const POSTGRESQL: &str = include_str!("../../../crates/rsr-store/src/sql/postgres/0001_first.sql");
/// Projects, so that a migration takes some time.
const PROJECTS: u32 = 20_000;
const MIGRATE: [&str; 2] = ["database", "migrate"];

/// The version of the schema, and how many projects there are.
type Seen = (String, i64);

#[test]
fn on_sqlite() {
    let make = || {
        let place = Place::sqlite();
        let old = Connection::open(place.folder().join("rsr.db")).unwrap();
        old.execute_batch(&format!(
            "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; BEGIN; {SQLITE};
             WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {PROJECTS})
             INSERT INTO projects (uuid, title, title_folded, created_ms, changed_ms)
             SELECT randomblob(16), 'before', 'before', 0, 0 FROM n;
             INSERT INTO positions (project_id, root_id, depth, place, last_place)
             SELECT id, id, 0, 4294967296, 4294967296 FROM projects;
             PRAGMA application_id = 1920168497; PRAGMA user_version = 1; COMMIT;"
        ))
        .unwrap();
        place
    };
    let look = |place: &Place| {
        let file = Connection::open(place.folder().join("rsr.db")).unwrap();
        let number = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        let version = number("PRAGMA user_version").to_string();
        (version, number("SELECT count(*) FROM projects"))
    };
    story(make, look);
}

#[test]
fn on_postgresql() {
    let connect = |place: &Place| Client::connect(&place.url, NoTls).unwrap();
    let Some(first) = Place::postgresql() else {
        return;
    };
    drop(first);
    let make = || {
        let place = Place::postgresql().unwrap();
        connect(&place)
            .batch_execute(&format!(
                "{POSTGRESQL};
                 INSERT INTO projects (uuid, title, title_folded, created_ms, changed_ms)
                 SELECT decode(lpad(to_hex(n), 32, '0'), 'hex'), 'before', 'before', 0, 0
                 FROM generate_series(1, {PROJECTS}) AS n;
                 INSERT INTO positions (project_id, root_id, depth, place, last_place)
                 SELECT id, id, 0, 4294967296, 4294967296 FROM projects;
                 INSERT INTO meta (key, value) VALUES ('schema_version', '1')"
            ))
            .unwrap();
        place
    };
    let look = |place: &Place| {
        let mut client = connect(place);
        let version = "SELECT value FROM meta WHERE key = 'schema_version'";
        let version = client.query_one(version, &[]).unwrap().get(0);
        let projects = client.query_one("SELECT count(*) FROM projects", &[]);
        (version, projects.unwrap().get(0))
    };
    story(make, look);
}

fn story(make: impl Fn() -> Place, look: impl Fn(&Place) -> Seen) {
    let first = make();
    let takes = first.timed(&MIGRATE);
    let (newest, n_projects) = look(&first);
    assert_eq!(n_projects, i64::from(PROJECTS), "undisturbed");
    let round = |random: &mut Seeded, takes: Duration, what: &str| {
        let place = make();
        let is_met = place.kill(&MIGRATE, takes, random);
        let (version, n_projects) = look(&place);
        assert!(
            version == "1" || version == newest,
            "{what}: {version} is between two versions"
        );
        assert_eq!(n_projects, i64::from(PROJECTS), "{what}");
        place.run(0, &MIGRATE, what);
        assert_eq!(
            look(&place),
            (newest.clone(), i64::from(PROJECTS)),
            "{what}"
        );
        place.settle(what);
        is_met
    };
    each_round("migration", first.name, |_nth, random, what| {
        round(random, takes, what)
    });
}
