//! Several machines over one server: who writes is heard, who deletes is seen, and who dies lets go.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use ::postgres::{Client, NoTls};
use rsr_base::{Clock as _, ProjectId, SystemClock};
use rsr_deletion::DeletionTracker;
use rsr_settings::DeletionSettings;
use rsr_store::{Following, News, Store};
use rsr_testkit::ManualClock;

use super::example::Example;
use super::support::TestStore;

/// The promise: nothing older than this is answered.
const SECOND: Duration = Duration::from_secs(1);
/// A machine under load may take its time to do what has no promise.
const LONG: Duration = Duration::from_secs(30);

/// News that a test has not looked at.
const WAITING_MAX: usize = 10_000;

/// A second machine over the same database, and a connection past both. `None` where there is no server.
fn two_machines() -> Option<(TestStore, Store, Client)> {
    let one = TestStore::new();
    let settings = one.database.settings();
    if settings.url.sqlite_path().is_some() {
        return None;
    }
    let two = Store::open(&settings, Arc::new(ManualClock::new())).unwrap();
    let client = Client::connect(settings.url.expose(), NoTls).unwrap();
    Some((one, two, client))
}

/// Follows, and passes on what is new.
fn follow(store: &Store) -> (Following, Receiver<News>) {
    let (tell, told) = mpsc::sync_channel(WAITING_MAX);
    let each_beat = move |news| {
        // The test may have ended.
        // The test may have ended, or look elsewhere for long.
        let _is_told = tell.try_send(news).is_ok();
    };
    let following = store.follow(each_beat).unwrap();
    (following.expect("a server has several machines"), told)
}

/// Waits for news of this kind; answers how long it took.
#[track_caller]
fn wait_for(told: &Receiver<News>, is_it: impl Fn(&News) -> bool) -> Duration {
    let began = SystemClock::new();
    loop {
        let left = LONG.saturating_sub(began.elapsed());
        if is_it(&told.recv_timeout(left).expect("news in time")) {
            return began.elapsed();
        }
    }
}

/// Waits until versions are counted rather than asked for: then they are small.
#[track_caller]
fn wait_until_trusted(store: &Store, told: &Receiver<News>) {
    wait_for(told, |_any| {
        (1..100_000).contains(&store.version().unwrap())
    });
}

/// Ends every connection but this one, those that listen among them.
fn cut_all(client: &mut Client) -> i64 {
    let cut = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    client.query_one(cut, &[]).unwrap().get(0)
}

#[test]
fn a_write_of_another_machine_is_heard() {
    let Some((one, two, mut client)) = two_machines() else {
        return;
    };
    let (_following, told) = follow(&two);
    wait_until_trusted(&two, &told);
    let mut took = Vec::new();
    for _ in 0..20 {
        let before = two.version().unwrap();
        one.project("new", None);
        let committed = SystemClock::new();
        while two.version().unwrap() == before {
            assert!(
                committed.elapsed() < SECOND,
                "an old version after a second"
            );
            std::thread::yield_now();
        }
        took.push(committed.elapsed());
    }
    took.sort();
    println!("heard after {:?}, at worst {:?}", took[10], took[19]);

    // One who writes past the program says no word.
    let before = two.version().unwrap();
    client
        .batch_execute("UPDATE projects SET title = 'by hand'")
        .unwrap();
    wait_for(&told, |_any| two.version().unwrap() != before);

    // The own writes need not be heard of.
    let before = two.version().unwrap();
    two.write(|tx| tx.create_project(&rsr_store::NewProject::default()))
        .unwrap();
    assert_ne!(two.version().unwrap(), before);
}

#[test]
fn what_is_written_while_nobody_listens_is_not_missed() {
    let Some((one, two, mut client)) = two_machines() else {
        return;
    };
    let (_following, told) = follow(&two);
    wait_until_trusted(&two, &told);
    for _ in 0..3 {
        let before = two.version().unwrap();
        assert!(cut_all(&mut client) >= 1);
        one.project("in the gap", None);
        let committed = SystemClock::new();
        while two.version().unwrap() == before {
            assert!(
                committed.elapsed() < SECOND,
                "an old version after a second"
            );
            std::thread::yield_now();
        }
        wait_until_trusted(&two, &told);
        assert_ne!(two.version().unwrap(), before, "the gap is not forgotten");
    }
}

#[test]
fn words_of_a_stranger_cost_nothing_but_what_is_kept() {
    let Some((one, two, mut client)) = two_machines() else {
        return;
    };
    let (_following, told) = follow(&two);
    wait_until_trusted(&two, &told);
    // More than are heard at once, some of them as long as the server passes on.
    let junk = "SELECT count(pg_notify(channel, CAST(nth AS TEXT) || repeat('\u{1f5d1};--', CASE WHEN nth > 50
             THEN 1 ELSE 1000 END)))
         FROM generate_series(1, 5000) AS nth,
              unnest(ARRAY['rsr_changed', 'rsr_queued', 'rsr_deleting', 'unknown']) AS channel";
    for _ in 0..2 {
        let before = two.version().unwrap();
        client.batch_execute(junk).unwrap();
        wait_for(&told, |_any| two.version().unwrap() != before);

        let before = two.version().unwrap();
        let id = one.project("after the noise", None);
        let committed = SystemClock::new();
        while two.version().unwrap() == before {
            assert!(
                committed.elapsed() < SECOND,
                "an old version after a second"
            );
            std::thread::yield_now();
        }
        two.snapshot().unwrap().project(id).unwrap();
    }
    wait_until_trusted(&two, &told);
    assert!(!two.is_out_of_touch());
}

