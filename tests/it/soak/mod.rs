//! The service under more than it can take, in less memory than it would like: it sheds, and is never killed.
//!
//! Two stories over one generated forest, in a memory control group where one can be made:
//!
//! - *crowd*: twenty clients read a wide node, stream everything below the top and export everything, all at once.
//! - *mixed*: readers fast and slow, exports, imports, approvals, deletes, an operator's commands and heap profiles.
//!
//! Both run shortly with every test run, where no time is judged. `cargo xtask soak --minutes N` runs them over a million
//! projects for so long and judges times too. Light answers are timed by the client, from the first byte of the request to
//! the last of the answer, one every 20 ms on one kept connection; the 99th percentile is the value that one in a hundred of
//! all of them exceeds. The clients share the machine with the server, and their cost counts; those that make load go behind
//! (niceness 10) the one that measures.

mod client;
mod load;
mod service;

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rsr_base::{SharedClock, system_clock};
use rsr_settings::Settings;
use rsr_store::{NewIndicator, NewPeriod, NewProject, NewResult, Store};
use rsr_testkit::Forest;
use rsr_tests::serving::ask;
use rsr_tests::{run, run_expecting};
use serde_json::{Value, json};

use crate::chaos::{asked, pass};
use client::Tally;
use load::{Field, LIGHT, Traffic, activities};
use service::Service;

/// Activities that an export sends.
const ACTIVITIES: usize = 2_000;
/// Periods that are reported on, one below the other.
const PERIODS: usize = 12;
/// Load of a run where nobody measures.
const SHORT: Duration = Duration::from_secs(8);
/// Load before the first figure, at most, where it is measured: what is made once and kept is there then.
const WARM_UP: Duration = Duration::from_secs(180);
/// Time without load that the light routes are compared with.
const IDLE: Duration = Duration::from_secs(20);
/// What a return to normal may take.
const BACK_WITHIN: Duration = Duration::from_secs(30);
/// The same where nobody measures, on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn twenty_clients_at_once_are_shed_and_the_service_lives() {
    let crowd = [Traffic::Children; 7]
        .into_iter()
        .chain([Traffic::Stream; 7])
        .chain([Traffic::Export; 6])
        .chain([Traffic::Light])
        .collect::<Vec<_>>();
    let told = Soak::prepare("crowd").run(&crowd);
    assert!(told.is_good(), "{}", told.text());
}

#[test]
fn mixed_traffic_leaves_the_service_as_it_was() {
    let mixed = [
        Traffic::Light,
        Traffic::Children,
        Traffic::Children,
        Traffic::Stream,
        Traffic::SlowStream,
        Traffic::SlowStream,
        Traffic::Export,
        Traffic::Imports,
        Traffic::Approvals,
        Traffic::Deletes,
        Traffic::Admin,
    ];
    let told = Soak::prepare("mixed").run(&mixed);
    assert!(told.is_good(), "{}", told.text());
}

/// A service over data, before its load.
struct Soak {
    story: &'static str,
    folder: tempfile::TempDir,
    clock: SharedClock,
    is_measured: bool,
    lasts: Duration,
    forest: Forest,
    periods: Vec<i64>,
    user: i64,
}

/// One line of the outcome.
struct Line {
    what: &'static str,
    seen: String,
    wanted: String,
    is_good: bool,
}

/// What a story came to.
struct Told {
    story: &'static str,
    about: String,
    lines: Vec<Line>,
    violations: Vec<String>,
}

impl Soak {
    fn prepare(story: &'static str) -> Self {
        let minutes: Option<f64> = asked("RSR_SOAK_MINUTES");
        let forest = match minutes {
            Some(_) => Forest::full(),
            None => Forest {
                n_projects: 20_000,
                n_wide: 4_000,
                n_levels: 500,
            },
        };
        let folder = tempfile::tempdir().unwrap();
        let (periods, user) = filled(folder.path(), forest);
        Self {
            story,
            folder,
            clock: system_clock(),
            is_measured: minutes.is_some(),
            lasts: minutes.map_or(SHORT, |minutes| Duration::from_secs_f64(minutes * 60.0)),
            forest,
            periods,
            user,
        }
    }

