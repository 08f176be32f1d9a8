//! The sections of the dashboard, each written from the service's own state.

use std::fmt::{self, Write};

use rsr_monitoring::{Finding, FindingState, PressureLevel, PressureSteps};
use serde_json::Value;

use super::chart;
use super::range::Range;
use super::text::{Count, Size, Span, Text, percent};
use crate::admin;
use crate::app::App;
use crate::findings::LEAKS;
use crate::health::{Health, State};
use crate::wire::rfc3339;

/// A part of the page that changes by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// Its element, and the name of its events.
    pub(super) id: &'static str,
    pub(super) html: String,
}

/// Ids of all sections, in the order of the page.
pub(super) const IDS: [&str; 9] = [
    "status",
    "figures",
    "memory",
    "pressure",
    "leaks",
    "health",
    "caches",
    "deletions",
    "queue",
];

/// Findings of a list; the rest is counted.
const FINDINGS_MAX: usize = 20;

/// Writes them all, as everything is at this moment. Opens a snapshot of the database: for a thread that may wait.
pub(super) fn all(app: &App, health: &Health, range: Range) -> Vec<Section> {
    let memory = admin::figures(app);
    let section = |id, write: &dyn Fn(&mut String) -> fmt::Result| {
        let mut html = String::new();
        write(&mut html).expect("a String takes whatever is written to it");
        Section { id, html }
    };
    vec![
        section(IDS[0], &|page| status(page, app, health)),
        section(IDS[1], &|page| figures(page, app, &memory)),
        section(IDS[2], &|page| over_time(page, app, &memory, range)),
        section(IDS[3], &|page| pressure(page, app, &memory)),
        section(IDS[4], &|page| leaks(page, app)),
        section(IDS[5], &|page| parts(page, health)),
        section(IDS[6], &|page| caches(page, app)),
        section(IDS[7], &|page| deletions(page, app)),
        section(IDS[8], &|page| queue(page, app)),
    ]
}

fn status(page: &mut String, app: &App, health: &Health) -> fmt::Result {
    write!(
        page,
        "<strong class=\"pill {0}\">{0}</strong> <span class=\"soft\">as of <time>{1}</time>, up {2}</span>",
        health.overall,
        rfc3339(app.clock.wall()),
        Span(app.clock.elapsed())
    )
}

fn figures(page: &mut String, app: &App, memory: &Value) -> fmt::Result {
    let size = |name: &str| {
        memory[name]
            .as_u64()
            .map_or_else(|| "not known".to_owned(), |bytes| Size(bytes).to_string())
    };
    let share = memory["in_use_bytes"]
        .as_u64()
        .zip(memory["limit_bytes"].as_u64())
        .map_or_else(
            || "of a limit that is not known".to_owned(),
            |(used, limit)| format!("{} of {}", percent(used, limit), Size(limit)),
        );
    let requests = app
        .bounds
        .requests_max
        .saturating_sub(app.in_flight.available_permits());
    let readers = app.store.readers();
    let level = app.watch.pressure.level();
    let tiles = [
        ("Memory in use", size("in_use_bytes"), share),
        (
            "Resident",
            size("rss_bytes"),
            format!("peak {}", size("peak_bytes")),
        ),
        (
            "Pressure",
            level.name().to_owned(),
            format!("{} refused so far", Count(app.watch.pressure.n_shed())),
        ),
        (
            "Requests under way",
            requests.to_string(),
            format!("of {} at once", Count(app.bounds.requests_max as u64)),
        ),
        (
            "Streams",
            app.bridge.n_streams().to_string(),
            format!("of {} at once", app.bounds.streams_max),
        ),
        (
            "Database connections",
            readers.n_used.to_string(),
            format!("of {} in use", readers.connections_max),
        ),
    ];
    page.push_str("<dl class=\"tiles\">\n");
    for (name, value, more) in tiles {
        writeln!(
            page,
            "<div><dt>{name}</dt><dd class=\"figure\">{}</dd><dd class=\"soft\">{}</dd></div>",
            Text(&value),
            Text(&more)
        )?;
    }
    page.push_str("</dl>\n");
    Ok(())
}

