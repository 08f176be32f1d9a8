//! Memory: status, health, leaks, summary.

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use rsr_base::ByteSize;
use rsr_monitoring::{FindingState, LeakState, LeakVerdict, live_instances};
use serde_json::{Value, json};

use crate::access::Caller;
use crate::app::App;
use crate::findings::LEAKS;
use crate::problem::Problem;
use crate::routes::table::{Field, FieldKind, Operation, Route};
use crate::wire::{Fields, rfc3339};
use crate::{routes, watch};

const RESET: [Field; 1] = [Field::new(
    "reset",
    FieldKind::Flag,
    "Forgets the history first: a new base begins now",
)];

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route {
            operation: Operation::admin(
                "GET",
                "/admin/v1/memory/status/",
                "memory_status",
                "What is measured, how, and against what",
            ),
            handler: get(status),
        },
        Route {
            operation: Operation::admin(
                "GET",
                "/admin/v1/memory/health/",
                "memory_health",
                "How every part is; 503 where one fails",
            ),
            handler: get(health),
        },
        Route {
            operation: Operation::admin(
                "GET",
                "/admin/v1/memory/summary/",
                "memory_summary",
                "Who holds how much",
            ),
            handler: get(summary),
        },
        Route {
            operation: Operation::admin(
                "POST",
                "/admin/v1/memory/check-leaks/",
                "check_leaks",
                "Takes a sample and judges at once",
            )
            .body(&RESET),
            handler: post(check_leaks),
        },
        Route {
            operation: Operation::admin(
                "POST",
                "/admin/v1/memory/update-metrics/",
                "update_metrics",
                "Reads every figure now",
            ),
            handler: post(update_metrics),
        },
    ]
}

fn bytes(size: Option<ByteSize>) -> Option<u64> {
    size.map(ByteSize::bytes)
}

/// The figures of this moment.
pub(crate) fn figures(app: &App) -> Value {
    let reading = app.measure.read();
    let (process, heap, system) = (reading.process, reading.heap, reading.system);
    let limit = app.measure.limit();
    let in_use = heap
        .map(|heap| heap.allocated)
        .or(process.map(|process| process.resident));
    json!({
        "timestamp": rfc3339(app.clock.wall()),
        "rss_bytes": bytes(process.map(|process| process.resident)),
        "virtual_bytes": bytes(process.map(|process| process.virtual_size)),
        "peak_bytes": bytes(process.and_then(|process| process.peak_resident)),
        "heap_allocated_bytes": bytes(heap.map(|heap| heap.allocated)),
        "heap_resident_bytes": bytes(heap.map(|heap| heap.resident)),
        "heap_retained_bytes": bytes(heap.map(|heap| heap.retained)),
        "in_use_bytes": bytes(in_use),
        "limit_bytes": bytes(limit),
        "system_total_bytes": bytes(system.map(|system| system.total)),
        "system_available_bytes": bytes(system.map(|system| system.available)),
        "threads": process.and_then(|process| process.n_threads),
        "open_files": process.and_then(|process| process.n_open_files),
    })
}

async fn status(State(app): State<App>) -> Json<Value> {
    let settings = app.live.loaded();
    let configuration: serde_json::Map<String, Value> = settings
        .entries()
        .into_iter()
        .filter(|entry| {
            ["monitoring.", "leaks.", "profiling.", "memory."]
                .iter()
                .any(|section| entry.key.starts_with(section))
        })
        .map(|entry| {
            let shown = json!({ "value": entry.value, "source": entry.source.to_string() });
            (entry.key.to_owned(), shown)
        })
        .collect();
    let pressure = &app.watch.pressure;
    Json(json!({
        "memory": figures(&app),
        "pressure": {
            "level": pressure.level().name(),
            "changes": pressure.n_changes(),
            "refused": pressure.n_shed(),
            "reclaimed_bytes": pressure.reclaimed().bytes(),
        },
        "leaks": leaks(&app),
        "profiles_running": app.profiles.n_running(),
        "last_run": app.journal.last_run(),
        "streams": app.bridge.n_streams(),
        "configuration": configuration,
    }))
}

async fn health(State(app): State<App>) -> Result<Response, Problem> {
    routes::memory_health(&app).await
}

/// Entries of the summary's lists.
const LARGEST: usize = 20;

async fn summary(State(app): State<App>) -> Json<Value> {
    let all = app.caches.registry.stats_all();
    let caches: serde_json::Map<String, Value> = all
        .caches
        .iter()
        .map(|(name, stats)| {
            (
                name.clone(),
                json!({ "entries": stats.size, "bytes": stats.bytes.bytes() }),
            )
        })
        .collect();
    let largest: Vec<Value> = app
        .watch
        .pressure
        .largest(LARGEST)
        .into_iter()
        .map(|consumer| json!({ "name": consumer.name, "bytes": consumer.held.bytes() }))
        .collect();
    let types: Vec<Value> = live_instances()
        .into_iter()
        .map(|kind| {
            json!({ "name": kind.name, "instances": kind.n_live, "bytes": kind.shallow_size.bytes() })
        })
        .collect();
    let naming = app.clone();
    // Stacks are named by another process, which takes a moment each.
    let named = tokio::task::spawn_blocking(move || naming.findings.largest(LARGEST)).await;
    let stacks: Vec<Value> = named
        .unwrap_or_default()
        .into_iter()
        .map(|(name, bytes)| json!({ "name": name, "bytes": bytes.bytes() }))
        .collect();
    Json(json!({
        "memory": figures(&app),
        "caches": caches,
        "pools": pools(&app),
        "types": types,
        "stacks": stacks,
        "largest": largest,
    }))
}

