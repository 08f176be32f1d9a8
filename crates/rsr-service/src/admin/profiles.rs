//! Heap profiles: begin, end, list, and pprof for tools that fetch it themselves.

use std::path::PathBuf;
use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderValue, header};
use rsr_monitoring::{HeapDump, ProfileFile, Profiler};
use serde_json::{Value, json};

use crate::access::Caller;
use crate::app::App;
use crate::findings::Findings;
use crate::params::{Params, invalid};
use crate::problem::{Kind, Problem};
use crate::profiles::refused as profile_refused;
use crate::routes::table::{Field, FieldKind, Operation, Route};
use crate::wire::{Fields, refused, rfc3339};

const START: [Field; 1] = [Field::new(
    "minutes",
    FieldKind::Integer,
    "When it ends by itself; 10 if not given",
)];
const STOP: [Field; 1] = [Field::new(
    "profile_id",
    FieldKind::Text,
    "The profile; without it those that run are listed",
)];
const PPROF: [Field; 2] = [
    Field::new(
        "base",
        FieldKind::Text,
        "An earlier profile's name: only what is more than then",
    ),
    Field::new(
        "seconds",
        FieldKind::Integer,
        "Only what is more after so many seconds",
    ),
];

pub(super) fn routes() -> Vec<Route> {
    let admin = Operation::admin;
    vec![
        Route {
            operation: admin(
                "GET",
                "/admin/v1/memory/profiles/",
                "profiles",
                "Heap profiles, under way and on disk",
            ),
            handler: get(list),
        },
        Route {
            operation: admin(
                "POST",
                "/admin/v1/memory/profiles/start/",
                "start_profile",
                "Begins a heap profile",
            )
            .body(&START),
            handler: post(start),
        },
        Route {
            operation: admin(
                "POST",
                "/admin/v1/memory/profiles/stop/",
                "stop_profile",
                "Ends a heap profile and keeps it",
            )
            .body(&STOP),
            handler: post(stop),
        },
        Route {
            operation: admin(
                "POST",
                "/admin/v1/memory/profiles/cleanup/",
                "clean_up_profiles",
                "Deletes profiles that are too old or too many",
            ),
            handler: post(clean_up),
        },
        Route {
            operation: admin(
                "GET",
                "/debug/pprof/heap",
                "pprof_heap",
                "What lives, in pprof's format, names inside",
            )
            .query(&PPROF)
            .answers(200, "application/octet-stream"),
            handler: get(heap),
        },
        Route {
            operation: admin(
                "GET",
                "/debug/pprof/allocs",
                "pprof_allocs",
                "What was ever allocated since call stacks are watched, in pprof's format",
            )
            .answers(200, "application/octet-stream"),
            handler: get(allocs),
        },
        Route {
            operation: admin(
                "GET",
                "/debug/pprof/peak",
                "pprof_peak",
                "What lived when most did since call stacks are watched, in pprof's format",
            )
            .answers(200, "application/octet-stream"),
            handler: get(peak),
        },
    ]
}

fn file(file: &ProfileFile) -> Value {
    json!({
        "id": file.id,
        "path": file.path,
        "bytes": file.size.bytes(),
        "written": rfc3339(file.written),
    })
}

/// Runs what touches the profiler's folder on a thread.
async fn with_profiler<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Profiler) -> Result<T, rsr_monitoring::ProfileError> + Send + 'static,
) -> Result<T, Problem> {
    let settings = app.settings();
    let app_there = app.clone();
    app.bridge
        .run_vital(move || {
            let profiler = app_there.profiles.profiler(&settings.profiling)?;
            work(&profiler).map_err(profile_refused)
        })
        .await
}

async fn list(State(app): State<App>) -> Result<Json<Value>, Problem> {
    let (running, files) =
        with_profiler(&app, |profiler| Ok((profiler.running(), profiler.files()?))).await?;
    let files: Vec<Value> = files.iter().map(file).collect();
    Ok(Json(json!({ "running": running, "files": files })))
}

async fn start(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    const LONGEST: u64 = 7 * 24 * 60;
    let minutes: Option<u64> = fields.value("minutes", "must be a whole number of minutes")?;
    fields.finish()?;
    let minutes = minutes.unwrap_or(10);
    if minutes == 0 || minutes > LONGEST {
        return Err(refused("minutes", format!("must be from 1 to {LONGEST}")));
    }
    let id = with_profiler(&app, move |profiler| {
        Ok(profiler.start(Some(Duration::from_secs(minutes * 60))))
    })
    .await?;
    tracing::info!(%caller, id, minutes, "heap profile begun");
    Ok(Json(json!({ "profile_id": id, "minutes": minutes })))
}