fn over_time(page: &mut String, app: &App, memory: &Value, range: Range) -> fmt::Result {
    page.push_str("<nav class=\"ranges\" aria-label=\"How far back\">");
    for other in Range::ALL {
        let current = if other == range {
            " aria-current=\"true\""
        } else {
            ""
        };
        write!(
            page,
            "<a href=\"/?range={}\"{current}>{}</a>",
            other.name(),
            other.shown()
        )?;
    }
    page.push_str("</nav>\n");
    chart::write(page, &range.moments(app), memory["limit_bytes"].as_u64())
}

/// The ladder: what each level gives up, where it begins, and how far memory is along it.
fn pressure(page: &mut String, app: &App, memory: &Value) -> fmt::Result {
    let pressure = &app.watch.pressure;
    let steps = PressureSteps::from(&app.settings().memory);
    let used = memory["in_use_bytes"].as_u64().unwrap_or(0);
    let limit = memory["limit_bytes"].as_u64();
    let now = pressure.level();
    let along = limit.map_or(0, |limit| {
        u128::from(used).saturating_mul(1_000) / u128::from(limit.max(1))
    });
    let along = along.min(1_000);
    writeln!(
        page,
        "<svg class=\"ladder {}\" viewBox=\"0 0 1000 40\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{} of the limit in use\">\
         <rect class=\"track\" width=\"1000\" height=\"40\"/><rect class=\"fill\" width=\"{along}\" height=\"40\"/>",
        now.name(),
        limit.map_or_else(
            || "an unknown share".to_owned(),
            |limit| percent(used, limit)
        )
    )?;
    let begins = [steps.reclaim, steps.defer, steps.shed, steps.critical];
    for share in begins {
        let at = share * 1_000.0;
        write!(
            page,
            "<line class=\"step\" x1=\"{at:.0}\" x2=\"{at:.0}\" y1=\"0\" y2=\"40\"/>"
        )?;
    }
    page.push_str("</svg>\n<ol class=\"steps\">\n");
    let gives = [
        (PressureLevel::Reclaim, "caches give back, free pages go"),
        (PressureLevel::Defer, "background work waits, chunks shrink"),
        (PressureLevel::Shed, "heavy requests are refused with 503"),
        (
            PressureLevel::Critical,
            "only health, metrics and administration answer",
        ),
    ];
    for ((level, about), share) in gives.into_iter().zip(begins) {
        let current = if level == now {
            " aria-current=\"step\""
        } else {
            ""
        };
        writeln!(
            page,
            "<li{current}><strong>{}</strong> <span class=\"num\">{:.0} %</span> <span class=\"soft\">{about}</span></li>",
            level.name(),
            share * 100.0
        )?;
    }
    page.push_str("</ol>\n");
    writeln!(
        page,
        "<p class=\"soft\">{} changes of level, {} given back so far.</p>",
        Count(pressure.n_changes()),
        Size(pressure.reclaimed().bytes())
    )?;
    let largest = pressure.largest(3);
    if !largest.is_empty() {
        page.push_str("<p class=\"soft\">Holding most: ");
        for (nth, consumer) in largest.iter().enumerate() {
            let comma = if nth > 0 { ", " } else { "" };
            write!(
                page,
                "{comma}{} {}",
                Text(&consumer.name),
                Size(consumer.held.bytes())
            )?;
        }
        page.push_str(".</p>\n");
    }
    Ok(())
}

