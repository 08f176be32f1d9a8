//! Three services and two workers over one PostgreSQL, and everything that happens to machines: processes that die or stand
//! still for longer than their lease, connections that are cut, a server that crashes. What was acknowledged is there once,
//! what was refused is not, no answer is old, and all totals are those of one process that was told the same.

mod clients;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use postgres::{Client, NoTls};
use rsr_aggregation::Numbers;
use rsr_base::{Clock as _, PeriodId, ProjectId, SystemClock, UserId, system_clock};
use rsr_settings::Settings;
use rsr_store::Store;
use rsr_testkit::{PostgresServer, Seeded};
use rsr_tests::rsr;
use rsr_tests::serving::Server;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::worker::{Tree, plant};
use super::{pass, random, rounds};
use clients::{Fate, Report, Reporter, watch_titles};

const SERVES: usize = 3;
const WORKERS: usize = 2;
/// Trees, each with a client of its own that reports on it, one thing after the other.
const TREES: usize = 3;
/// The lease of a claim.
const LEASE: Duration = Duration::from_secs(1);
/// A process that stands still does so for longer than its lease.
const STILL: Duration = Duration::from_millis(2_500);
const _: () = assert!(STILL.as_millis() > LEASE.as_millis(), "longer than a lease");
/// Between two faults there is at least so much time for traffic.
const CALM: Duration = Duration::from_millis(300);
/// Older than this no answer is.
const SECOND: Duration = Duration::from_secs(1);
/// What comes back does so within this, on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(90);

/// What can happen in a round; a short run has each once.
#[derive(Clone, Copy, Debug)]
enum Fault {
    KillService,
    KillWorker,
    CutConnections,
    CrashDatabase,
    PauseService,
    PauseWorker,
}

const FAULTS: [Fault; 6] = [
    Fault::KillService,
    Fault::PauseWorker,
    Fault::CutConnections,
    Fault::CrashDatabase,
    Fault::PauseService,
    Fault::KillWorker,
];

#[test]
fn on_postgresql() {
    // What was acknowledged is to outlive a crash of the server.
    let Some(server) = PostgresServer::start("synchronous_commit = on", "") else {
        return;
    };
    server.create("machines");
    let (mut random, seed) = random();
    let (n_rounds, is_asked) = rounds();
    let n_rounds = if is_asked { n_rounds } else { 6 };
    let mut story = Story::start(server);
    let is_over = AtomicBool::new(false);
    let n_checked = AtomicU64::new(0);
    let logs = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..TREES)
            .map(|nth| {
                let client = story.client(nth, random.next_u64());
                let is_over = &is_over;
                scope.spawn(move || client.run(is_over))
            })
            .collect();
        let (addresses, project) = (Arc::clone(&story.addresses), story.titled);
        let (over, checked) = (&is_over, &n_checked);
        let watcher = scope.spawn(move || watch_titles(&addresses, project, over, checked));
        // Whatever ends this, ends them.
        let ending = Ending(&is_over);
        for round in 0..n_rounds {
            let fault = match FAULTS.get(round as usize) {
                Some(fault) => *fault,
                None => *random.pick(&FAULTS),
            };
            // Whoever fails ends the run.
            if clients
                .iter()
                .any(std::thread::ScopedJoinHandle::is_finished)
                || watcher.is_finished()
            {
                break;
            }
            pass(
                &*system_clock(),
                CALM + Duration::from_micros(random.below(1_000_000)),
            );
            story.befall(fault, &mut random);
        }
        drop(ending);
        watcher.join().unwrap();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect::<Vec<_>>()
    });
    let what = format!("{n_rounds} rounds, seed {seed}");
    let seen = story.compare(&logs, &what);
    println!(
        "chaos machines: {n_rounds} faults on {SERVES} services and {WORKERS} workers; {seen}; \
         {} changes of a title seen by all within a second",
        n_checked.load(Ordering::Relaxed)
    );
}

/// Tells the clients, when it goes, that it is over.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Where the services listen now: they come back at other ports.
type Addresses = Arc<Mutex<Vec<String>>>;

fn address_of(addresses: &Addresses, nth: usize) -> String {
    let all = addresses.lock().unwrap_or_else(PoisonError::into_inner);
    all[nth].clone()
}

struct Story {
    server: PostgresServer,
    url: String,
    store: Store,
    trees: Vec<Tree>,
    user: UserId,
    /// A project whose title changes all the time.
    titled: ProjectId,
    folders: Vec<TempDir>,
    serves: Vec<Server>,
    workers: Vec<Child>,
    addresses: Addresses,
}

