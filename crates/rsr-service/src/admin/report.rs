//! One report of everything known about memory, and advice from what was measured.

use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::routing::get;
use rsr_base::ByteSize;
use serde_json::{Value, json};

use super::{findings, memory};
use crate::app::App;
use crate::health::Health;
use crate::params::Params;
use crate::problem::Problem;
use crate::routes::table::{Field, FieldKind, Operation, Route};
use crate::wire::{self, rfc3339};

const DAYS: [Field; 1] = [Field::new(
    "days",
    FieldKind::Integer,
    "How far back; 7 if not given",
)];

/// Stacks that a report shows.
const STACKS: usize = 10;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route {
            operation: Operation::admin(
                "GET",
                "/admin/v1/memory/report/",
                "memory_report",
                "Everything known about memory: trend, findings, caches, stacks, advice",
            )
            .query(&DAYS),
            handler: get(report),
        },
        Route {
            operation: Operation::admin(
                "GET",
                "/admin/v1/memory/advise/",
                "memory_advice",
                "Limit, workers, chunk sizes and profile that fit what was measured",
            ),
            handler: get(advise),
        },
    ]
}

async fn report(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Json<Value>, Problem> {
    let mut params = Params::parse(query.as_deref())?;
    let days = params.count("days")?.unwrap_or(7);
    params.finish()?;
    let asked = app.clone();
    app.bridge
        .run_vital(move || Ok(Json(whole(&asked, days as u64))))
        .await
}

fn whole(app: &App, days: u64) -> Value {
    let now = app.clock.elapsed() + app.earlier;
    let from = now.saturating_sub(Duration::from_secs(days.saturating_mul(86_400)));
    let trend: Vec<Value> = app
        .watch
        .timeline()
        .into_iter()
        .filter(|moment| moment.at >= from)
        .map(|moment| {
            json!({
                "age_seconds": now.saturating_sub(moment.at).as_secs(),
                "held_bytes": moment.held,
                "resident_bytes": moment.resident,
            })
        })
        .collect();
    let book = app.findings.book();
    let shown: Vec<Value> = book
        .findings()
        .map(|one| findings::finding(app, one))
        .collect();
    let mut recommendations: Vec<&str> = book
        .open()
        .map(|one| one.observation.recommendation)
        .collect();
    recommendations.dedup();
    let recommendations = json!(recommendations);
    drop(book);
    let health = Health::of(app);
    json!({
        "generated": rfc3339(app.clock.wall()),
        "days": days,
        "memory": memory::figures(app),
        "health": health,
        "leaks": memory::leaks(app),
        "trend": trend,
        "findings": shown,
        "caches": caches(app),
        "pools": memory::pools(app),
        "stacks": stacks(app),
        "recommendations": recommendations,
    })
}

fn caches(app: &App) -> Value {
    let all = app.caches.registry.stats_all();
    let caches: serde_json::Map<String, Value> = all
        .caches
        .values()
        .map(|stats| (stats.name.clone(), json!(wire::CacheFigures::from(stats))))
        .collect();
    Value::Object(caches)
}

/// The stacks that hold most, where they are watched.
fn stacks(app: &App) -> Vec<Value> {
    let Some(dump) = app.findings.live() else {
        return Vec::new();
    };
    let Ok(profile) = app.findings.namer().name(&dump) else {
        return Vec::new();
    };
    let stacks = profile.stacks().iter().take(STACKS);
    stacks
        .map(|stack| {
            let site = stack.call_site();
            json!({
                "bytes": stack.bytes,
                "count": stack.count,
                "function": site.map(|frame| frame.function.clone()),
                "file": site.map(|frame| frame.file.clone()),
                "line": site.map(|frame| frame.line),
            })
        })
        .collect()
}

/// Advice that leaves a third above what was ever needed.
async fn advise(State(app): State<App>) -> Json<Value> {
    const STEP: u64 = 32 << 20;
    let reading = app.measure.read();
    let settings = app.settings();
    let peak = reading
        .process
        .and_then(|process| process.peak_resident)
        .or(reading.process.map(|process| process.resident));
    let Some(peak) = peak else {
        return Json(
            json!({ "peak_bytes": null, "message": "this machine does not tell a process's peak" }),
        );
    };
    let limit = (peak.bytes() + peak.bytes() / 3).div_ceil(STEP) * STEP;
    let (profile, chunk_size, export_chunk_size) = match ByteSize::from_bytes(limit) {
        limit if limit <= ByteSize::from_mib(256) => ("low-memory", 100, 50),
        limit if limit <= ByteSize::from_mib(2_048) => ("production", 250, 50),
        _ => ("high-memory", 1_000, 200),
    };
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let spare = limit.saturating_sub(
        reading
            .process
            .map_or(0, |process| process.resident.bytes()),
    );
    let workers = (spare / settings.memory.request_budget.bytes().max(1)).clamp(1, cpus);
    let uptime = app.clock.elapsed();
    Json(json!({
        "peak_bytes": peak.bytes(),
        "measured_over_seconds": uptime.as_secs(),
        "memory.limit": limit,
        "aggregation.workers": workers,
        "hierarchy.chunk_size": chunk_size,
        "iati.export_chunk_size": export_chunk_size,
        "profile": profile,
        "message": if uptime < Duration::from_secs(3600) {
            "measured for less than an hour: ask again after the busiest time of a day"
        } else {
            "a third above the highest use so far"
        },
    }))
}
