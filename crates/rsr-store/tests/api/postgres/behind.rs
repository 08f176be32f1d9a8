//! Transactions that are kept behind what their owner goes on with: others still get their turn, and what goes wrong is told.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use ::postgres::Client;
use rsr_base::system_clock;
use rsr_settings::Settings;
use rsr_store::{Error, Importer, NewProject, Store};
use rsr_testkit::ManualClock;

use super::import::{activity, file};
use super::server::client;
use super::support::TestStore;

pub(super) const DAY: &str = "2024-01-01T00:00:00Z";
/// Activities, each larger than what is read ahead, after which an import was not interrupted for too long.
const TOO_MANY: usize = 1_000;
/// After which something that others wait for was held for too long.
const LONG: Duration = Duration::from_secs(20);
/// Transactions that may be on their way at once, and one that waits to.
const ON_THE_WAY_MAX: u64 = 9;

/// An importer with a transaction for each activity.
pub(super) fn importer(store: &Store) -> Importer {
    let mut settings = Settings::default().iati;
    settings.import_chunk_size = 1;
    store.importer(&settings).unwrap()
}

/// A file that goes on until it is told not to.
struct Endless<'e> {
    is_over: &'e AtomicBool,
    n_given: usize,
    left: io::Cursor<Vec<u8>>,
}

impl<'e> Endless<'e> {
    fn new(is_over: &'e AtomicBool) -> Self {
        Self {
            is_over,
            n_given: 0,
            left: io::Cursor::new(b"<iati-activities version=\"2.03\">".to_vec()),
        }
    }
}

impl io::Read for Endless<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.left.read(into)?;
        if n > 0 || self.n_given == usize::MAX {
            return Ok(n);
        }
        self.n_given += 1;
        let text = if self.is_over.load(Ordering::SeqCst) || self.n_given > TOO_MANY {
            self.n_given = usize::MAX;
            "</iati-activities>".to_owned()
        } else {
            large(&format!("XM-{}", self.n_given))
        };
        self.left = io::Cursor::new(text.into_bytes());
        self.left.read(into)
    }
}

pub(super) fn large(identifier: &str) -> String {
    let text = "x".repeat(70_000);
    let more = format!("<description><narrative>{text}</narrative></description>");
    activity(identifier, DAY, &more)
}

/// Makes a trigger by which the server refuses rows.
pub(super) fn refuse(client: &mut Client, trigger: &str) {
    let made = client.batch_execute(&format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
         CREATE {trigger} EXECUTE FUNCTION refuse()"
    ));
    made.unwrap();
}

#[track_caller]
pub(super) fn check_refused(refused: &Error) {
    let text = format!("{refused:?}");
    assert!(text.contains("not this one"), "{text}");
}

/// Fails where anything is held that others need to write, in this process or another.
#[track_caller]
pub(super) fn check_nothing_held(test: &TestStore) {
    for store in [&test.store, &test.database.open()] {
        store
            .write(|tx| tx.create_project(&NewProject::default()))
            .unwrap();
    }
}

/// Imports without end while another one writes; answers how many activities were kept until that was done.
fn kept_beside(store: &Store, other: &Store) -> u64 {
    let is_over = AtomicBool::new(false);
    let (under_way, begun) = sync_channel(1);
    let report = thread::scope(|scope| {
        let is_over = &is_over;
        let taken = scope.spawn(move || {
            let source = Endless::new(is_over);
            let never = AtomicBool::new(false);
            let mut importer = importer(store);
            let report = importer.file("file", source, false, &never, &mut |note| {
                if let rsr_store::ImportNote::Progress { .. } = note {
                    // Nobody has to take it more than once.
                    let _told = under_way.try_send(());
                }
            });
            importer.finish(&mut |_note| {}).unwrap();
            report.unwrap()
        });
        begun.recv().unwrap();
        for nth in 0..20 {
            let new = NewProject {
                title: format!("beside {nth}"),
                ..NewProject::default()
            };
            other.write(|tx| tx.create_project(&new)).unwrap();
        }
        is_over.store(true, Ordering::SeqCst);
        taken.join().unwrap()
    });
    assert_eq!(report.read, report.kept);
    report.kept
}

#[test]
fn others_write_between_the_chunks_of_an_import() {
    let test = TestStore::new();
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    let elsewhere = test.database.open();
    for other in [&test.store, &elsewhere] {
        let n = kept_beside(&test.store, other);
        assert!(n < TOO_MANY as u64, "nobody got a turn");
    }
    let n_beside = "SELECT count(*) FROM projects WHERE title LIKE 'beside %'";
    assert_eq!(
        client.query_one(n_beside, &[]).unwrap().get::<_, i64>(0),
        40
    );
    assert_eq!(test.store.check_integrity().unwrap(), Vec::<String>::new());
}