    fn run(self, clients: &[Traffic]) -> Told {
        let service = Service::start(self.folder.path());
        let field = Field {
            address: service.server.address(),
            folder: self.folder.path(),
            clock: SharedClock::clone(&self.clock),
            is_over: AtomicBool::new(false),
            periods: &self.periods,
            user: self.user,
        };
        // Threads, statements, connections, names of call stacks.
        let warm_up = if self.is_measured { WARM_UP } else { SHORT };
        field.run(clients, self.lasts.min(warm_up));
        self.settled(&service);
        let idle = field.run(
            &[Traffic::Light],
            if self.is_measured { IDLE } else { SHORT / 8 },
        );
        // After a calm time, as the last figure is: what load leaves for a while is gone by then.
        let heap_before = service.heap();
        let mut seen = field.run(clients, self.lasts);
        let after = self.clock.elapsed();
        let is_settled = self.settled(&service);
        let back = self.clock.elapsed().saturating_sub(after);
        let afterwards = field.run(
            &[Traffic::Light],
            if self.is_measured { IDLE } else { SHORT / 8 },
        );
        let heap_after = service.heap();
        let lines = self.judge(
            &Figures {
                service: &service,
                idle: percentile(&idle, None),
                loaded: percentile(&seen, None),
                by_route: by_route(&seen, &idle),
                afterwards: percentile(&afterwards, None),
                n_light: seen.light.len(),
                heap_before,
                heap_after,
                is_settled,
                back,
            },
            &seen,
        );
        seen.violations.extend(idle.violations);
        seen.violations.extend(afterwards.violations);
        let mut told = Told {
            story: self.story,
            about: format!(
                "{} clients for {:.0} s over {} projects, a node of {} children and {ACTIVITIES} activities, under {}; \
                 {} answers, {:.1} GB",
                clients.len(),
                self.lasts.as_secs_f64(),
                self.forest.n_projects,
                self.forest.n_wide,
                service.held_by(),
                seen.statuses.values().sum::<u64>(),
                gigabytes(seen.n_bytes),
            ),
            lines,
            violations: seen.violations,
        };
        told.caches(&service);
        let (code, log) = service.server.stop();
        told.line("stops cleanly", format!("exit {code}"), "exit 0", code == 0);
        told.audit(self.folder.path());
        if code != 0 {
            told.violations.push(log);
        }
        told.publish();
        told
    }

    /// Waits until nothing is under way and nothing is short. Answers whether that came in time.
    fn settled(&self, service: &Service) -> bool {
        let began = self.clock.elapsed();
        let patience = if self.is_measured {
            BACK_WITHIN
        } else {
            PATIENCE
        };
        loop {
            let is_calm = service.metric("rsr_memory_pressure_level ") == 0
                && service.metric("rsr_memory_reserved_bytes{pool=\"requests\"}") == 0
                && service.metric("rsr_memory_reserved_bytes{pool=\"exports\"}") == 0
                && service.metric("rsr_requests_in_flight ") <= 1
                && run(self.folder.path(), ["jobs", "list", "--json"])
                    .out
                    .lines()
                    .all(|line| !line.contains("\"scheduled\"") && !line.contains("\"running\""));
            if is_calm {
                return true;
            }
            if self.clock.elapsed().saturating_sub(began) > patience {
                return false;
            }
            pass(&*self.clock, Duration::from_millis(200));
        }
    }