fn leaks(page: &mut String, app: &App) -> fmt::Result {
    let known = admin::leaks(app);
    let verdict = known["verdict"].as_str().unwrap_or("unknown").to_owned();
    let class = match verdict.as_str() {
        "none" => "ok",
        "unknown" => "off",
        "suspected" => "warning",
        _ => "failing",
    };
    writeln!(
        page,
        "<p><strong class=\"pill {class}\">{}</strong> {}</p>",
        match verdict.as_str() {
            "none" => "no leak",
            "unknown" => "too early to say",
            word => word,
        },
        Text(known["message"].as_str().unwrap_or_default())
    )?;
    if let Some(trend) = known["trend"].as_object() {
        let number = |name: &str| trend[name].as_f64().unwrap_or(0.0);
        writeln!(
            page,
            "<p class=\"soft\">Trend: {:+.2} MB an hour over {:.1} h.</p>",
            number("slope_mb_per_hour"),
            number("window_seconds") / 3_600.0
        )?;
    }
    let book = app.findings.book();
    let open: Vec<&Finding> = book.open().collect();
    if open.is_empty() {
        page.push_str("<p class=\"empty\">No indicator is open.</p>\n");
        return Ok(());
    }
    page.push_str("<ul class=\"findings\">\n");
    for finding in open.iter().take(FINDINGS_MAX) {
        indicator(page, app, finding)?;
    }
    page.push_str("</ul>\n");
    if open.len() > FINDINGS_MAX {
        writeln!(
            page,
            "<p class=\"soft\">{} more: <code>rsr findings list</code></p>",
            open.len() - FINDINGS_MAX
        )?;
    }
    Ok(())
}

/// One open finding: what grows, where, and the call stack that does it.
fn indicator(page: &mut String, app: &App, finding: &Finding) -> fmt::Result {
    let seen = &finding.observation;
    let is_confirmed = finding.state == FindingState::Confirmed;
    let (class, state) = match (is_confirmed, LEAKS.contains(&seen.indicator)) {
        (true, true) => ("failing", "confirmed"),
        (true, false) => ("warning", "confirmed"),
        (false, _) => ("warning", "suspected"),
    };
    let acknowledged = if finding.is_acknowledged(app.clock.wall()) {
        ", taken note of"
    } else {
        ""
    };
    writeln!(
        page,
        "<li data-finding=\"{}\"><p><strong class=\"pill {class}\">{state}</strong> {} <span class=\"soft\">{}, {}, seen {} times since <time>{}</time>{acknowledged}</span></p>",
        finding.id.0,
        Text(&seen.description),
        Text(seen.indicator),
        seen.severity.name(),
        Count(finding.n_seen),
        rfc3339(finding.since),
    )?;
    if !seen.subject.is_empty() {
        writeln!(
            page,
            "<p class=\"site\"><code>{}</code></p>",
            Text(&seen.subject)
        )?;
    }
    if !seen.evidence.is_empty() {
        writeln!(
            page,
            "<details id=\"finding-{}\"><summary>evidence</summary><ol class=\"stack\">",
            finding.id.0
        )?;
        for line in &seen.evidence {
            writeln!(page, "<li><code>{}</code></li>", Text(line))?;
        }
        page.push_str("</ol></details>\n");
    }
    writeln!(
        page,
        "<p class=\"soft\">What to do: {}.</p></li>",
        Text(seen.recommendation)
    )
}

fn parts(page: &mut String, health: &Health) -> fmt::Result {
    page.push_str("<dl class=\"parts\">\n");
    for (name, part) in &health.parts {
        let state = match part.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Disabled => "off",
            State::Failing => "failing",
        };
        writeln!(
            page,
            "<div><dt>{name}</dt><dd><strong class=\"pill {state}\">{state}</strong> <span class=\"soft\">{}</span></dd></div>",
            Text(&part.reasons.join("; "))
        )?;
    }
    page.push_str("</dl>\n");
    Ok(())
}