/// What is asked for ahead may be on its way to the server, and be used when it is among the latest no more.
#[test]
fn what_comes_again_is_known_however_many_come_between() {
    let test = TestStore::new();
    if client(&test.database.settings()).is_none() {
        return;
    }
    let mut text = "<iati-activities version=\"2.03\">".to_owned();
    for nth in 0..30 {
        text += &activity(&format!("XM-{nth}"), DAY, "");
        text += &large(&format!("XM-{nth}-large"));
        for between in ["a", "b", "c"] {
            text += &activity(&format!("XM-{nth}-{between}"), DAY, "");
        }
        text += &activity(&format!("XM-{nth}"), "2024-02-01T00:00:00Z", "");
    }
    text += "</iati-activities>";
    let never = AtomicBool::new(false);
    let mut importer = importer(&test.store);
    let report = importer.file("file", text.as_bytes(), false, &never, &mut |_note| {});
    let report = report.unwrap();
    // Of each that came twice the first was replaced.
    assert_eq!((report.read, report.kept), (180, 150));
    importer.finish(&mut |_note| {}).unwrap();
}

#[test]
fn what_the_server_refuses_behind_is_told_and_what_was_kept_before_stays() {
    let test = TestStore::new();
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    refuse(
        &mut client,
        "TRIGGER refuse BEFORE INSERT ON projects FOR EACH ROW WHEN (NEW.iati_identifier = 'XM-7')",
    );
    let never = AtomicBool::new(false);
    let mut cut_off = importer(&test.store);
    let source = Endless::new(&never);
    let refused = cut_off.file("file", source, false, &never, &mut |_note| {});
    check_refused(&refused.unwrap_err());
    drop(cut_off);
    let n_kept = "SELECT count(*) FROM projects WHERE iati_identifier IS NOT NULL";
    assert_eq!(client.query_one(n_kept, &[]).unwrap().get::<_, i64>(0), 6);
    // Nothing is held any more: neither the connection, nor the writers' lock.
    check_nothing_held(&test);
    client
        .batch_execute("DROP TRIGGER refuse ON projects")
        .unwrap();
    let is_over = AtomicBool::new(false);
    let mut again = importer(&test.store);
    let report = again.file("file", Endless::new(&is_over), false, &never, &mut |note| {
        if let rsr_store::ImportNote::Progress { kept, .. } = note {
            is_over.store(kept > 20, Ordering::SeqCst);
        }
    });
    assert_eq!(report.unwrap().unchanged, 6);
    again.finish(&mut |_note| {}).unwrap();
}

#[test]
fn a_file_whose_end_the_server_refuses_leaves_nothing_locked() {
    let test = TestStore::new();
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    refuse(
        &mut client,
        "CONSTRAINT TRIGGER refuse AFTER INSERT ON import_files DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
    );
    let never = AtomicBool::new(false);
    let text = file(&["XM-1", "XM-2", "XM-3"].map(|identifier| activity(identifier, DAY, "")));
    let mut cut_off = importer(&test.store);
    let refused = cut_off.file("file", text.as_bytes(), false, &never, &mut |_note| {});
    check_refused(&refused.unwrap_err());
    drop(cut_off);
    check_nothing_held(&test);
}

/// The server does not see that an import, which holds what an administrator waits for, waits behind the administrator with
/// its other connection.
#[test]
fn an_import_goes_on_while_an_administrator_waits_for_its_tables() {
    let test = TestStore::new();
    let Some(mut watching) = client(&test.database.settings()) else {
        return;
    };
    let mut administrator = client(&test.database.settings()).unwrap();
    administrator
        .batch_execute("SET lock_timeout = '60s'")
        .unwrap();
    let is_over = AtomicBool::new(false);
    let never = AtomicBool::new(false);
    thread::scope(|scope| {
        let taken = scope.spawn(|| {
            // One transaction for the whole of it.
            let mut importer = test.store.importer(&Settings::default().iati).unwrap();
            importer.file(
                "file",
                Endless::new(&is_over),
                false,
                &never,
                &mut |_note| {},
            )
        });
        let holds = "SELECT count(*) FROM pg_locks WHERE relation = CAST('projects' AS regclass)
             AND mode = 'RowExclusiveLock' AND pid <> pg_backend_pid()";
        while watching.query_one(holds, &[]).unwrap().get::<_, i64>(0) == 0 {}
        let locks = scope.spawn(move || {
            administrator
                .batch_execute("BEGIN; LOCK TABLE projects IN ACCESS EXCLUSIVE MODE; COMMIT")
        });
        let waits = "SELECT count(*) FROM pg_locks WHERE relation = CAST('projects' AS regclass) AND NOT granted";
        while !locks.is_finished() && watching.query_one(waits, &[]).unwrap().get::<_, i64>(0) == 0
        {
        }
        locks.join().unwrap().unwrap();
        is_over.store(true, Ordering::SeqCst);
        let report = taken.join().unwrap().unwrap();
        assert_eq!(report.read, report.kept);
    });
}

