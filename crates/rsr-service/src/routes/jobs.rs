//! The aggregation queue, asking again, and rolling up at once.

use axum::Extension;
use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::routing::{get, post};
use http::StatusCode;
use rsr_base::{JobId, ProjectId};
use rsr_store::JobFilter;
use serde_json::{Value, json};

use super::table::{Access, Field, FieldKind, Operation, Route};
use crate::access::Caller;
use crate::app::App;
use crate::params::{self, Params};
use crate::problem::{Kind, Problem};
use crate::rights::Right;
use crate::rollup;
use crate::target::Target;
use crate::wire::job;

const STATES: [&str; 5] = ["scheduled", "running", "finished", "failed", "maxxed"];
const LIST: [Field; 2] = [
    Field::new(
        "state",
        FieldKind::Text,
        "scheduled, running, finished, failed or maxxed",
    ),
    Field::new(
        "limit",
        FieldKind::Count,
        "Most jobs of this answer; 100 if not given, 1000 at most",
    ),
];
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route {
            operation: Operation::write(
                "GET",
                "/api/v1/jobs/",
                "jobs",
                "The aggregation queue, the last changed first",
            )
            .open_to(Access::LoggedIn)
            .query(&LIST),
            handler: get(list),
        },
        Route {
            operation: Operation::write(
                "POST",
                "/api/v1/jobs/{id}/retry/",
                "retry",
                "Asks again for a job that was given up: answers the new one, the old one stays as history",
            )
            .answers(201, "application/json"),
            handler: post(retry),
        },
        Route {
            operation: Operation::write(
                "POST",
                "/api/v1/projects/{id}/recalculate/",
                "recalculate",
                "Rolls up the whole tree a project is in, at once",
            )
            .open_to(Access::Administer)
            .heavy(),
            handler: post(recalculate),
        },
    ]
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let mut params = Params::parse(query.as_deref())?;
    let state = params.text("state").filter(|state| !state.is_empty());
    let limit = params
        .count("limit")?
        .unwrap_or(LIMIT_DEFAULT)
        .min(LIMIT_MAX);
    params.finish()?;
    if let Some(state) = &state
        && !STATES.contains(&state.as_str())
    {
        let accepted = "must be scheduled, running, finished, failed or maxxed";
        return Err(Problem::field(Kind::InvalidParameter, "state", accepted));
    }
    let work = app.clone();
    let jobs: Vec<Value> = app
        .bridge
        .run(move || {
            let filter = JobFilter {
                state: state.as_deref(),
                ..JobFilter::default()
            };
            let snapshot = work.store.snapshot()?;
            let jobs = snapshot.jobs_seen_by(caller.viewer(), filter, limit)?;
            Ok(jobs.iter().map(job).collect())
        })
        .await?;
    Ok(Json(jobs.into()))
}

async fn retry(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let given_up: JobId = params::id("job", &id)?;
    let queued = app
        .write(
            &caller,
            Right::Edit,
            &[Target::Job(given_up)],
            move |_app, tx| {
                let queued = tx.retry_job(given_up)?;
                Ok(tx.job(queued)?)
            },
        )
        .await?;
    tracing::info!(%caller, job = %given_up, queued = %queued.id, "asked again for a job");
    Ok((StatusCode::CREATED, Json(job(&queued))))
}

async fn recalculate(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let project: ProjectId = params::id("project", &id)?;
    let work = app.clone();
    let (root, report) = app
        .bridge
        .run(move || {
            let snapshot = work.store.snapshot()?;
            work.refuse_while_deleted(&snapshot, &[Target::Project(project)])?;
            let place = snapshot.place(project)?;
            drop(snapshot);
            let root = place
                .ok_or_else(|| Problem::not_found("project", project))?
                .root;
            Ok((root, rollup::roll_up(&work, root)?))
        })
        .await?;
    tracing::info!(%caller, %project, %root, periods = report.periods.n_periods, "recalculated");
    Ok(Json(json!({
        "project": project.0,
        "root": root.0,
        "periods": report.periods.n_periods,
        "periods_changed": report.periods.n_periods_written,
        "disaggregations": report.periods.n_disaggregations,
        "disaggregations_changed": report.periods.n_disaggregations_written,
        "jobs_finished": report.n_jobs_finished,
    })))
}
