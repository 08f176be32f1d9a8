//! A database and the program at it: run, killed at a random moment, and looked at afterwards.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rsr_base::{Clock as _, SystemClock, system_clock};
use rsr_settings::Settings;
use rsr_store::Store;
use rsr_testkit::{PostgresDatabase, Seeded};
use rsr_tests::{Said, rsr};
use tempfile::TempDir;

use super::{pass, random, rounds};

/// What has to come within this, on a machine with other work.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// An empty database of one engine, and a folder for the program.
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) url: String,
    folder: TempDir,
    /// Goes when this does.
    database: Option<PostgresDatabase>,
}

impl Place {
    pub(super) fn sqlite() -> Self {
        Self::file("rsr.db")
    }

    /// A file of this name, below the folder.
    pub(super) fn file(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join(name).display());
        Self {
            name: "SQLite",
            url,
            folder,
            database: None,
        }
    }

    pub(super) fn postgresql() -> Option<Self> {
        let database = PostgresDatabase::make()?;
        let mut place = Self::served(database.url());
        place.database = Some(database);
        Some(place)
    }

    /// A database that some server keeps.
    pub(super) fn served(url: String) -> Self {
        Self {
            name: "PostgreSQL",
            url,
            folder: tempfile::tempdir().unwrap(),
            database: None,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Connections of the test's own, which wait for as long as it takes.
    pub(super) fn store(&self) -> Store {
        let mut settings = Settings::default().database;
        settings.url = self.url.parse().unwrap();
        settings.lock_timeout = PATIENCE;
        settings.pool_timeout = PATIENCE;
        Store::open(&settings, system_clock()).unwrap()
    }

    /// What tells the program of the database. Chunks are small, so that there are many moments between them.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let all = [
            ("RSR_DATABASE_URL", self.url.as_str()),
            ("RSR_DATABASE_LOCK_TIMEOUT", "60"),
            ("RSR_DATABASE_POOL_TIMEOUT", "60"),
            ("RSR_IATI_IMPORT_CHUNK_SIZE", "10"),
            ("RSR_AGGREGATION_JOB_LEASE", "1"),
            ("RSR_AGGREGATION_RETRY_WAIT", "1"),
        ];
        all.map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = rsr(self.folder());
        command.envs(self.variables()).args(arguments);
        command
    }

    /// Runs the program to its end, which has to be this one.
    #[track_caller]
    pub(super) fn run(&self, code: i32, arguments: &[&str], what: &str) -> Said {
        let said = Said::from(self.command(arguments).output().unwrap());
        assert_eq!(
            said.code, code,
            "{what}: {arguments:?}\n--- out\n{}\n--- err\n{}",
            said.out, said.err
        );
        said
    }

    /// The same, and how long that took.
    pub(super) fn timed(&self, arguments: &[&str]) -> Duration {
        let clock = SystemClock::new();
        self.run(0, arguments, "undisturbed");
        clock.elapsed()
    }

    /// Starts the program and kills it, as `kill -9` does, at a moment within the time it takes. Answers whether it was
    /// still at it.
    pub(super) fn kill(&self, arguments: &[&str], takes: Duration, random: &mut Seeded) -> bool {
        let mut victim = self
            .command(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        pass(&SystemClock::new(), moment(takes, random));
        victim.kill().unwrap();
        victim.wait().unwrap().signal() == Some(9)
    }

    /// Works off what waits. Then the database is sound, the tree hangs together, and all sums are right.
    #[track_caller]
    pub(super) fn settle(&self, what: &str) {
        let clock = SystemClock::new();
        while self.n_unfinished() > 0 {
            // What a program that was killed held is free when its lease is over.
            assert!(clock.elapsed() < PATIENCE, "{what}: jobs are left");
            self.run(0, &["jobs", "run"], what);
            pass(&clock, Duration::from_millis(20));
        }
        for arguments in [
            &["database", "check"][..],
            &["project", "check"],
            &["audit"],
        ] {
            self.run(0, arguments, what);
        }
    }

    fn n_unfinished(&self) -> u64 {
        let counts = self.store().snapshot().unwrap().job_counts().unwrap();
        let unfinished = counts.iter().filter(|(state, _)| state != "finished");
        unfinished.map(|(_, n)| n).sum()
    }

    /// All activities, by identifier, as an export gives them.
    pub(super) fn export(&self, what: &str) -> BTreeMap<String, String> {
        self.run(0, &["export", "iati", "-o", "export.xml"], what);
        let text = rsr_tests::documents::read(&self.folder().join("export.xml"));
        let whole = text.split("</iati-activities>").next().unwrap();
        whole
            .split("<iati-activity ")
            .skip(1)
            .map(|activity| {
                let (_, rest) = activity.split_once("<iati-identifier>").unwrap();
                let (identifier, _) = rest.split_once("</iati-identifier>").unwrap();
                (identifier.to_owned(), activity.to_owned())
            })
            .collect()
    }
}

/// A moment within the time that something takes.
pub(super) fn moment(takes: Duration, random: &mut Seeded) -> Duration {
    let micros = u64::try_from(takes.as_micros()).unwrap();
    Duration::from_micros(random.below(micros.max(1)))
}

/// Runs the rounds of a part and says what they came to. A round is told its number and what it is, for messages, and
/// answers whether the fault met the program at work.
#[expect(clippy::print_stdout, reason = "what was seen is for whoever asked")]
pub(super) fn each_round(
    part: &str,
    database: &str,
    mut round: impl FnMut(u32, &mut Seeded, &str) -> bool,
) {
    let (mut random, seed) = random();
    println!("chaos {part}, {database}: seed {seed}");
    let (n_rounds, _) = rounds();
    let mut n_met = 0;
    for nth in 1..=n_rounds {
        let what = format!("{part}, {database}, round {nth}, seed {seed}");
        n_met += u32::from(round(nth, &mut random, &what));
    }
    println!(
        "chaos {part}, {database}: {n_rounds} rounds, {n_met} of them met it at work; nothing lost, nothing half-written"
    );
}