#[test]
fn nothing_old_is_answered_where_nobody_looked_for_a_while() {
    let Some((_one, two, _client)) = two_machines() else {
        return;
    };
    let clock = ManualClock::new();
    let settings = _one.database.settings();
    let three = Store::open(&settings, Arc::new(clock.clone())).unwrap();
    let (following, told) = follow(&three);
    wait_until_trusted(&three, &told);
    drop(following);
    // Its thread ends within a beat, and takes the trust along.
    while told.recv_timeout(LONG).is_ok() {}
    let asked = three.version().unwrap();
    assert!(!(0..100_000).contains(&asked), "{asked} was not asked for");
    drop(two);
}

#[test]
fn a_job_that_is_queued_wakes_the_workers_of_other_machines() {
    let example = Example::new(&[None], "1");
    let one = &example.test;
    let settings = one.database.settings();
    if settings.url.sqlite_path().is_some() {
        return;
    }
    let two = Store::open(&settings, Arc::new(ManualClock::new())).unwrap();
    let period = example.period(0).id;
    let (_following, told) = follow(&two);
    wait_until_trusted(&two, &told);
    while told.try_recv().is_ok() {}
    one.project("nothing to work on", None);
    wait_for(&told, |news| {
        assert!(!news.has_queued, "only where a job waits");
        news.has_changed
    });
    one.store.write(|tx| tx.queue_period(period)).unwrap();
    let took = wait_for(&told, |news| news.has_queued);
    println!("woken after {took:?}");
}

fn tracker(store: &Store) -> DeletionTracker<ProjectId> {
    let shared = store
        .shared_deletions()
        .expect("a server has several machines");
    let clock = Arc::new(ManualClock::new());
    DeletionTracker::with_shared(&DeletionSettings::default(), clock, shared)
}

#[test]
fn a_deletion_is_seen_by_the_others_until_it_ends() {
    let Some((one, two, _client)) = two_machines() else {
        return;
    };
    let (_following, told) = follow(&two);
    wait_until_trusted(&two, &told);
    let (here, there) = (tracker(&one.store), tracker(&two));
    let id = ProjectId((1 << 47) + 12_345_678_901);
    while told.try_recv().is_ok() {}
    let first = here.try_begin(id).unwrap();
    wait_for(&told, |news| news.is_deleting);
    let second = here.try_begin(id).unwrap();
    there.refresh().unwrap();
    assert!(there.contains(id) && !there.contains(ProjectId(1)));
    assert_eq!(there.stats().n_elsewhere, 1, "its own are not among them");
    here.refresh().unwrap();
    assert_eq!(here.stats().n_elsewhere, 0);
    drop(first);
    there.refresh().unwrap();
    assert!(there.contains(id), "the second goes on");
    drop(second);
    there.refresh().unwrap();
    assert!(!there.contains(id));
    assert_eq!(here.stats().n_shared_failures, 0);
}

#[test]
fn a_machine_that_dies_lets_go_and_one_that_lost_its_connection_does_not() {
    let Some((one, two, mut client)) = two_machines() else {
        return;
    };
    let (here, there) = (tracker(&one.store), tracker(&two));
    let guard = here.try_begin(ProjectId(7)).unwrap();
    there.refresh().unwrap();
    assert!(there.contains(ProjectId(7)));
    let holders = "SELECT count(pg_terminate_backend(pid, 5000)) FROM (SELECT DISTINCT pid FROM pg_locks
         WHERE locktype = 'advisory' AND mode = 'ShareLock' AND pid <> pg_backend_pid()
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS holder";
    let mut kill = || -> i64 { client.query_one(holders, &[]).unwrap().get(0) };
    assert_eq!(kill(), 1);
    there.refresh().unwrap();
    assert!(
        !there.contains(ProjectId(7)),
        "as of a machine that is gone"
    );
    here.refresh().unwrap();
    there.refresh().unwrap();
    assert!(there.contains(ProjectId(7)), "it lives, and marks anew");
    // The guard that lets go after its connection was lost takes nothing else along.
    let other = here.try_begin(ProjectId(8)).unwrap();
    assert_eq!(kill(), 1);
    drop(guard);
    here.refresh().unwrap();
    there.refresh().unwrap();
    assert!(!there.contains(ProjectId(7)) && there.contains(ProjectId(8)));
    drop(other);
    there.refresh().unwrap();
    assert!(!there.contains(ProjectId(8)) && there.is_idle());
}
