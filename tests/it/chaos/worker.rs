//! `rsr worker`, killed while it works the queue off.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rsr_aggregation::{Hundredths, Numbers};
use rsr_base::{Clock as _, PeriodId, ProjectId, SystemClock, UserId, system_clock};
use rsr_settings::Settings;
use rsr_store::{
    NewIndicator, NewPeriod, NewProject, NewResult, NewUpdate, Store, Tx, UpdateStatus,
};
use rsr_testkit::{PostgresDatabase, Seeded};
use rsr_tests::rsr;

use super::place::PATIENCE;
use super::{pass, random, rounds};

/// Trees, each a bush of so many projects.
const TREES: usize = 4;
const PROJECTS: usize = 25;
/// Reports of one round.
const REPORTS: u64 = 120;
/// The lease of a claim, as the workers are told.
pub(super) const LEASE: Duration = Duration::from_secs(1);
/// What recovery may take beyond the lease.
pub(super) const BEYOND: Duration = Duration::from_secs(5);
#[test]
fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("rsr.db").display());
    Story::new(folder.path(), url, Vec::new()).run("SQLite");
}

#[test]
fn on_postgresql() {
    let Some(database) = PostgresDatabase::make() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    Story::new(folder.path(), database.url(), Vec::new()).run("PostgreSQL");
}

/// One tree: its top, and for each project the period that is reported on.
pub(super) struct Tree {
    pub(super) top: ProjectId,
    pub(super) periods: Vec<PeriodId>,
    /// What its top must show once all is done.
    sum: i128,
}

/// Trees that are reported on, and workers that count it.
pub(super) struct Story<'f> {
    folder: &'f Path,
    url: String,
    /// What workers are told beside what all are.
    variables: Vec<(String, String)>,
    store: Store,
    user: UserId,
    trees: Vec<Tree>,
    random: Seeded,
    seed: u64,
    /// Jobs there were before the round.
    n_jobs: usize,
}

impl<'f> Story<'f> {
    pub(super) fn new(folder: &'f Path, url: String, variables: Vec<(String, String)>) -> Self {
        let mut settings = Settings::default().database;
        settings.url = url.parse().unwrap();
        settings.lock_timeout = PATIENCE;
        settings.pool_timeout = PATIENCE;
        let store = Store::open(&settings, system_clock()).unwrap();
        let (user, trees) = store
            .write(|tx| {
                let user = tx.create_user("reporter", None, false)?;
                let trees = (0..TREES).map(|nth| plant(tx, nth));
                let trees = trees.collect::<Result<Vec<_>, _>>()?;
                Ok::<_, rsr_store::Error>((user, trees))
            })
            .unwrap();
        let (random, seed) = random();
        Self {
            folder,
            url,
            variables,
            store,
            user,
            trees,
            random,
            seed,
            n_jobs: 0,
        }
    }

    #[expect(clippy::print_stdout, reason = "what was seen is for whoever asked")]
    fn run(mut self, database: &str) {
        let clock = system_clock();
        let (n_rounds, is_measured) = rounds();
        let patience = if is_measured {
            LEASE + BEYOND
        } else {
            PATIENCE
        };
        let mut n_held = 0;
        let mut slowest = Duration::ZERO;
        for round in 0..n_rounds {
            let what = format!("{database}, round {round}, seed {}", self.seed);
            self.report();
            let mut victim = self.start();
            pass(&*clock, Duration::from_micros(self.random.below(400_000)));
            victim.kill().unwrap();
            victim.wait().unwrap();
            let killed = clock.elapsed();
            if self.count(&["running"]) > 0 {
                n_held += 1;
            }
            let successor = self.start();
            self.wait(patience, &what);
            slowest = slowest.max(clock.elapsed() - killed);
            // One kill, one more run.
            self.check(2, &what);
            stop(successor, &what);
        }
        println!(
            "chaos worker, {database}: {n_rounds} kills, in {n_held} of them jobs were held; \
             slowest recovery {slowest:.1?}; nothing lost, nothing counted twice"
        );
    }

    /// Waits until nothing waits.
    pub(super) fn wait(&self, patience: Duration, what: &str) {
        let clock = SystemClock::new();
        while self.count(&["scheduled", "running", "failed"]) > 0 {
            let waited = clock.elapsed();
            assert!(waited <= patience, "{what}: not done after {waited:?}");
            pass(&clock, Duration::from_millis(10));
        }
    }

