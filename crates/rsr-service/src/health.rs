//! How the parts of the service are, and what is wrong with those that are not well.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rsr_cache::Severity;
use rsr_monitoring::{FindingState, PressureLevel};
use serde::Serialize;

use crate::app::App;
use crate::findings::LEAKS;
use crate::watch::looks_for_leaks;

/// How one part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Ok,
    Warning,
    Disabled,
    Failing,
}

/// One part, and why it is not well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Part {
    pub(crate) state: State,
    pub(crate) reasons: Vec<String>,
}

/// For how long the database is taken to be as well as it was: a check that may have to wait is not made for each of many
/// questions a second.
const DATABASE_KNOWN_FOR: Duration = Duration::from_secs(1);

/// When the database was last seen to answer.
#[derive(Debug, Default)]
pub(crate) struct DatabaseSeen(Mutex<Option<Duration>>);

/// All parts, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Health {
    pub(crate) overall: &'static str,
    pub(crate) parts: std::collections::BTreeMap<&'static str, Part>,
}

impl Health {
    /// Looks at every part. Opens a snapshot of the database, so call it on a thread that may wait.
    pub(crate) fn of(app: &App) -> Self {
        Self::with(app, database(app))
    }

    /// The same without waiting, where the database answered a moment ago.
    pub(crate) fn at_hand(app: &App) -> Option<Self> {
        let seen = *app
            .database_seen
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_known = app.clock.elapsed().saturating_sub(seen?) < DATABASE_KNOWN_FOR;
        is_known.then(|| Self::with(app, part(State::Ok, Vec::new())))
    }

    fn with(app: &App, database: Part) -> Self {
        let parts = [
            ("memory", memory(app)),
            ("leaks", leaks(app)),
            ("caches", caches(app)),
            ("deletions", deletions(app)),
            ("database", database),
            (
                "metrics",
                switched(app.settings().monitoring.prometheus_enabled),
            ),
            ("profiling", switched(app.settings().profiling.enabled)),
        ];
        let is_well = |part: &Part| matches!(part.state, State::Ok | State::Disabled);
        let all_well = parts.iter().all(|(_, part)| is_well(part));
        Self {
            overall: if all_well { "healthy" } else { "degraded" },
            parts: parts.into_iter().collect(),
        }
    }

    /// Whether a part does not do its work.
    pub(crate) fn is_failing(&self) -> bool {
        self.parts.values().any(|part| part.state == State::Failing)
    }
}

fn part(state: State, reasons: Vec<String>) -> Part {
    let state = if reasons.is_empty() { State::Ok } else { state };
    Part { state, reasons }
}

fn switched(is_on: bool) -> Part {
    Part {
        state: if is_on { State::Ok } else { State::Disabled },
        reasons: Vec::new(),
    }
}

fn memory(app: &App) -> Part {
    let pressure = &app.watch.pressure;
    let level = pressure.level();
    if level == PressureLevel::Normal {
        return part(State::Ok, Vec::new());
    }
    let mut reasons = vec![format!("memory pressure is {}", level.name())];
    for consumer in pressure.largest(3) {
        reasons.push(format!("{} holds {}", consumer.name, consumer.held));
    }
    let state = if level >= PressureLevel::Shed {
        State::Failing
    } else {
        State::Warning
    };
    part(state, reasons)
}

fn leaks(app: &App) -> Part {
    if !looks_for_leaks(&app.settings()) {
        return switched(false);
    }
    let book = app.findings.book();
    let open = book.open().filter(|finding| {
        finding.state == FindingState::Confirmed && LEAKS.contains(&finding.observation.indicator)
    });
    let reasons = open.map(|finding| finding.observation.description.clone());
    part(State::Warning, reasons.collect())
}

fn caches(app: &App) -> Part {
    let reasons = app
        .caches
        .registry
        .monitor()
        .findings
        .into_iter()
        .filter(|finding| finding.severity > Severity::Low)
        .map(|finding| match finding.cache {
            Some(cache) => format!("cache {cache}: {}", finding.message),
            None => finding.message,
        })
        .collect();
    part(State::Warning, reasons)
}

fn deletions(app: &App) -> Part {
    let stats = app.deletions.stats();
    let mut reasons = Vec::new();
    let warn_entries = app.settings().deletion.warn_entries as u64;
    if stats.n_active + stats.n_stale >= warn_entries {
        reasons.push(format!(
            "{} deletions are tracked",
            stats.n_active + stats.n_stale
        ));
    }
    if stats.n_stale > 0 {
        reasons.push(format!("{} tracked deletions are stale", stats.n_stale));
    }
    part(State::Warning, reasons)
}

fn database(app: &App) -> Part {
    let answered = app.store.snapshot();
    // One that does not answer is asked anew each time, so that its return is seen at once.
    *app.database_seen
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = answered.is_ok().then(|| app.clock.elapsed());
    match answered {
        Ok(_) => part(State::Ok, Vec::new()),
        Err(error) => {
            tracing::warn!(%error, "the database does not answer the health check");
            part(
                State::Failing,
                vec!["the database does not answer".to_owned()],
            )
        }
    }
}