fn variables(url: &str) -> Vec<(String, String)> {
    let lease = LEASE.as_secs().to_string();
    [
        ("RSR_DATABASE_URL", url),
        ("RSR_AGGREGATION_JOB_LEASE", &lease),
        ("RSR_AGGREGATION_RETRY_WAIT", "1"),
        ("RSR_AGGREGATION_RETRY_WAIT_MAX", "2"),
        ("RSR_AGGREGATION_MAX_ATTEMPTS", "50"),
        ("RSR_AGGREGATION_POLL_INTERVAL", "50ms"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn start_worker(folder: &Path, url: &str) -> Child {
    let mut command = rsr(folder);
    let command = command
        .args(["worker", "--workers", "2"])
        .envs(variables(url));
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A store that the services' troubles do not reach: they are not what is tested in it.
fn open(url: &str) -> Store {
    let mut settings = Settings::default().database;
    settings.url = url.parse().unwrap();
    settings.lock_timeout = PATIENCE;
    settings.pool_timeout = PATIENCE;
    Store::open(&settings, system_clock()).unwrap()
}

impl Story {
    fn start(server: PostgresServer) -> Self {
        let url = server.url("machines");
        let store = open(&url);
        let (user, titled, trees) = planted(&store);
        let folders: Vec<_> = (0..SERVES + WORKERS)
            .map(|_| tempfile::tempdir().unwrap())
            .collect();
        let serves: Vec<_> = folders[..SERVES]
            .iter()
            .map(|folder| Server::start_with(folder.path(), &[], variables(&url)))
            .collect();
        let workers = folders[SERVES..]
            .iter()
            .map(|folder| start_worker(folder.path(), &url))
            .collect();
        let addresses = serves
            .iter()
            .map(|serve| serve.address().to_owned())
            .collect();
        Self {
            server,
            url,
            store,
            trees,
            user,
            titled,
            folders,
            serves,
            workers,
            addresses: Arc::new(Mutex::new(addresses)),
        }
    }

    fn client(&self, nth: usize, seed: u64) -> Reporter {
        Reporter {
            nth,
            addresses: Arc::clone(&self.addresses),
            periods: self.trees[nth].periods.clone(),
            user: self.user,
            random: Seeded::new(seed),
            reports: Vec::new(),
        }
    }

    fn befall(&mut self, fault: Fault, random: &mut Seeded) {
        let serve = usize::try_from(random.below(SERVES as u64)).unwrap();
        let worker = usize::try_from(random.below(WORKERS as u64)).unwrap();
        match fault {
            Fault::KillService => {
                // Dropped as it is: a kill -9 in the middle of whatever it does.
                drop(self.serves.remove(serve));
                let folder = self.folders[serve].path();
                let started = Server::start_with(folder, &[], variables(&self.url));
                let address = started.address().to_owned();
                self.serves.insert(serve, started);
                self.addresses
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)[serve] = address;
            }
            Fault::KillWorker => {
                self.workers[worker].kill().unwrap();
                self.workers[worker].wait().unwrap();
                let folder = self.folders[SERVES + worker].path();
                self.workers[worker] = start_worker(folder, &self.url);
            }
            Fault::CutConnections => {
                let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()";
                Client::connect(&self.url, NoTls)
                    .unwrap()
                    .execute(cut, &[])
                    .unwrap();
            }
            Fault::CrashDatabase => {
                self.server.crash();
                self.server.restart();
            }
            Fault::PauseService => {
                stand_still(Pid::from_raw(self.serves[serve].pid().cast_signed()).unwrap());
            }
            Fault::PauseWorker => stand_still(Pid::from_child(&self.workers[worker])),
        }
    }

    /// Waits until all is worked off, and compares with one process that is told the same.
    fn compare(&mut self, logs: &[Vec<Report>], what: &str) -> String {
        let clock = SystemClock::new();
        while self.n_unfinished() > 0 {
            assert!(
                clock.elapsed() < PATIENCE,
                "{what}: {} jobs are left",
                self.n_unfinished()
            );
            pass(&clock, Duration::from_millis(20));
        }
        let kept = self.kept();
        let folder = tempfile::tempdir().unwrap();
        let alone = open(&format!(
            "sqlite://{}",
            folder.path().join("rsr.db").display()
        ));
        let (user, _, trees) = planted(&alone);
        let (mut n_kept, mut n_refused, mut n_unknown) = (0, 0, 0);
        for (tree, log) in trees.iter().zip(logs) {
            for report in log {
                let n = kept.get(&report.text).copied().unwrap_or(0);
                match report.fate {
                    Fate::Kept => {
                        assert_eq!(n, u64::from(!report.is_withdrawn), "{what}: {report:?}");
                    }
                    Fate::Refused => assert_eq!(n, 0, "{what}: {report:?}"),
                    Fate::Unknown => assert!(n <= 1, "{what}: {report:?} is there {n} times"),
                }
                match report.fate {
                    Fate::Kept => n_kept += 1,
                    Fate::Refused => n_refused += 1,
                    Fate::Unknown => n_unknown += 1,
                }
                if n == 1 {
                    let new = report.as_new(user, tree.periods[report.place]);
                    alone
                        .write(|tx| tx.create_update(&new))
                        .unwrap_or_else(|error: rsr_store::Error| panic!("{error}"));
                }
            }
        }
        assert_eq!(
            kept.values().sum::<u64>(),
            kept.len() as u64,
            "{what}: each once"
        );
        let shared = open(&self.url);
        for (ours, theirs) in trees.iter().zip(&self.trees) {
            alone.roll_up(ours.top).unwrap();
            for (one, other) in ours.periods.iter().zip(&theirs.periods) {
                let (here, alone) = (numbers(&shared, *other), numbers(&alone, *one));
                assert_eq!(
                    here, alone,
                    "{what}: period {other} of many machines, {one} of one"
                );
            }
        }
        let mut findings = Vec::new();
        let snapshot = shared.snapshot().unwrap();
        snapshot
            .audit(None, &AtomicBool::new(false), &mut |row| {
                findings.push(row);
                Ok(())
            })
            .unwrap();
        assert!(findings.is_empty(), "{what}: {findings:?}");
        self.answers_are_equal(&shared, what);
        format!(
            "{n_kept} reports acknowledged, {n_refused} refused, {n_unknown} unanswered: each there once or not at all"
        )
    }

    /// Each service answers what is stored.
    fn answers_are_equal(&self, shared: &Store, what: &str) {
        for tree in &self.trees {
            let top = tree.periods[0];
            let stored = numbers(shared, top).value;
            for serve in &self.serves {
                let answer = serve.get(&format!("/api/v1/periods/{top}/"));
                let answer: Value = serde_json::from_str(&answer.body).unwrap();
                let value = stored.map(|value| value.to_string());
                assert_eq!(
                    answer["value"].as_str(),
                    value.as_deref(),
                    "{what}: {answer}"
                );
            }
        }
    }

    fn n_unfinished(&self) -> u64 {
        let counts = self
            .store
            .snapshot()
            .and_then(|snapshot| snapshot.job_counts());
        // This process's own connections were cut too.
        let Ok(counts) = counts else { return u64::MAX };
        counts
            .iter()
            .filter(|(state, _)| *state != "finished")
            .map(|(_, n)| n)
            .sum()
    }

    /// How often each report is stored, by its text.
    fn kept(&self) -> BTreeMap<String, u64> {
        let mut client = Client::connect(&self.url, NoTls).unwrap();
        let mut kept = BTreeMap::new();
        for row in client.query("SELECT text FROM updates", &[]).unwrap() {
            *kept.entry(row.get(0)).or_default() += 1;
        }
        kept
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            // It may have ended by itself.
            drop(worker.kill());
            drop(worker.wait());
        }
    }
}

/// The same projects in any database: a user, a project with a title, the trees.
fn planted(store: &Store) -> (UserId, ProjectId, Vec<Tree>) {
    let made = store.write(|tx| {
        let user = tx.create_user("reporter", None, false)?;
        let titled = tx.create_project(&rsr_store::NewProject {
            title: "Version 0".to_owned(),
            is_published: true,
            ..rsr_store::NewProject::default()
        })?;
        let trees = (0..TREES).map(|nth| plant(tx, nth));
        let trees = trees.collect::<Result<Vec<_>, _>>()?;
        for period in trees.iter().flat_map(|tree| &tree.periods) {
            let shown = rsr_store::ProjectEdit {
                is_published: Some(true),
                ..rsr_store::ProjectEdit::default()
            };
            let project = tx.project_of_period(*period)?;
            tx.edit_project(project, &shown)?;
        }
        Ok::<_, rsr_store::Error>((user, titled, trees))
    });
    made.unwrap()
}

/// What stands at a period.
fn numbers(store: &Store, period: PeriodId) -> Numbers {
    let snapshot = store.snapshot().unwrap();
    let project = snapshot.project_of_period(period).unwrap();
    snapshot.results(project, None, 1).unwrap()[0].indicators[0].periods[0].numbers
}

fn stand_still(pid: Pid) {
    kill_process(pid, Signal::STOP).unwrap();
    pass(&*system_clock(), STILL);
    kill_process(pid, Signal::CONT).unwrap();
}