    /// Approved reports on periods anywhere, in one transaction.
    pub(super) fn report(&mut self) {
        let mut new = Vec::new();
        for _ in 0..REPORTS {
            let tree = &mut self.trees[usize::try_from(self.random.below(4)).unwrap()];
            let value = i128::from(self.random.below(1_000)) - 300;
            tree.sum += value;
            new.push(NewUpdate {
                period: *self.random.pick(&tree.periods),
                user: self.user,
                status: UpdateStatus::Approved,
                numbers: Numbers::of_value(Hundredths::from_hundredths(value)),
                text: String::new(),
                narrative: String::new(),
                score: None,
                scores: Vec::new(),
                disaggregations: Vec::new(),
            });
        }
        let work = |tx: &mut Tx| {
            new.iter()
                .try_for_each(|new| tx.create_update(new).map(drop))
        };
        self.store.write(work).unwrap();
    }

    pub(super) fn start(&self) -> Child {
        let mut command = rsr(self.folder);
        command
            .envs(self.variables.iter().cloned())
            .args(["worker", "--workers", "2"])
            .env("RSR_DATABASE_URL", &self.url)
            .env("RSR_AGGREGATION_JOB_LEASE", LEASE.as_secs().to_string())
            .env("RSR_AGGREGATION_RETRY_WAIT", "1")
            .env("RSR_AGGREGATION_POLL_INTERVAL", "10ms")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        assert!(first.contains("workers for"), "{first}");
        // What it says after that is read on, so that it never waits for a reader.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        child
    }

    /// Jobs that are in one of these states, at one moment.
    pub(super) fn count(&self, states: &[&str]) -> u64 {
        let snapshot = self.store.snapshot().unwrap();
        let counts = snapshot.job_counts().unwrap();
        let among = |state: &str| states.contains(&state);
        counts
            .iter()
            .filter(|(state, _)| among(state))
            .map(|(_, n)| n)
            .sum()
    }

    /// All was done in so many runs of each job at most, and all sums are right.
    pub(super) fn check(&mut self, runs_max: u64, what: &str) {
        let snapshot = self.store.snapshot().unwrap();
        let jobs = snapshot.jobs(None, 1_000_000).unwrap();
        let n_new = jobs.len() - self.n_jobs;
        assert!(n_new > 0, "{what}: what was reported was queued");
        self.n_jobs = jobs.len();
        for job in jobs {
            assert_eq!(job.state, "finished", "{what}: {job:?}");
            assert!(job.attempts <= runs_max, "{what}: {job:?}");
        }
        let mut findings = Vec::new();
        let audited = snapshot.audit(None, &AtomicBool::new(false), &mut |row| {
            findings.push(row);
            Ok(())
        });
        let n_periods = usize::try_from(audited.unwrap().n_periods).unwrap();
        assert_eq!(n_periods, TREES * PROJECTS, "{what}: all were audited");
        assert!(findings.is_empty(), "{what}: {findings:?}");
        for tree in &self.trees {
            let results = snapshot.results(tree.top, None, 1).unwrap();
            let value = results[0].indicators[0].periods[0].numbers.value;
            let value = value.map_or(0, Hundredths::hundredths);
            assert_eq!(value, tree.sum, "{what}: the sum of all that was reported");
            let written = self.store.roll_up(tree.top).unwrap().periods;
            assert_eq!(written.n_periods_written, 0, "{what}: a fresh computation");
        }
    }
}

/// Asks a worker to stop, which it does cleanly.
pub(super) fn stop(mut worker: Child, what: &str) {
    let pid = rustix::process::Pid::from_child(&worker);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let code = worker.wait().unwrap().code();
    assert_eq!(code, Some(0), "{what}: it stops cleanly");
}

/// A bush: each project hangs below one a third as far down the list.
pub(super) fn plant(tx: &mut Tx, nth: usize) -> Result<Tree, rsr_store::Error> {
    let mut projects: Vec<ProjectId> = Vec::new();
    for place in 0..PROJECTS {
        let parent = place.checked_sub(1).map(|before| projects[before / 3]);
        projects.push(tx.create_project(&NewProject {
            parent,
            title: format!("project {place} of tree {nth}"),
            ..NewProject::default()
        })?);
    }
    let result = tx.create_result(&NewResult {
        project: projects[0],
        kind: "1".to_owned(),
        title: "result".to_owned(),
        description: String::new(),
        aggregation_status: None,
    })?;
    let indicator = tx.create_indicator(&NewIndicator {
        result,
        is_qualitative: false,
        measure: "1".to_owned(),
        is_cumulative: false,
        is_ascending: None,
        has_scores: false,
        title: "indicator".to_owned(),
        description: String::new(),
    })?;
    tx.create_period(&NewPeriod {
        indicator,
        start: None,
        end: Some("2030-12-31".to_owned()),
        target_value: String::new(),
    })?;
    let mut periods = Vec::new();
    for project in &projects {
        let results = tx.results(*project, None, 1)?;
        periods.push(results[0].indicators[0].periods[0].id);
    }
    Ok(Tree {
        top: projects[0],
        periods,
        sum: 0,
    })
}
