//! Who asks for what, each client on a thread of its own until time is up.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rsr_base::SharedClock;
use rsr_testkit::Forest;
use rsr_tests::run;

use super::client::{Client, Reading, Tally};
use crate::chaos::pass;

/// Pause of a client that was refused: it need not obey `Retry-After` to the second to be realistic.
const REFUSED: Duration = Duration::from_millis(500);
/// How far those that make load go behind the one that measures.
const NICENESS: i32 = 10;
/// After so many a client has seen enough: the service may be gone, and nobody would come to an end.
const VIOLATIONS_MAX: usize = 100;
/// Time between two light requests.
const LIGHT_EVERY: Duration = Duration::from_millis(20);

/// The light routes, asked in turn.
pub(super) const LIGHT: [&str; 3] = ["/metrics/", "/health/live", "/health/memory"];

/// One kind of traffic.
#[derive(Clone, Copy, Debug)]
pub(super) enum Traffic {
    /// Health and metrics in turn, each answer timed from the request's first byte to the answer's last.
    Light,
    /// All children of the wide node, a page after the other.
    Children,
    /// Everything below project 1: the first client reads each to its end, the others hang up after 64 MiB.
    Stream,
    /// The same by a reader of about 200 KB a second, who hangs up after a few megabytes.
    SlowStream,
    /// Everything as IATI.
    Export,
    /// Files of activities, each time changed, through the program beside the service.
    Imports,
    /// Reports and their approval.
    Approvals,
    /// Small branches, made and deleted.
    Deletes,
    /// What an operator asks, heap profiles among it.
    Admin,
}

/// What every client is told.
pub(super) struct Field<'f> {
    pub(super) address: &'f str,
    pub(super) folder: &'f Path,
    pub(super) clock: SharedClock,
    pub(super) is_over: AtomicBool,
    /// Periods that are reported on, and who reports.
    pub(super) periods: &'f [i64],
    pub(super) user: i64,
}

