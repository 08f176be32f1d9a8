//! Caches: figures, sweeps, findings.

use axum::Extension;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::routing::{get, post};
use rsr_cache::{CacheStats, CleanupSummary, SharedCache};
use serde_json::{Map, Value, json};

use crate::access::Caller;
use crate::app::App;
use crate::params::Params;
use crate::problem::{Kind, Problem};
use crate::routes::table::{Field, FieldKind, Operation, Route};
use crate::wire::{self, CacheFigures, Fields, rfc3339};

const NAME: [Field; 1] = [Field::new(
    "name",
    FieldKind::Text,
    "One cache; all if not given",
)];
const SWEEP: [Field; 2] = [
    Field::new("name", FieldKind::Text, "One cache; all if not given"),
    Field::new(
        "dry_run",
        FieldKind::Flag,
        "Says what would go, and removes nothing",
    ),
];

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route {
            operation: Operation::admin(
                "GET",
                "/admin/v1/caches/",
                "cache_stats",
                "Figures of the caches",
            )
            .query(&NAME),
            handler: get(stats),
        },
        Route {
            operation: Operation::admin(
                "POST",
                "/admin/v1/caches/cleanup/",
                "cache_cleanup",
                "Removes expired entries",
            )
            .body(&SWEEP),
            handler: post(cleanup),
        },
        Route {
            operation: Operation::admin(
                "POST",
                "/admin/v1/caches/clear/",
                "cache_clear",
                "Removes every entry",
            )
            .body(&SWEEP),
            handler: post(clear),
        },
        Route {
            operation: Operation::admin(
                "GET",
                "/admin/v1/caches/monitor/",
                "cache_monitor",
                "What is not as it should be with the caches",
            )
            .query(&NAME),
            handler: get(monitor),
        },
    ]
}

/// The caches asked for: one by name, or all.
fn chosen(app: &App, name: Option<&str>) -> Result<Vec<SharedCache>, Problem> {
    let registry = &app.caches.registry;
    match name {
        None => Ok(registry.all()),
        Some(name) => match registry.get_any(name) {
            Ok(cache) => Ok(vec![cache]),
            Err(_unknown) => {
                let known = registry.names().join(", ");
                let detail = format!("no cache is named {name:?}; known are {known}");
                Err(Problem::new(Kind::NotFound, detail))
            }
        },
    }
}

fn name_of(query: Option<&str>) -> Result<Option<String>, Problem> {
    let mut params = Params::parse(query)?;
    let name = params.text("name");
    params.finish()?;
    Ok(name)
}

fn figures(app: &App, name: Option<&str>) -> Result<Value, Problem> {
    let stats: Vec<CacheStats> = chosen(app, name)?
        .iter()
        .map(|cache| cache.stats())
        .collect();
    let caches: Map<String, Value> = stats
        .iter()
        .map(|stats| (stats.name.clone(), json!(CacheFigures::from(stats))))
        .collect();
    let global = wire::global(&app.caches.registry.stats_all().global);
    Ok(json!({ "caches": caches, "_global": global }))
}

async fn stats(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Json<Value>, Problem> {
    let name = name_of(query.as_deref())?;
    Ok(Json(figures(&app, name.as_deref())?))
}

async fn monitor(
    State(app): State<App>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let name = name_of(query.as_deref())?;
    let shown = figures(&app, name.as_deref())?;
    let report = app.caches.registry.monitor();
    let issues: Vec<Value> = report
        .findings
        .iter()
        .filter(|finding| name.is_none() || finding.cache.is_none() || finding.cache == name)
        .map(wire::issue)
        .collect();
    Ok(Json(json!({
        "timestamp": rfc3339(app.clock.wall()),
        "stats": shown,
        "issues": issues,
    })))
}

async fn cleanup(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let (name, dry_run) = sweep_fields(fields)?;
    let swept = for_each(&app, name.as_deref(), dry_run, |cache| {
        cache.cleanup(dry_run)
    })?;
    tracing::info!(%caller, name, dry_run, removed = %swept["removed"], "caches swept");
    Ok(Json(swept))
}

async fn clear(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let (name, dry_run) = sweep_fields(fields)?;
    let cleared = for_each(&app, name.as_deref(), dry_run, |cache| cache.clear(dry_run))?;
    if name.is_none() && !dry_run {
        // All that is kept goes, that of the database's connections too.
        let store = app.store.clone();
        let released = app.bridge.run_vital(move || {
            store.release_memory();
            Ok(())
        });
        released.await?;
    }
    tracing::info!(%caller, name, dry_run, removed = %cleared["removed"], "caches cleared");
    Ok(Json(cleared))
}

fn sweep_fields(mut fields: Fields) -> Result<(Option<String>, bool), Problem> {
    let name = fields.text("name")?;
    let dry_run = fields.flag("dry_run")?.unwrap_or(false);
    fields.finish()?;
    Ok((name, dry_run))
}

/// Does one thing to each cache; in a dry run says what it would be.
fn for_each(
    app: &App,
    name: Option<&str>,
    dry_run: bool,
    work: impl Fn(&SharedCache) -> CleanupSummary,
) -> Result<Value, Problem> {
    let mut caches = Map::new();
    let (mut n_removed, mut n_bytes) = (0, 0);
    for cache in chosen(app, name)? {
        let done = work(&cache);
        n_removed += done.n_removed;
        n_bytes += done.bytes.bytes();
        caches.insert(cache.parameters().name().to_owned(), wire::cleanup(&done));
    }
    Ok(json!({ "caches": caches, "removed": n_removed, "bytes": n_bytes, "dry_run": dry_run }))
}