async fn stop(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let id = fields.text("profile_id")?;
    fields.finish()?;
    let Some(id) = id else {
        let running = with_profiler(&app, |profiler| Ok(profiler.running())).await?;
        return Ok(Json(json!({ "running": running })));
    };
    let asked = id.clone();
    let _reserved = app.pools.profile()?;
    let begun = app.clock.elapsed();
    let written = with_profiler(&app, move |profiler| profiler.stop(&asked)).await?;
    let took = app.clock.elapsed().saturating_sub(begun);
    tracing::info!(%caller, id, size = %written.size, ?took, "heap profile written");
    Ok(Json(
        json!({ "stopped": file(&written), "took_seconds": took.as_secs_f64() }),
    ))
}

async fn clean_up(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    let n_deleted = with_profiler(&app, Profiler::clean_up).await?;
    tracing::info!(%caller, n_deleted, "heap profiles cleaned up");
    Ok(Json(json!({ "removed": n_deleted })))
}

async fn heap(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let mut params = Params::parse(query.as_deref())?;
    let base = params.text("base");
    let seconds = params.count("seconds")?;
    params.finish()?;
    if base.is_some() && seconds.is_some() {
        return Err(invalid("seconds", "cannot be asked for together with base"));
    }
    let longest = app.settings().server.request_timeout.as_secs();
    if seconds.is_some_and(|seconds| seconds as u64 >= longest) {
        return Err(invalid(
            "seconds",
            "must be less than server.request_timeout",
        ));
    }
    let mut before: Option<PathBuf> = None;
    if let Some(id) = base {
        let files = with_profiler(&app, Profiler::files).await?;
        let found = files.into_iter().find(|file| file.id == id);
        let found = found.ok_or_else(|| Problem::not_found("profile", id))?;
        before = Some(found.path);
    } else if let Some(seconds) = seconds {
        // Sampled meanwhile, whether or not a profile runs.
        let reserved = app.pools.profile()?;
        let id = with_profiler(&app, |profiler| Ok(profiler.start(None))).await?;
        before = Some(with_profiler(&app, Profiler::snapshot).await?.path);
        drop(reserved);
        tokio::time::sleep(Duration::from_secs(seconds as u64)).await;
        let _reserved = app.pools.profile()?;
        let file = with_profiler(&app, move |profiler| profiler.stop(&id)).await?;
        return pprof(&app, file.path, before).await;
    }
    let settings = app.settings();
    let there = app.clone();
    let _reserved = app.pools.profile()?;
    let now = app
        .bridge
        .run_vital(move || there.profiles.snapshot(&settings.profiling))
        .await?;
    pprof(&app, now.path, before).await
}

/// The file as pprof, under its caller's reservation.
async fn pprof(app: &App, file: PathBuf, base: Option<PathBuf>) -> Result<Response, Problem> {
    let namer = app.findings.namer();
    let bytes = app
        .bridge
        .run_vital(move || {
            namer
                .pprof(&file, base.as_deref())
                .map_err(Problem::internal)
        })
        .await?;
    Ok(octets(bytes))
}

async fn allocs(State(app): State<App>) -> Result<Response, Problem> {
    watched(&app, Findings::allocated).await
}

async fn peak(State(app): State<App>) -> Result<Response, Problem> {
    watched(&app, Findings::at_peak).await
}

/// What the watch over call stacks knows, as pprof.
async fn watched(app: &App, of: fn(&Findings) -> Option<HeapDump>) -> Result<Response, Problem> {
    if !app.settings().profiling.enabled {
        let detail =
            "heap profiles are switched off: set profiling.enabled (RSR_PROFILING_ENABLED)";
        return Err(Problem::new(Kind::Conflict, detail));
    }
    let namer = app.findings.namer();
    let there = app.clone();
    let _reserved = app.pools.profile()?;
    let bytes = app
        .bridge
        .run_vital(move || {
            let dump = of(&there.findings).ok_or_else(|| {
                Problem::new(
                    Kind::Conflict,
                    "call stacks are not watched: set leaks.call_sites",
                )
            })?;
            let mut out = Vec::new();
            namer
                .name(&dump)
                .map_err(Problem::internal)?
                .write_pprof(&mut out)
                .map_err(Problem::internal)?;
            Ok(out)
        })
        .await?;
    Ok(octets(bytes))
}

fn octets(bytes: Vec<u8>) -> Response {
    let media = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    )];
    (media, bytes).into_response()
}