    fn judge(&self, figures: &Figures<'_>, seen: &Tally) -> Vec<Line> {
        let service = figures.service;
        let mut lines = Vec::new();
        let mut line = |what, seen: String, wanted: String, is_good| {
            lines.push(Line {
                what,
                seen,
                wanted,
                is_good,
            });
        };
        let n_killed = service.n_killed();
        line(
            "killed by the kernel",
            n_killed.to_string(),
            "0".to_owned(),
            n_killed == 0,
        );
        let peak = service.peak_bytes();
        line(
            "most memory",
            format!(
                "{} MiB ({} MiB resident)",
                peak >> 20,
                service.peak_resident() >> 20
            ),
            format!("at most {} MiB", service::LIMIT_MIB),
            peak <= service::LIMIT_MIB << 20,
        );
        let n_odd = seen.violations.len();
        line(
            "answers of 5xx without Retry-After, or broken off",
            n_odd.to_string(),
            "0".to_owned(),
            n_odd == 0,
        );
        line(
            "answers",
            format!(
                "{} × 2xx, {} × 503 with Retry-After",
                seen.n(200) + seen.n(201),
                seen.n(503)
            ),
            "some of 2xx".to_owned(),
            seen.n(200) > 0,
        );
        line(
            "streams of all descendants that were read to their end",
            format!("{}, of {} MiB", seen.n_whole, seen.largest >> 20),
            "at least 1".to_owned(),
            seen.n_whole > 0,
        );
        // Where nobody measures, nobody judges a time: the machine may be doing anything.
        let judges = self.is_measured;
        let (loaded, idle) = (figures.loaded, figures.idle);
        let (limit, said) = match self.story {
            "crowd" => (Duration::from_millis(50), "below 50 ms".to_owned()),
            _ => (
                idle * 3,
                format!("within 3 × of idle, {:.1} ms", millis(idle * 3)),
            ),
        };
        line(
            "light routes, 99th percentile",
            format!(
                "{:.1} ms of {} answers ({:.2} × idle, {:.1} ms)",
                millis(loaded),
                figures.n_light,
                loaded.as_secs_f64() / idle.as_secs_f64().max(1e-9),
                millis(idle)
            ),
            said,
            !judges || loaded <= limit,
        );
        line(
            "the same by route",
            figures.by_route.clone(),
            "of interest".to_owned(),
            true,
        );
        line(
            "back to normal",
            if figures.is_settled {
                format!("after {:.1} s", figures.back.as_secs_f64())
            } else {
                "not".to_owned()
            },
            format!("within {} s", BACK_WITHIN.as_secs()),
            figures.is_settled,
        );
        line(
            "light routes afterwards",
            format!("{:.1} ms", millis(figures.afterwards)),
            "of interest".to_owned(),
            true,
        );
        let (before, after) = (figures.heap_before, figures.heap_after);
        // A short run has hardly warmed up: what it keeps is bounded and not yet all there.
        let room = if judges { before / 20 } else { before };
        line(
            "heap without caches",
            format!(
                "{:.2} MiB before, {:.2} after",
                mebibytes(before),
                mebibytes(after)
            ),
            "back at its level, ± 5 %".to_owned(),
            after.abs_diff(before) <= room,
        );
        lines
    }
}

/// What was measured, before it is judged.
struct Figures<'s> {
    service: &'s Service,
    idle: Duration,
    loaded: Duration,
    by_route: String,
    afterwards: Duration,
    n_light: usize,
    heap_before: u64,
    heap_after: u64,
    is_settled: bool,
    back: Duration,
}

impl Told {
    fn line(&mut self, what: &'static str, seen: String, wanted: &str, is_good: bool) {
        self.lines.push(Line {
            what,
            seen,
            wanted: wanted.to_owned(),
            is_good,
        });
    }

    /// What the caches answer is what the database holds.
    fn caches(&mut self, service: &Service) {
        let paths: Vec<String> = (1..40)
            .flat_map(|id| {
                let path = format!("/api/v1/projects/{id}/");
                [format!("{path}results/"), path]
            })
            .collect();
        let answers = || -> Vec<String> {
            paths
                .iter()
                .map(|path| ask(service.server.address(), path).unwrap().body)
                .collect()
        };
        let (_first, kept) = (answers(), answers());
        run(&service.folder, ["cache", "clear"]);
        let n_different = kept.iter().zip(&answers()).filter(|(a, b)| a != b).count();
        let seen = format!("{n_different} of {} kept answers differ", kept.len());
        self.line("caches are true", seen, "0 differ", n_different == 0);
    }

    fn audit(&mut self, folder: &Path) {
        let said = run(folder, ["audit"]);
        let last = said.out.lines().last().unwrap_or_default().to_owned();
        self.line("audit", last, "clean", said.code == 0);
        let said = run(folder, ["database", "check"]);
        let seen = format!("exit {}", said.code);
        self.line("database check", seen, "sound", said.code == 0);
    }

    fn is_good(&self) -> bool {
        self.lines.iter().all(|line| line.is_good) && self.violations.is_empty()
    }

    fn text(&self) -> String {
        let mut text = format!("soak {}: {}\n", self.story, self.about);
        for line in &self.lines {
            let mark = if line.is_good { "holds" } else { "FAILS" };
            text += &format!(
                "  {mark}  {}: {}; wanted: {}\n",
                line.what, line.seen, line.wanted
            );
        }
        for violation in self.violations.iter().take(20) {
            text += &format!("  seen: {violation}\n");
        }
        text
    }

    fn json(&self) -> Value {
        let lines = self.lines.iter().map(|line| {
            json!({ "what": line.what, "seen": line.seen, "wanted": line.wanted, "holds": line.is_good })
        });
        json!({
            "story": self.story,
            "about": self.about,
            "holds": self.is_good(),
            "lines": lines.collect::<Vec<_>>(),
            "violations": self.violations.iter().take(20).collect::<Vec<_>>(),
        })
    }

