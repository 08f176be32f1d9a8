//! Workers on a machine whose clock is set, forward and back, while they work and while they are dead.
//!
//! The clock that they see is the machine's and a number of seconds from a file, by a library that stands between them and
//! the system.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rsr_base::SystemClock;
use rsr_testkit::{PostgresDatabase, Seeded, left_out};

use super::pass;
use super::place::{PATIENCE, each_round};
use super::worker::{BEYOND, LEASE, Story, stop};

/// The clock of the program is set by this.
const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static int (*ask)(clockid_t, struct timespec *);
static volatile const long long *seconds;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CLOCK_SET_BY");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *page = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) seconds = page;
}

int clock_gettime(clockid_t which, struct timespec *time) {
    if (!ask) ask = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int done = ask(which, time);
    if (seconds && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) time->tv_sec += *seconds;
    return done;
}
"#;

/// A clock that can be set, of the programs that are started with its variables.
struct Setting {
    file: File,
    seconds: i64,
    variables: Vec<(String, String)>,
}

impl Setting {
    /// `None`, with a word about it, where there is no C compiler.
    fn new(folder: &Path) -> Option<Self> {
        let [source, library, seconds] =
            ["clock.c", "clock.so", "seconds"].map(|name| folder.join(name));
        fs::write(&source, LIBRARY).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]);
        let Ok(made) = compiler.arg(&library).arg(&source).arg("-ldl").output() else {
            left_out("no C compiler is there: no clock was set");
            return None;
        };
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        fs::write(&seconds, 0_i64.to_ne_bytes()).unwrap();
        let variables = [("LD_PRELOAD", &library), ("CLOCK_SET_BY", &seconds)];
        Some(Self {
            file: File::options().write(true).open(&seconds).unwrap(),
            seconds: 0,
            variables: variables
                .map(|(name, path)| (name.to_owned(), path.display().to_string()))
                .into(),
        })
    }

    /// Sets the clock by up to a day, in either direction.
    fn jump(&mut self, random: &mut Seeded) {
        let by = i64::try_from(random.below(86_400)).unwrap() + 2;
        self.set_by(if random.one_in(2) { by } else { -by });
    }

    fn set_by(&mut self, seconds: i64) {
        self.seconds += seconds;
        self.file
            .write_all_at(&self.seconds.to_ne_bytes(), 0)
            .unwrap();
    }
}

#[test]
fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("rsr.db").display());
    story(folder.path(), url, "SQLite");
}

#[test]
fn on_postgresql() {
    let Some(database) = PostgresDatabase::make() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    story(folder.path(), database.url(), "PostgreSQL");
}

fn story(folder: &Path, url: String, database: &str) {
    let Some(mut setting) = Setting::new(folder) else {
        return;
    };
    let clock = SystemClock::new();
    let mut story = Story::new(folder, url, setting.variables.clone());
    let (_, is_measured) = super::rounds();
    let patience = if is_measured {
        LEASE + BEYOND
    } else {
        PATIENCE
    };
    let mut runs_max = 1;
    each_round("clock", database, |nth, random, what| {
        let worker = story.start();
        // Jumps while it works take no job from it.
        for _jump in 0..3 {
            story.report();
            pass(&clock, Duration::from_micros(random.below(50_000)));
            setting.jump(random);
        }
        story.wait(patience, what);
        story.check(runs_max, what);
        // One that is killed is missed a lease later, whatever the clock says by then.
        story.report();
        pass(&clock, Duration::from_micros(random.below(50_000)));
        let mut worker = worker;
        worker.kill().unwrap();
        worker.wait().unwrap();
        let is_met = story.count(&["running"]) > 0;
        setting.set_by(if nth % 2 == 0 { 86_400 } else { -86_400 });
        let successor = story.start();
        story.wait(patience, what);
        runs_max = 2;
        story.check(runs_max, what);
        stop(successor, what);
        is_met
    });
}
