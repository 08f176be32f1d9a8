//! Databases as operators handle them: backups put back, copies between engines, servers that are lost and come back, and
//! passwords that nobody sees.

use std::fs;
use std::path::Path;

use postgres::{Client, NoTls};
use rsr_base::{ByteSize, Clock as _, SystemClock, read_at_most};
use rsr_testkit::{PostgresDatabase, PostgresServer};
use rsr_tests::serving::Server;
use rsr_tests::{run, run_expecting};
use serde_json::{Value, json};

const LONG: std::time::Duration = std::time::Duration::from_secs(60);

const DEMO: [&str; 6] = [
    "demo",
    "--once",
    "--projects",
    "12",
    "--listen",
    "127.0.0.1:0",
];

fn whole(path: &Path) -> Vec<u8> {
    read_at_most(fs::File::open(path).unwrap(), ByteSize::from_mib(16)).unwrap()
}

/// Everything that an export gives, which shows what is stored.
fn exported(folder: &Path, url: &str) -> Vec<u8> {
    let target = folder.join("out.xml");
    let out = target.display().to_string();
    run_expecting(folder, 0, ["export", "iati", "--database", url, "-o", &out]);
    let bytes = whole(&target);
    fs::remove_file(target).unwrap();
    bytes
}

#[test]
fn a_backup_is_put_back_into_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    run_expecting(folder, 0, DEMO);
    let before = exported(folder, "sqlite://rsr.db");
    run_expecting(folder, 0, ["database", "backup", "kept.db"]);
    let more = r#"<iati-activities version="2.03"><iati-activity><iati-identifier>XX-1</iati-identifier>
        <title><narrative>more</narrative></title></iati-activity></iati-activities>"#;
    fs::write(folder.join("more.xml"), more).unwrap();
    run_expecting(folder, 0, ["import", "iati", "more.xml"]);

    let refused = run_expecting(folder, 2, ["database", "restore", "kept.db"]);
    assert!(refused.err.contains("--force"), "{}", refused.err);
    let missing = run(folder, ["database", "restore", "nowhere.db", "--force"]);
    assert_eq!(missing.code, 3, "{}", missing.err);
    // What is no whole database takes no other's place.
    let kept = whole(&folder.join("kept.db"));
    fs::write(folder.join("cut.db"), &kept[..kept.len() / 3]).unwrap();
    let damaged = run(folder, ["database", "restore", "cut.db", "--force"]);
    assert_ne!(damaged.code, 0, "{}{}", damaged.out, damaged.err);
    let status = run_expecting(folder, 0, ["database", "status", "--json"]);
    let status: Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(status["rows"]["projects"], 13, "it stands as it was");

    run_expecting(folder, 0, ["database", "restore", "kept.db", "--force"]);
    assert!(exported(folder, "sqlite://rsr.db") == before);
    run_expecting(folder, 0, ["database", "check"]);
    run_expecting(folder, 0, ["audit"]);
    fs::remove_file(folder.join("rsr.db")).unwrap();
    run_expecting(folder, 0, ["database", "restore", "kept.db"]);
    assert!(
        exported(folder, "sqlite://rsr.db") == before,
        "also where no database is"
    );
}

#[test]
fn a_backup_is_put_back_into_a_server_and_copied_back() {
    let Some(database) = PostgresDatabase::make() else {
        return;
    };
    let url = database.url();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    run_expecting(folder, 0, DEMO);
    let before = exported(folder, "sqlite://rsr.db");
    run_expecting(folder, 0, ["database", "backup", "kept.db"]);
    let restored = ["database", "restore", "kept.db", "--database", &url];
    run_expecting(folder, 0, restored);
    assert!(exported(folder, &url) == before);
    run_expecting(folder, 0, ["audit", "--database", &url]);
    run_expecting(folder, 0, ["database", "check", "--database", &url]);
    // It holds data now, and is left as it is.
    let refused = run(folder, restored);
    assert!(
        refused.code != 0 && refused.err.contains("holds data"),
        "{}",
        refused.err
    );
    let backup = run(
        folder,
        ["database", "backup", "other.db", "--database", &url],
    );
    assert!(backup.err.contains("pg_dump"), "{}", backup.err);

    run_expecting(folder, 0, ["database", "copy", &url, "sqlite://back.db"]);
    assert!(exported(folder, "sqlite://back.db") == before);
}

/// A service over a server of the test's own, at which passwords are not asked for but may be given.
fn start(folder: &Path, server: &PostgresServer) -> Server {
    let url = format!("postgres://rsr:s3same@127.0.0.1:{}/rsr", server.port());
    Server::start(folder, &["--database", &url])
}