fn caches(page: &mut String, app: &App) -> fmt::Result {
    page.push_str("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Caches, scrolls sideways\"><table>\n<thead><tr><th scope=\"col\">Cache</th><th scope=\"col\">Hit ratio</th><th scope=\"col\">Hits</th><th scope=\"col\">Misses</th><th scope=\"col\">Entries</th><th scope=\"col\">Size</th><th scope=\"col\">Expired</th></tr></thead>\n<tbody>\n");
    let all = app.caches.registry.stats_all();
    for (name, stats) in &all.caches {
        let lookups = stats.n_hits.saturating_add(stats.n_misses);
        let ratio = if lookups == 0 {
            "<span class=\"soft\">not asked yet</span>".to_owned()
        } else {
            format!(
                "{}<span class=\"num\">{}</span>",
                Bar(stats.n_hits, lookups),
                percent(stats.n_hits, lookups)
            )
        };
        writeln!(
            page,
            "<tr><th scope=\"row\">{}</th><td class=\"ratio\">{ratio}</td><td>{}</td><td>{}</td><td>{} <span class=\"soft\">of {}</span></td><td>{}</td><td>{}</td></tr>",
            Text(name),
            Count(stats.n_hits),
            Count(stats.n_misses),
            Count(stats.size),
            Count(stats.max_size),
            Size(stats.bytes.bytes()),
            Count(stats.expired_entries)
        )?;
    }
    page.push_str("</tbody></table></div>\n");
    Ok(())
}

fn deletions(page: &mut String, app: &App) -> fmt::Result {
    let stats = app.deletions.stats();
    let rows = [
        ("under way", stats.n_active),
        ("stale", stats.n_stale),
        ("on other machines", stats.n_elsewhere),
        ("begun so far", stats.n_begun),
        ("finished", stats.n_finished),
        ("swept", stats.n_swept),
        ("work left out", stats.n_skipped),
    ];
    list(page, &rows)?;
    if let Some(age) = stats.oldest_age {
        writeln!(
            page,
            "<p class=\"soft\">The oldest is {} old; stale from {}.</p>",
            Span(age),
            Span(stats.stale_after)
        )?;
    }
    Ok(())
}

fn queue(page: &mut String, app: &App) -> fmt::Result {
    const STATES: [(&str, &str); 5] = [
        ("scheduled", "waiting"),
        ("running", "running"),
        ("failed", "to be tried again"),
        ("maxxed", "given up"),
        ("finished", "finished"),
    ];
    let counts = app
        .store
        .snapshot()
        .and_then(|snapshot| snapshot.job_counts());
    let counts = match counts {
        Ok(counts) => counts,
        Err(error) => {
            tracing::debug!(%error, "the dashboard could not count the queue");
            page.push_str("<p class=\"empty\">The database does not answer.</p>\n");
            return Ok(());
        }
    };
    let count = |state: &str| {
        counts
            .iter()
            .find(|(known, _)| known == state)
            .map_or(0, |(_, n)| *n)
    };
    let rows = STATES.map(|(state, shown)| (shown, count(state)));
    list(page, &rows)?;
    if count("maxxed") > 0 {
        page.push_str("<p class=\"soft\">See why: <code>rsr jobs list --state maxxed</code></p>\n");
    }
    Ok(())
}

fn list(page: &mut String, rows: &[(&str, u64)]) -> fmt::Result {
    page.push_str("<dl class=\"counts\">\n");
    for (name, count) in rows {
        writeln!(page, "<div><dt>{name}</dt><dd>{}</dd></div>", Count(*count))?;
    }
    page.push_str("</dl>\n");
    Ok(())
}

/// A share as a bar. The figure stands beside it, so that it says nothing alone.
pub(super) struct Bar(pub(super) u64, pub(super) u64);

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = u128::from(self.0) * 100 / u128::from(self.1.max(1));
        write!(
            f,
            "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"track\" width=\"100\" height=\"8\"/><rect class=\"fill\" width=\"{}\" height=\"8\"/></svg>",
            width.min(100)
        )
    }
}