/// The pools that memory is reserved from, the largest first.
pub(super) fn pools(app: &App) -> Vec<Value> {
    let pools = app.watch.budget.usage();
    pools
        .into_iter()
        .take(LARGEST)
        .map(|pool| json!({ "name": pool.name, "used_bytes": pool.used.bytes() }))
        .collect()
}

/// What is known about leaks: the trend of the heap, and the call stacks whose allocations survive.
pub(crate) fn leaks(app: &App) -> Value {
    let settings = app.settings();
    let outlook = app.watch.outlook();
    let book = app.findings.book();
    let open: Vec<_> = book
        .open()
        .filter(|finding| LEAKS.contains(&finding.observation.indicator))
        .collect();
    let is_confirmed = outlook.state == LeakState::Confirmed
        || open
            .iter()
            .any(|finding| finding.state == FindingState::Confirmed);
    let is_suspected = outlook.state == LeakState::Suspected || !open.is_empty();
    let looks_missing = app.findings.looks_missing();
    let is_unknown = outlook.known_in.is_some() && looks_missing != Some(0);
    let verdict = match () {
        () if is_confirmed => "confirmed",
        () if is_suspected => "suspected",
        () if is_unknown => "unknown",
        () => "none",
    };
    let mut said: Vec<String> = open
        .iter()
        .map(|finding| finding.observation.description.clone())
        .collect();
    if !watch::looks_for_leaks(&settings) {
        let switch = if settings.leaks.enabled {
            "monitoring.enabled"
        } else {
            "leaks.enabled"
        };
        said.push(format!("leak detection is switched off ({switch})"));
    }
    if looks_missing == Some(0) && open.is_empty() {
        said.push("no call stack keeps what it allocates".to_owned());
    }
    if let Some(wait) = outlook.known_in {
        said.push(format!(
            "the history is too short for a trend: a first verdict in about {:.1} h",
            wait.as_secs_f64() / 3600.0
        ));
    }
    if let Some(looks) = looks_missing.filter(|looks| *looks > 0) {
        let wait = settings.leaks.site_interval.saturating_mul(looks);
        said.push(format!(
            "call stacks are first judged in about {} s",
            wait.as_secs()
        ));
    }
    if said.is_empty() {
        said.push("memory does not grow for good".to_owned());
    }
    let mut findings: Vec<Value> = open
        .iter()
        .map(|finding| super::findings::finding(app, finding))
        .collect();
    drop(book);
    let trend = outlook.verdict.map(|verdict| trend(app, &verdict));
    for finding in &mut findings {
        if finding["indicator"] == "memory_growth"
            && let Some(trend) = &trend
        {
            finding["trend"] = trend.clone();
        }
    }
    json!({ "verdict": verdict, "findings": findings, "trend": trend, "message": said.join("; ") })
}

fn trend(app: &App, verdict: &LeakVerdict) -> Value {
    let reading = app.measure.read();
    let in_use = reading
        .heap
        .map(|heap| heap.allocated)
        .or(reading.process.map(|process| process.resident));
    let reached_in = app
        .measure
        .limit()
        .zip(in_use)
        .and_then(|(limit, in_use)| verdict.time_to(limit, in_use));
    json!({
        "slope_mb_per_hour": verdict.slope_mb_per_hour,
        "growth_bytes": verdict.growth.bytes(),
        "growth_ratio": verdict.growth_ratio,
        "window_seconds": verdict.window.as_secs_f64(),
        "confidence": verdict.confidence,
        "pages": verdict.pages,
        "limit_reached_in_seconds": reached_in.map(|wait| wait.as_secs_f64()),
    })
}

async fn check_leaks(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let reset = fields.flag("reset")?.unwrap_or(false);
    fields.finish()?;
    if reset {
        app.watch.reset();
        app.findings.follow(false);
        let settings = app.settings();
        app.findings
            .follow(watch::looks_for_leaks(&settings) && settings.leaks.call_sites);
        tracing::info!(%caller, "leak history forgotten");
    }
    if app.settings().leaks.enabled {
        watch::judge_leaks(&app, app.clock.elapsed(), &app.measure.read());
    }
    Ok(Json(leaks(&app)))
}

async fn update_metrics(State(app): State<App>) -> Json<Value> {
    let bytes = app
        .measure
        .metrics
        .registry
        .scrape(rsr_monitoring::Format::Text)
        .len();
    Json(json!({ "updated": rfc3339(app.clock.wall()), "scrape_bytes": bytes }))
}
