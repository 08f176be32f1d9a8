//! Faults of a server and of the way to it: what was acknowledged stays, what was refused is not there, and the next call
//! goes where it can.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use ::postgres::{Client, NoTls};
use rsr_base::{Clock as _, ProjectId, SystemClock};
use rsr_settings::{DatabaseSettings, Settings};
use rsr_store::{Error, NewProject, Store};
use rsr_testkit::{ManualClock, PostgresServer};

use super::server::client;
use super::support::TestStore;

/// Longest wait for what has no promise.
const LONG: Duration = Duration::from_secs(60);

fn settings(url: &str) -> DatabaseSettings {
    let mut settings = Settings::default().database;
    settings.url = url.parse().unwrap();
    settings
}

fn open(settings: &DatabaseSettings) -> Store {
    Store::open(settings, Arc::new(ManualClock::new())).unwrap()
}

fn create(store: &Store, title: &str) -> Result<ProjectId, Error> {
    let new = NewProject {
        title: title.to_owned(),
        ..NewProject::default()
    };
    store.write(|tx| tx.create_project(&new))
}

/// How many projects have this title.
fn count(client: &mut Client, title: &str) -> i64 {
    let sql = "SELECT count(*) FROM projects WHERE title = $1";
    client.query_one(sql, &[&title]).unwrap().get(0)
}

const PASS: u8 = 0;
/// The next commit reaches the server, its answer nobody.
const CUT_AFTER: u8 = 1;
/// The next commit does not reach the server.
const CUT_BEFORE: u8 = 2;

/// A way to a server that breaks when it is told to, once.
struct Way {
    port: u16,
    order: Arc<AtomicU8>,
}

impl Way {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (here, order) = (
            listener.local_addr().unwrap().port(),
            Arc::new(AtomicU8::new(PASS)),
        );
        let orders = Arc::clone(&order);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                let orders = Arc::clone(&orders);
                thread::spawn(move || carry(client, server, &orders));
            }
        });
        Self { port: here, order }
    }
}

/// Carries bytes both ways until one side ends or the order is to break off.
fn carry(mut client: TcpStream, server: TcpStream, order: &AtomicU8) {
    let is_mute = Arc::new(Mutex::new(false));
    let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let mute = Arc::clone(&is_mute);
    let answering = thread::spawn(move || {
        let mut bytes = [0; 1 << 14];
        while let Ok(n) = answers.read(&mut bytes) {
            let is_mute = *mute.lock().unwrap();
            // The first answer after the commit shows that the server is through with it.
            if n == 0 || is_mute || back.write_all(&bytes[..n]).is_err() {
                break;
            }
        }
        drop(back.shutdown(std::net::Shutdown::Both));
        drop(answers.shutdown(std::net::Shutdown::Both));
    });
    let mut server = server;
    let mut bytes = [0; 1 << 14];
    while let Ok(n) = client.read(&mut bytes) {
        let is_commit = bytes[..n].windows(8).any(|some| some == b"; COMMIT");
        match is_commit.then(|| order.swap(PASS, Ordering::SeqCst)) {
            Some(CUT_BEFORE) => break,
            Some(CUT_AFTER) => *is_mute.lock().unwrap() = true,
            _ => {}
        }
        if n == 0 || server.write_all(&bytes[..n]).is_err() {
            break;
        }
    }
    if !*is_mute.lock().unwrap() {
        drop(server.shutdown(std::net::Shutdown::Both));
        drop(client.shutdown(std::net::Shutdown::Both));
    }
    answering.join().unwrap();
}