/// A connection that breaks on the way ends an import with an error that says so, whatever it was doing, and with it nothing
/// is held that others wait for.
#[test]
fn an_import_whose_connections_break_ends_and_the_next_one_goes_on() {
    let test = TestStore::new();
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    let never = AtomicBool::new(false);
    let mut n_before = 0;
    for at in [1, 2, 5, 9] {
        let mut cut_off = importer(&test.store);
        let mut is_cut = false;
        let broken = cut_off.file("file", Endless::new(&never), false, &never, &mut |note| {
            if let rsr_store::ImportNote::Progress { kept, .. } = note
                && kept >= n_before + at
                && !is_cut
            {
                is_cut = true;
                let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()";
                client.batch_execute(cut).unwrap();
            }
        });
        let broken = broken.unwrap_err();
        assert!(matches!(broken, Error::ConnectionLost { .. }), "{broken:?}");
        drop(cut_off);
        let n_kept = "SELECT count(*) FROM projects WHERE iati_identifier IS NOT NULL";
        let n: i64 = client.query_one(n_kept, &[]).unwrap().get(0);
        // What progress told of is there, and at most what was on its way besides.
        let n = u64::try_from(n).unwrap();
        assert!(
            (n_before + at..=n_before + at + ON_THE_WAY_MAX).contains(&n),
            "{n} after {n_before} and {at}"
        );
        n_before = n;
    }
    let store = Store::open(&test.database.settings(), Arc::new(ManualClock::new())).unwrap();
    let is_over = AtomicBool::new(false);
    let mut again = importer(&store);
    let report = again.file("file", Endless::new(&is_over), false, &never, &mut |note| {
        if let rsr_store::ImportNote::Progress { kept, .. } = note {
            is_over.store(kept > n_before + 3, Ordering::SeqCst);
        }
    });
    assert_eq!(report.unwrap().unchanged, n_before);
    again.finish(&mut |_note| {}).unwrap();
    assert_eq!(store.check_integrity().unwrap(), Vec::<String>::new());
}

/// A source that goes on once it is told to.
struct Paused {
    parts: Vec<String>,
    left: io::Cursor<Vec<u8>>,
    go_on: Receiver<()>,
}

impl io::Read for Paused {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.left.read(into)?;
        if n > 0 || self.parts.is_empty() {
            return Ok(n);
        }
        self.go_on.recv().map_err(io::Error::other)?;
        self.left = io::Cursor::new(self.parts.remove(0).into_bytes());
        self.left.read(into)
    }
}

pub(super) fn count(client: &mut Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).unwrap().get(0)
}

pub(super) const N_ACTIVITIES: &str =
    "SELECT count(*) FROM projects WHERE iati_identifier IS NOT NULL";

#[test]
fn others_write_while_the_source_of_an_import_is_silent() {
    let test = TestStore::new();
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    let (send, go_on) = sync_channel(0);
    // What follows the first is so large that it is not kept back until more is read.
    let mut activities = vec![activity("XM-0", DAY, "")];
    activities.extend((1..5).map(|nth| large(&format!("XM-{nth}"))));
    activities.push(activity("XM-5", DAY, ""));
    let text = file(&activities);
    // In the middle of the last one.
    let (first, second) = text.split_at(text.rfind("<description>").unwrap());
    let source = Paused {
        parts: vec![second.to_owned()],
        left: io::Cursor::new(first.to_owned().into_bytes()),
        go_on,
    };
    thread::scope(|scope| {
        // Where this fails the source ends.
        let send = send;
        let taken = scope.spawn(|| {
            let never = AtomicBool::new(false);
            let mut importer = test.store.importer(&Settings::default().iati).unwrap();
            let report = importer.file("file", source, false, &never, &mut |_note| {});
            importer.finish(&mut |_note| {}).unwrap();
            report.unwrap()
        });
        let clock = system_clock();
        while count(&mut client, N_ACTIVITIES) == 0 {
            assert!(
                clock.elapsed() < LONG,
                "it waits for its source and holds what it has"
            );
        }
        check_nothing_held(&test);
        send.send(()).unwrap();
        let report = taken.join().unwrap();
        assert_eq!((report.read, report.kept), (6, 6));
    });
    assert_eq!(count(&mut client, N_ACTIVITIES), 6);
}