impl Field<'_> {
    /// Runs these clients side by side for so long, and answers what they saw.
    pub(super) fn run(&self, clients: &[Traffic], lasts: Duration) -> Tally {
        self.is_over.store(false, Ordering::Relaxed);
        std::thread::scope(|scope| {
            let all: Vec<_> = clients
                .iter()
                .enumerate()
                .map(|(nth, traffic)| {
                    let is_first = !clients
                        .iter()
                        .take(nth)
                        .any(|other| matches!(other, Traffic::Stream));
                    scope.spawn(move || self.client(nth, *traffic, is_first))
                })
                .collect();
            pass(&*self.clock, lasts);
            self.is_over.store(true, Ordering::Relaxed);
            let mut sum = Tally::default();
            for client in all {
                sum.add(client.join().unwrap());
            }
            sum
        })
    }

    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    fn client(&self, nth: usize, traffic: Traffic, is_first: bool) -> Tally {
        if !matches!(traffic, Traffic::Light) {
            // On machines of their own they would not hold up the one that measures: here they and the programs they start go
            // behind it.
            rustix::process::setpriority_process(None, NICENESS).unwrap();
        }
        let mut client = Client::new(self.address, &self.clock);
        let mut round = 0_u64;
        // The first of them reads to the end, however long that takes.
        let is_first = is_first && matches!(traffic, Traffic::Stream);
        while self.goes_on() || (is_first && client.tally.n_whole == 0) {
            if client.tally.violations.len() > VIOLATIONS_MAX {
                break;
            }
            round += 1;
            match traffic {
                Traffic::Light => self.light(&mut client, round),
                Traffic::Children => self.children(&mut client),
                Traffic::Stream if is_first => self.stream(&mut client, Reading::default()),
                Traffic::Stream => self.stream(
                    &mut client,
                    Reading {
                        pause: None,
                        at_most: Some(64 << 20),
                    },
                ),
                Traffic::SlowStream => self.stream(
                    &mut client,
                    Reading {
                        pause: Some(Duration::from_millis(80)),
                        at_most: Some(2 << 20),
                    },
                ),
                Traffic::Export => {
                    let path = "/api/v1/iati/activities.xml";
                    self.patiently(&mut client, path, Reading::default());
                }
                Traffic::Imports => self.import(&mut client.tally, nth, round),
                Traffic::Approvals => self.approve(&mut client, round),
                Traffic::Deletes => self.delete(&mut client),
                Traffic::Admin => self.administer(&mut client.tally, round),
            }
        }
        client.tally
    }

    /// Asks, and waits a little where it was refused.
    fn patiently(
        &self,
        client: &mut Client,
        path: &str,
        reading: Reading,
    ) -> Option<super::client::Answer> {
        let answer = client.get(path, reading)?;
        if answer.status == 503 {
            pass(&*self.clock, REFUSED);
        }
        Some(answer)
    }

    fn light(&self, client: &mut Client, round: u64) {
        let nth = usize::try_from(round).unwrap_or_default() % LIGHT.len();
        let path = LIGHT[nth];
        if let Some(answer) = client.get(path, Reading::default()) {
            client.tally.light.push((path, answer.took));
        }
        pass(&*self.clock, LIGHT_EVERY);
    }

    fn children(&self, client: &mut Client) {
        let wide = Forest::WIDE;
        let mut path = Some(format!("/api/v1/projects/{wide}/children/?max_depth=1"));
        while let Some(page) = path.take().filter(|_page| self.goes_on()) {
            let answer = self.patiently(client, &page, Reading::default());
            path = match answer {
                Some(answer) if answer.status == 503 => Some(page),
                Some(answer) => answer.next,
                None => None,
            };
        }
    }

    fn stream(&self, client: &mut Client, reading: Reading) {
        let path = "/api/v1/projects/1/descendants/";
        let answer = self.patiently(client, path, reading);
        if let Some(answer) = answer.filter(|answer| answer.status == 200 && answer.is_whole) {
            client.tally.n_whole += 1;
            client.tally.largest = client.tally.largest.max(answer.n_bytes);
        }
    }

    fn import(&self, tally: &mut Tally, nth: usize, round: u64) {
        let name = format!("soak-{nth}.xml");
        fs::write(self.folder.join(&name), activities(nth, 50, round)).unwrap();
        let said = run(self.folder, ["import", "iati", &name, "--quiet"]);
        // 3: another writer held the database for all the time that is waited.
        if ![0, 3].contains(&said.code) {
            tally
                .violations
                .push(format!("import: exit {}: {}", said.code, said.err));
        }
        pass(&*self.clock, Duration::from_millis(1_500));
    }

    fn approve(&self, client: &mut Client, round: u64) {
        let nth = usize::try_from(round).unwrap_or_default() % self.periods.len();
        let path = format!("/api/v1/periods/{}/updates/", self.periods[nth]);
        let report = format!("{{\"user\": {}, \"value\": \"{round}.25\"}}", self.user);
        let made = client.ask("POST", &path, &report, Reading::default());
        let update = made.and_then(|answer| answer.location);
        if let Some(update) = update {
            client.ask("PATCH", &update, "{\"status\": \"A\"}", Reading::default());
        }
        pass(&*self.clock, Duration::from_millis(100));
    }

    fn delete(&self, client: &mut Client) {
        let mut top = None;
        let mut parent = String::from("null");
        for _level in 0..3 {
            let project = format!("{{\"title\": \"Short-lived\", \"parent\": {parent}}}");
            let made = client.ask("POST", "/api/v1/projects/", &project, Reading::default());
            let Some(location) = made.and_then(|answer| answer.location) else {
                break;
            };
            let id = location.trim_end_matches('/').rsplit('/').next();
            parent = id.unwrap_or("null").to_owned();
            top.get_or_insert(location);
        }
        if let Some(top) = top {
            client.ask("DELETE", &top, "", Reading::default());
        }
        pass(&*self.clock, Duration::from_millis(200));
    }

    fn administer(&self, tally: &mut Tally, round: u64) {
        let commands: [&[&str]; 9] = [
            &["cache", "stats", "--json"],
            &["memory", "summary", "--json"],
            &["memory", "start-profiling", "--json"],
            &["jobs", "list", "--json"],
            &["deletions", "stats"],
            &["memory", "status"],
            &["memory", "health-check"],
            &["cache", "clear"],
            &["memory", "report", "--format", "json"],
        ];
        let nth = usize::try_from(round).unwrap_or_default() % commands.len();
        let said = run(self.folder, commands[nth]);
        // 1: a check that finds the service short of memory is a finding and no failure.
        if ![0, 1].contains(&said.code) {
            let what = format!("rsr {:?}: exit {}: {}", commands[nth], said.code, said.err);
            tally.violations.push(what);
        }
        if let Some(id) = said
            .out
            .split_once("profile_id\":\"")
            .and_then(|(_, rest)| rest.split('"').next())
        {
            let stopped = run(
                self.folder,
                ["memory", "stop-profiling", "--profile-id", id],
            );
            if ![0, 3].contains(&stopped.code) {
                tally.violations.push(format!(
                    "stop-profiling: exit {}: {}",
                    stopped.code, stopped.err
                ));
            }
        }
        pass(&*self.clock, Duration::from_millis(700));
    }
}

/// A file of activities of the standard; another round is another version of the same.
pub(super) fn activities(nth: usize, n: usize, round: u64) -> String {
    let mut text = String::from("<iati-activities version=\"2.03\">\n");
    let words = "Water for all, wells and pipes for the villages of the district. ".repeat(30);
    for activity in 0..n {
        text.push_str(&format!(
            "<iati-activity default-currency=\"EUR\"><iati-identifier>XM-SOAK-{nth}-{activity}</iati-identifier>\
             <reporting-org ref=\"XM-SOAK\" type=\"10\"><narrative>Us</narrative></reporting-org>\
             <title><narrative>Wells {activity}, version {round}</narrative></title>\
             <description><narrative>{words}</narrative></description>\
             <participating-org role=\"1\" type=\"10\"><narrative>Them</narrative></participating-org>\
             <activity-status code=\"2\"/><activity-date type=\"2\" iso-date=\"2024-01-01\"/></iati-activity>\n"
        ));
    }
    text.push_str("</iati-activities>\n");
    text
}