#[test]
fn a_commit_whose_answer_is_lost_is_looked_up() {
    let Some(server) = PostgresServer::start("", "") else {
        return;
    };
    server.create("rsr");
    let way = Way::to(server.port());
    let store = open(&settings(&format!(
        "postgres://rsr@127.0.0.1:{}/rsr",
        way.port
    )));
    let mut client = Client::connect(&server.url("rsr"), NoTls).unwrap();
    for round in 0..3 {
        let title = |what: &str| format!("{what} {round}");
        way.order.store(CUT_AFTER, Ordering::SeqCst);
        let kept = create(&store, &title("kept")).unwrap();
        assert_eq!(
            store.snapshot().unwrap().project(kept).unwrap().title,
            title("kept")
        );
        assert_eq!(count(&mut client, &title("kept")), 1);

        way.order.store(CUT_BEFORE, Ordering::SeqCst);
        let refused = create(&store, &title("lost")).unwrap_err();
        assert!(
            matches!(refused, Error::ConnectionLost { .. }),
            "{refused:?}"
        );
        assert!(refused.is_undone());
        assert_eq!(count(&mut client, &title("lost")), 0);
        create(&store, &title("another")).unwrap();
    }
}

#[test]
fn a_commit_nobody_can_ask_about_is_uncertain() {
    let Some(server) = PostgresServer::start("", "") else {
        return;
    };
    server.create("rsr");
    let way = Way::to(server.port());
    let url = format!(
        "postgres://rsr@127.0.0.1:{}/rsr?connect_timeout=1",
        way.port
    );
    let store = open(&settings(&url));
    let mut tx = store.begin().unwrap();
    tx.create_project(&NewProject::default()).unwrap();
    server.crash();
    let uncertain = tx.commit().unwrap_err();
    // Its rows did not even reach the server where the connection was seen to break before the commit.
    let is_it = matches!(
        uncertain,
        Error::Uncertain { .. } | Error::ConnectionLost { .. }
    );
    assert!(is_it, "{uncertain:?}");
    server.restart();
    create(&store, "after it").unwrap();
}

#[test]
fn after_a_failover_all_that_was_acknowledged_is_there_and_the_next_call_goes_to_the_other_server()
{
    let Some(first) = PostgresServer::start("synchronous_commit = on\nwal_level = replica", "")
    else {
        return;
    };
    first.create("rsr");
    let second = first.standby();
    let mut client = Client::connect(&first.url("rsr"), NoTls).unwrap();
    // What is acknowledged is on both.
    client
        .batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        .unwrap();
    client.batch_execute("SELECT pg_reload_conf()").unwrap();
    let (one, two) = (first.port(), second.port());
    let store = open(&settings(&format!(
        "postgres://rsr@127.0.0.1:{one},127.0.0.1:{two}/rsr"
    )));
    let mut known = vec![create(&store, "before").unwrap()];
    let snapshot = store.snapshot().unwrap();
    snapshot.project(known[0]).unwrap();
    let mut half_way = store.begin().unwrap();
    half_way.create_project(&NewProject::default()).unwrap();

    first.crash();
    second.promote();
    half_way.commit().unwrap_err();
    snapshot.project(known[0]).unwrap_err();
    drop(snapshot);
    let began = SystemClock::new();
    while known.len() < 4 {
        match create(&store, "after") {
            Ok(id) => known.push(id),
            Err(error) => assert!(
                error.is_retryable() || matches!(error, Error::Unreachable { .. }),
                "{error:?}"
            ),
        }
        assert!(began.elapsed() < LONG, "no server takes writes");
    }
    let snapshot = store.snapshot().unwrap();
    for id in &known {
        snapshot.project(*id).unwrap();
    }
    assert_eq!(
        store.status().unwrap().rows[0],
        ("projects", 4),
        "nothing half-way, nothing twice"
    );
}

#[test]
fn a_server_that_was_demoted_is_left() {
    let test = TestStore::new();
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    test.project("before", None);
    // As one that follows another since: it says so at the first write.
    client
        .batch_execute(
            "CREATE FUNCTION follower() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'cannot execute INSERT in a read-only transaction' USING ERRCODE = '25006'; END $$;
             CREATE TRIGGER follower BEFORE INSERT ON projects EXECUTE FUNCTION follower()",
        )
        .unwrap();
    let refused = create(&test.store, "refused").unwrap_err();
    assert!(
        matches!(refused, Error::ConnectionLost { .. }),
        "{refused:?}"
    );
    assert_eq!(
        test.store.writer().n_idle,
        0,
        "that connection is not lent again"
    );
    client
        .batch_execute("DROP TRIGGER follower ON projects")
        .unwrap();
    create(&test.store, "after").unwrap();
}