    /// Tells whoever asked, and leaves the result where `cargo xtask soak` looks for it.
    #[expect(clippy::print_stdout, reason = "what was seen is for whoever asked")]
    fn publish(&self) {
        println!("{}", self.text());
        if let Some(folder) = asked::<String>("RSR_SOAK_RESULTS") {
            let file = Path::new(&folder).join(format!("{}.json", self.story));
            fs::write(file, self.json().to_string()).unwrap();
        }
    }
}

/// The data in this folder: made there, or copied from where a measured story before this one has left it. A million projects
/// take minutes to make.
fn filled(folder: &Path, forest: Forest) -> (Vec<i64>, i64) {
    let Some(kept) = asked::<String>("RSR_SOAK_RESULTS") else {
        return fill(folder, forest);
    };
    let (database, about) = (
        Path::new(&kept).join("forest.db"),
        Path::new(&kept).join("forest.json"),
    );
    if !about.exists() {
        let made = fill(folder, forest);
        fs::copy(folder.join("rsr.db"), &database).unwrap();
        fs::write(&about, json!(made).to_string()).unwrap();
        return made;
    }
    fs::copy(&database, folder.join("rsr.db")).unwrap();
    serde_json::from_str::<Value>(&rsr_tests::documents::read(&about))
        .ok()
        .and_then(|made| {
            let periods = made[0].as_array()?.iter().map(Value::as_i64);
            Some((periods.collect::<Option<Vec<_>>>()?, made[1].as_i64()?))
        })
        .unwrap()
}

/// A forest, activities, and periods one below the other to report on; answers the periods and who reports.
fn fill(folder: &Path, forest: Forest) -> (Vec<i64>, i64) {
    let path = folder.join("rsr.db");
    let mut settings = Settings::default().database;
    settings.url = format!("sqlite://{}", path.display()).parse().unwrap();
    let store = Store::open(&settings, system_clock()).unwrap();
    let filled =
        rusqlite::Connection::open(&path).and_then(|db| db.execute_batch(&forest.sqlite()));
    filled.unwrap();
    let made = store.write(|tx| {
        tx.rebuild_positions()?;
        let user = tx.create_user("reporter", None, false)?;
        let mut periods = Vec::new();
        let mut projects = Vec::new();
        for level in 0..PERIODS {
            projects.push(tx.create_project(&NewProject {
                parent: projects.last().copied(),
                title: format!("Level {level}"),
                is_published: true,
                ..NewProject::default()
            })?);
        }
        // What is made at the top is copied to all below it.
        let result = tx.create_result(&NewResult {
            project: projects[0],
            kind: "1".to_owned(),
            title: "Water".to_owned(),
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
            title: "Wells".to_owned(),
            description: String::new(),
        })?;
        tx.create_period(&NewPeriod {
            indicator,
            start: None,
            end: Some("2030-12-31".to_owned()),
            target_value: String::new(),
        })?;
        for project in &projects {
            let results = tx.results(*project, None, 1)?;
            periods.push(results[0].indicators[0].periods[0].id.0);
        }
        Ok::<_, rsr_store::Error>((periods, user.0))
    });
    drop(store);
    fs::write(
        folder.join("all.xml"),
        activities(usize::MAX, ACTIVITIES, 0),
    )
    .unwrap();
    run_expecting(folder, 0, ["import", "iati", "all.xml", "--quiet"]);
    let store = Store::open(&settings, system_clock()).unwrap();
    store.checkpoint().unwrap();
    made.unwrap()
}

/// The time that one answer in a hundred exceeds, of one light route or of all.
fn percentile(tally: &Tally, route: Option<&str>) -> Duration {
    let asked = |path: &str| route.is_none_or(|route| route == path);
    let light = tally.light.iter().filter(|(path, _took)| asked(path));
    let mut times: Vec<Duration> = light.map(|(_path, took)| *took).collect();
    times.sort_unstable();
    let place = (times.len() * 99).div_ceil(100).saturating_sub(1);
    times.get(place).copied().unwrap_or_default()
}

/// The same of each light route, under load and idle, in words.
fn by_route(loaded: &Tally, idle: &Tally) -> String {
    let each = LIGHT.map(|route| {
        let of = |tally| millis(percentile(tally, Some(route)));
        format!("{route} {:.1} ms ({:.1} idle)", of(loaded), of(idle))
    });
    each.join(", ")
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}
