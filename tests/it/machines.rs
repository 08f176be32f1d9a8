//! Two services over one PostgreSQL: what one writes the other answers, and what one deletes the other leaves alone.

use std::path::Path;
use std::thread;
use std::time::Duration;

use postgres::{Client, NoTls};
use rsr_base::{Clock as _, SystemClock};
use rsr_testkit::PostgresDatabase;
use rsr_tests::serving::Server;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Older than this no answer is.
const SECOND: Duration = Duration::from_secs(1);
/// Longest wait for what has no promise.
const LONG: Duration = Duration::from_secs(30);

/// A database and two machines over it; `None` where there is no PostgreSQL here.
struct Machines {
    one: Option<Server>,
    two: Server,
    client: Client,
    project: i64,
    _folders: [TempDir; 2],
    _database: PostgresDatabase,
}

fn start(folder: &Path, url: &str) -> Server {
    let url = ("RSR_DATABASE_URL".to_owned(), url.to_owned());
    Server::start_with(folder, &[], [url])
}

impl Machines {
    fn start() -> Option<Self> {
        let database = PostgresDatabase::make()?;
        let url = database.url();
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [one, two] = folders.each_ref().map(|folder| start(folder.path(), &url));
        let new = json!({ "title": "Version 0", "is_published": true, "is_public": true });
        let made = one.send_json("POST", "/api/v1/projects/", &new.to_string());
        assert_eq!(made.status, 201, "{}", made.body);
        let made: Value = serde_json::from_str(&made.body).unwrap();
        Some(Self {
            one: Some(one),
            two,
            client: Client::connect(&url, NoTls).unwrap(),
            project: made["id"].as_i64().unwrap(),
            _folders: folders,
            _database: database,
        })
    }

    fn one(&self) -> &Server {
        self.one.as_ref().expect("it lives")
    }

    fn path(&self) -> String {
        format!("/api/v1/projects/{}/", self.project)
    }

    /// Ends every connection of both machines to the database.
    fn cut(&mut self) {
        let cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()";
        self.client.execute(cut, &[]).unwrap();
    }

    /// Projects that are marked as being deleted by a machine that lives.
    fn n_marked(&mut self) -> i64 {
        let marks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted
               AND CAST(classid AS BIGINT) >> 16 = 29284
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        self.client.query_one(marks, &[]).unwrap().get(0)
    }

    #[track_caller]
    fn wait_for_marks(&mut self, n: i64) {
        let began = SystemClock::new();
        while self.n_marked() != n {
            assert!(began.elapsed() < LONG, "{} marks, not {n}", self.n_marked());
            thread::yield_now();
        }
    }
}

#[test]
fn no_answer_is_older_than_a_second_whichever_machine_wrote() {
    let Some(mut machines) = Machines::start() else {
        return;
    };
    let path = machines.path();
    for version in 1..=12 {
        if version % 4 == 0 {
            machines.cut();
        }
        let title = format!("Version {version}");
        let (writer, reader) = if version % 2 == 0 {
            (machines.one(), &machines.two)
        } else {
            (&machines.two, machines.one())
        };
        let change = json!({ "title": title }).to_string();
        let began = SystemClock::new();
        loop {
            let done = writer.send_json("PATCH", &path, &change);
            if done.status == 200 {
                break;
            }
            assert_eq!(done.status, 503, "a lost connection is busy: {}", done.body);
            assert!(began.elapsed() < LONG, "{}", done.body);
        }
        let committed = SystemClock::new();
        let own = writer.get(&path);
        assert!(own.body.contains(&title), "the writer itself: {}", own.body);
        loop {
            let asked = committed.elapsed();
            let answer = reader.get(&path);
            if answer.status == 200 && answer.body.contains(&title) {
                break;
            }
            assert!(asked < SECOND, "after {asked:?}: {}", answer.body);
        }
        // Both keep it now, so that the next round begins with a kept answer.
        assert!(reader.get(&path).body.contains(&title));
    }
}

#[test]
fn what_one_machine_deletes_no_other_writes_to_until_it_is_done_or_dead() {
    let Some(mut machines) = Machines::start() else {
        return;
    };
    // The lock that whoever writes waits for: with it the deletion stands still half-way.
    const WRITER_LOCK: i64 = 0x0072_7372_0000_0001;
    let path = machines.path();
    let change = json!({ "title": "Changed" }).to_string();
    let lock = format!("SELECT pg_advisory_lock({WRITER_LOCK})");
    machines.client.batch_execute(&lock).unwrap();
    machines.wait_for_marks(0);
    let mut deleting = machines.one().connect();
    let delete = format!("DELETE {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    std::io::Write::write_all(&mut deleting, delete.as_bytes()).unwrap();
    machines.wait_for_marks(1);

    let refused = machines.two.send_json("PATCH", &path, &change);
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert!(refused.body.contains("being deleted"), "{}", refused.body);

    // It dies as a machine does: without a word.
    machines.one = None;
    machines.wait_for_marks(0);
    let unlock = format!("SELECT pg_advisory_unlock({WRITER_LOCK})");
    machines.client.batch_execute(&unlock).unwrap();
    let changed = machines.two.send_json("PATCH", &path, &change);
    assert_eq!(changed.status, 200, "{}", changed.body);
}