#[test]
fn a_server_without_room_for_connections_is_asked_again_later() {
    let Some(server) = PostgresServer::start(
        "max_connections = 6\nsuperuser_reserved_connections = 0",
        "",
    ) else {
        return;
    };
    server.create("rsr");
    let store = open(&settings(&server.url("rsr")));
    create(&store, "before").unwrap();
    let mut others = Vec::new();
    while let Ok(other) = Client::connect(&server.url("rsr"), NoTls) {
        others.push(other);
    }
    let refused = store.snapshot().unwrap_err();
    assert!(matches!(refused, Error::Unreachable { .. }), "{refused:?}");
    assert!(refused.to_string().contains("max_connections"), "{refused}");
    others.clear();
    let began = SystemClock::new();
    while let Err(error) = store.snapshot() {
        assert!(began.elapsed() < LONG, "{error}");
    }
    create(&store, "after").unwrap();
}

#[test]
fn a_full_pool_is_told_and_shown_until_there_is_room() {
    let test = TestStore::new();
    let mut settings = test.database.settings();
    settings.pool_size = 2;
    settings.pool_timeout = Duration::from_millis(20);
    let store = open(&settings);
    let held = [store.snapshot().unwrap(), store.snapshot().unwrap()];
    assert!(!store.is_out_of_touch(), "nobody waited yet");
    let refused = store.snapshot().unwrap_err();
    assert!(
        matches!(refused, Error::Busy { connections: 2, .. }),
        "{refused:?}"
    );
    assert!(store.is_out_of_touch());
    drop(held);
    assert!(
        !store.is_out_of_touch(),
        "there is room again, though nobody came since"
    );
    store.snapshot().unwrap();
}

#[test]
fn a_statement_that_takes_too_long_is_ended_and_the_connection_serves_on() {
    let test = TestStore::new();
    let Some(mut other) = client(&test.database.settings()) else {
        return;
    };
    let id = test.project("top", None);
    let mut settings = test.database.settings();
    settings.statement_timeout = Duration::from_millis(100);
    settings.pool_size = 1;
    let store = open(&settings);
    let mut lock = other.transaction().unwrap();
    lock.batch_execute("LOCK TABLE projects IN ACCESS EXCLUSIVE MODE")
        .unwrap();
    let slow = store.snapshot().unwrap().project(id).unwrap_err();
    assert!(matches!(slow, Error::Slow { .. }), "{slow:?}");
    assert!(slow.is_retryable());

    settings.lock_timeout = Duration::from_millis(50);
    let store = open(&settings);
    let locked = store.snapshot().unwrap().project(id).unwrap_err();
    assert!(matches!(locked, Error::Locked), "{locked:?}");
    lock.rollback().unwrap();
    store.snapshot().unwrap().project(id).unwrap();
}

#[test]
fn a_transaction_that_the_server_undid_may_be_tried_again() {
    let test = TestStore::new();
    if client(&test.database.settings()).is_none() {
        return;
    }
    for code in ["40001", "40P01"] {
        test.meddle(&format!(
            "CREATE SEQUENCE tries;
             CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF nextval('tries') = 1 THEN RAISE EXCEPTION 'met another one' USING ERRCODE = '{code}'; END IF;
                 RETURN NULL; END $$;
             CREATE TRIGGER meet BEFORE INSERT ON projects EXECUTE FUNCTION meet()"
        ));
        let undone = create(&test.store, code).unwrap_err();
        assert!(matches!(undone, Error::Undone { .. }), "{undone:?}");
        assert!(undone.is_undone() && undone.is_retryable());
        create(&test.store, code).unwrap();
        test.meddle("DROP TRIGGER meet ON projects; DROP FUNCTION meet; DROP SEQUENCE tries");
    }
    assert_eq!(test.store.status().unwrap().rows[0], ("projects", 2));
}