#[test]
fn a_password_given_as_an_argument_is_seen_nowhere() {
    let Some(server) = PostgresServer::start("", "") else {
        return;
    };
    server.create("rsr");
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &server);
    let shown = whole(format!("/proc/{}/cmdline", service.pid()).as_ref());
    let shown = String::from_utf8_lossy(&shown).replace('\0', " ");
    assert!(shown.contains("postgres://rsr:***@127.0.0.1"), "{shown}");
    let mut all = shown;
    for path in [
        "/health/ready",
        "/health/memory",
        "/metrics/",
        "/api/v1/projects/",
    ] {
        all.push_str(&service.get(path).body);
    }
    for asked in [
        &["settings", "show"][..],
        &["memory", "status"],
        &["doctor"],
        &["database", "status"],
    ] {
        let database = [
            "--database",
            &format!("postgres://rsr:s3same@127.0.0.1:{}/rsr", server.port()),
        ];
        let said = run(folder.path(), asked.iter().chain(&database));
        all.push_str(&said.out);
        all.push_str(&said.err);
    }
    // What fails says so without it too.
    server.crash();
    all.push_str(&service.get("/api/v1/projects/").body);
    let refused = run(
        folder.path(),
        [
            "database",
            "copy",
            "sqlite://rsr.db",
            "postgres://rsr:s3same@127.0.0.1:1/rsr",
        ],
    );
    assert_eq!(refused.code, 3, "{}", refused.err);
    all.push_str(&refused.err);
    let (code, log) = service.stop();
    assert_eq!(code, 0, "{log}");
    all.push_str(&log);
    assert!(!all.contains("s3same"), "{all}");
}

#[test]
fn a_service_says_that_it_lost_its_database_and_serves_again_once_that_is_back() {
    let Some(server) = PostgresServer::start("synchronous_commit = on", "") else {
        return;
    };
    server.create("rsr");
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &server);
    let new = json!({ "title": "Wells", "is_published": true }).to_string();
    let made = service.send_json("POST", "/api/v1/projects/", &new);
    assert_eq!(made.status, 201, "{}", made.body);
    let wait_for = |status: u16, path: &str| {
        let began = SystemClock::new();
        loop {
            let answer = service.get(path);
            if answer.status == status {
                return answer;
            }
            assert!(
                began.elapsed() < LONG,
                "{path}: {} {}",
                answer.status,
                answer.body
            );
        }
    };
    wait_for(200, "/health/ready");
    wait_for(200, "/health/memory");
    server.crash();
    let failing = wait_for(503, "/health/memory");
    assert!(
        failing.body.contains("the database does not answer"),
        "{}",
        failing.body
    );
    let not_ready = wait_for(503, "/health/ready");
    assert!(
        not_ready.body.contains("the database does not answer"),
        "{}",
        not_ready.body
    );
    for (method, path) in [("GET", "/api/v1/projects/"), ("POST", "/api/v1/projects/")] {
        let refused = service.send_json(method, path, &new);
        assert_eq!(refused.status, 503, "{method} {path}: {}", refused.body);
        assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    }
    assert_eq!(service.get("/health/live").status, 200);
    server.restart();
    wait_for(200, "/health/ready");
    wait_for(200, "/health/memory");
    let listed = wait_for(200, "/api/v1/projects/");
    assert_eq!(
        listed.body.matches("Wells").count(),
        1,
        "kept, and not doubled: {}",
        listed.body
    );
}

#[test]
fn a_write_that_the_server_undid_is_made_again_and_one_that_it_cannot_make_is_refused() {
    let Some(database) = PostgresDatabase::make() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let url = ("RSR_DATABASE_URL".to_owned(), database.url());
    let slow = ("RSR_DATABASE_LOCK_TIMEOUT".to_owned(), "1".to_owned());
    let service = Server::start_with(folder.path(), &[], [url, slow]);
    let mut client = Client::connect(&database.url(), NoTls).unwrap();
    client
        .batch_execute(
            "CREATE SEQUENCE tries;
             CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF nextval('tries') < 3 THEN RAISE EXCEPTION 'met another one' USING ERRCODE = '40001'; END IF;
                 RETURN NULL; END $$;
             CREATE TRIGGER meet BEFORE INSERT ON projects EXECUTE FUNCTION meet()",
        )
        .unwrap();
    let new = json!({ "title": "Wells", "is_published": true }).to_string();
    let made = service.send_json("POST", "/api/v1/projects/", &new);
    assert_eq!(made.status, 201, "{}", made.body);
    client
        .batch_execute("ALTER SEQUENCE tries INCREMENT -1 RESTART 0 MINVALUE -99")
        .unwrap();
    let refused = service.send_json("POST", "/api/v1/projects/", &new);
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    client
        .batch_execute("DROP TRIGGER meet ON projects")
        .unwrap();

    // Somebody holds the table: reads wait, are ended, and are answered again afterwards.
    let mut lock = client.transaction().unwrap();
    lock.batch_execute("LOCK TABLE projects IN ACCESS EXCLUSIVE MODE")
        .unwrap();
    let refused = service.get("/api/v1/projects/");
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    lock.rollback().unwrap();
    let listed = service.get("/api/v1/projects/");
    assert_eq!(
        (listed.status, listed.body.matches("Wells").count()),
        (200, 1),
        "{}",
        listed.body
    );
}
