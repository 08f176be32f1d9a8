//! Whoever reports, and whoever watches, while machines fail: through any service, and with a note of each answer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rsr_aggregation::{Hundredths, Numbers};
use rsr_base::{Clock as _, PeriodId, ProjectId, SystemClock, UserId};
use rsr_store::{NewUpdate, UpdateStatus};
use rsr_testkit::Seeded;
use rsr_tests::serving::{Response, exchange};
use serde_json::{Value, json};

use super::{Addresses, PATIENCE, SECOND, SERVES, address_of};

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was acknowledged.
    Kept,
    /// It was answered that it was not kept, and may be sent again.
    Refused,
    /// No answer came.
    Unknown,
}

#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) text: String,
    /// Which period of the tree.
    pub(super) place: usize,
    pub(super) hundredths: i128,
    pub(super) fate: Fate,
    pub(super) is_withdrawn: bool,
}

impl Report {
    pub(super) fn as_new(&self, user: UserId, period: PeriodId) -> NewUpdate {
        NewUpdate {
            period,
            user,
            status: UpdateStatus::Approved,
            numbers: Numbers::of_value(Hundredths::from_hundredths(self.hundredths)),
            text: self.text.clone(),
            narrative: String::new(),
            score: None,
            scores: Vec::new(),
            disaggregations: Vec::new(),
        }
    }
}

/// Somebody who reports on one tree, changes and withdraws reports, and reads, through any service.
pub(super) struct Reporter {
    pub(super) nth: usize,
    pub(super) addresses: Addresses,
    pub(super) periods: Vec<PeriodId>,
    pub(super) user: UserId,
    pub(super) random: Seeded,
    pub(super) reports: Vec<(Report, Option<i64>)>,
}

impl Reporter {
    pub(super) fn run(mut self, is_over: &AtomicBool) -> Vec<Report> {
        while !is_over.load(Ordering::Relaxed) {
            match self.random.below(10) {
                0 => self.change(),
                1 => self.withdraw(),
                2 | 3 => self.read(),
                _ => self.report(),
            }
        }
        self.reports.into_iter().map(|(report, _)| report).collect()
    }

    fn ask(&mut self, method: &str, path: &str, body: &Value) -> Option<Response> {
        let nth = usize::try_from(self.random.below(SERVES as u64)).unwrap();
        let address = address_of(&self.addresses, nth);
        let answer = exchange(&address, method, path, &body.to_string()).ok()?;
        if answer.status == 503 {
            let wait: u64 = answer.header("retry-after").parse().unwrap_or(0);
            assert!(wait > 0, "{method} {path}: {answer:?}");
        }
        Some(answer)
    }

    fn report(&mut self) {
        let place = usize::try_from(self.random.below(self.periods.len() as u64)).unwrap();
        let hundredths = i128::from(self.random.below(1_000)) - 300;
        let text = format!("report {} of tree {}", self.reports.len(), self.nth);
        let value = Hundredths::from_hundredths(hundredths).to_string();
        let body = json!({ "user": self.user.0, "status": "A", "value": value, "text": text });
        let path = format!("/api/v1/periods/{}/updates/", self.periods[place]);
        let (fate, id) = match self.ask("POST", &path, &body) {
            None => (Fate::Unknown, None),
            Some(answer) if answer.status == 201 => {
                let made: Value = serde_json::from_str(&answer.body).unwrap();
                (Fate::Kept, made["id"].as_i64())
            }
            Some(answer) => {
                assert_eq!(answer.status, 503, "{}", answer.body);
                (Fate::Refused, None)
            }
        };
        let report = Report {
            text,
            place,
            hundredths,
            fate,
            is_withdrawn: false,
        };
        self.reports.push((report, id));
    }

    /// Asks until it is done: what asks for a state may be asked again.
    fn insist(&mut self, method: &str, path: &str, body: &Value) {
        let began = SystemClock::new();
        let mut is_first = true;
        loop {
            match self.ask(method, path, body) {
                Some(answer) if answer.status == 200 => return,
                // An attempt before did it, and no answer came.
                Some(answer) if answer.status == 404 && method == "DELETE" && !is_first => return,
                Some(answer) => assert_eq!(answer.status, 503, "{method} {path}: {}", answer.body),
                None => {}
            }
            is_first = false;
            assert!(began.elapsed() < PATIENCE, "{method} {path}: never done");
        }
    }

    fn some_report(&mut self) -> Option<(usize, i64)> {
        let known: Vec<_> = self
            .reports
            .iter()
            .enumerate()
            .filter(|(_, (report, _))| !report.is_withdrawn)
            .filter_map(|(nth, (_, id))| Some((nth, (*id)?)))
            .collect();
        (!known.is_empty()).then(|| *self.random.pick(&known))
    }

    fn change(&mut self) {
        let Some((nth, id)) = self.some_report() else {
            return;
        };
        let hundredths = i128::from(self.random.below(1_000));
        let value = Hundredths::from_hundredths(hundredths).to_string();
        self.insist(
            "PATCH",
            &format!("/api/v1/updates/{id}/"),
            &json!({ "value": value }),
        );
        self.reports[nth].0.hundredths = hundredths;
    }

    fn withdraw(&mut self) {
        let Some((nth, id)) = self.some_report() else {
            return;
        };
        self.insist("DELETE", &format!("/api/v1/updates/{id}/"), &json!({}));
        self.reports[nth].0.is_withdrawn = true;
    }

    fn read(&mut self) {
        let path = format!("/api/v1/periods/{}/", self.periods[0]);
        if let Some(answer) = self.ask("GET", &path, &json!({})) {
            assert!(matches!(answer.status, 200 | 503), "{}", answer.body);
        }
    }
}

/// Changes a title again and again, and sees to it that nobody answers an older one a second later.
pub(super) fn watch_titles(
    addresses: &Addresses,
    project: ProjectId,
    is_over: &AtomicBool,
    n_checked: &AtomicU64,
) {
    let path = format!("/api/v1/projects/{project}/");
    let ask = |nth: usize, method: &str, body: &Value| {
        exchange(
            &address_of(addresses, nth),
            method,
            &path,
            &body.to_string(),
        )
        .ok()
    };
    let shown = |answer: &Response| {
        let project: Value = serde_json::from_str(&answer.body).unwrap();
        let title = project["title"].as_str().unwrap_or_default();
        title
            .strip_prefix("Version ")
            .and_then(|version| version.parse::<u64>().ok())
            .unwrap()
    };
    let mut version = 0;
    while !is_over.load(Ordering::Relaxed) {
        version += 1;
        let writer = usize::try_from(version).unwrap() % SERVES;
        let change = json!({ "title": format!("Version {version}") });
        let began = SystemClock::new();
        while ask(writer, "PATCH", &change).is_none_or(|answer| answer.status != 200) {
            assert!(
                began.elapsed() < PATIENCE,
                "version {version} is never kept"
            );
        }
        let committed = SystemClock::new();
        for nth in 0..SERVES {
            loop {
                let asked = committed.elapsed();
                if let Some(answer) =
                    ask(nth, "GET", &json!({})).filter(|answer| answer.status == 200)
                {
                    if shown(&answer) >= version {
                        break;
                    }
                    assert!(
                        asked < SECOND,
                        "version {version} asked for after {asked:?}: {}",
                        answer.body
                    );
                }
                assert!(asked < PATIENCE, "service {nth} does not come back");
            }
        }
        n_checked.fetch_add(1, Ordering::Relaxed);
    }
}
