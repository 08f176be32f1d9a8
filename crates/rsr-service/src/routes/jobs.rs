//! The aggregation queue, asking again, and asking for all of a project anew.

use axum::Extension;
use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::routing::{get, post};
use http::StatusCode;
use rsr_base::{JobId, PeriodId, ProjectId};
use rsr_store::{Error, JobFilter, Recalculation};
use serde_json::{Value, json};

use super::table::{Access, Field, FieldKind, Operation, Route};
use crate::access::Caller;
use crate::app::App;
use crate::params::{self, Params};
use crate::problem::{Kind, Problem};
use crate::rights::Right;
use crate::target::Target;
use crate::wire::{Fields, job};

const STATES: [&str; 5] = ["scheduled", "running", "finished", "failed", "maxxed"];
const LIST: [Field; 3] = [
    Field::new(
        "state",
        FieldKind::Text,
        "scheduled, running, finished, failed or maxxed",
    ),
    Field::new(
        "root_period",
        FieldKind::Integer,
        "Jobs under this topmost period alone",
    ),
    Field::new(
        "limit",
        FieldKind::Count,
        "Most jobs of this answer; 100 if not given, 1000 at most",
    ),
];
const RECALCULATE: [Field; 2] = [
    Field::new(
        "quantitative",
        FieldKind::Flag,
        "Only periods of quantitative indicators",
    ),
    Field::new(
        "all",
        FieldKind::Flag,
        "Every period, instead of those with an approved update; quantitative has no effect then",
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
                "Queues a project and all below it to be computed anew; says how many jobs wait there",
            )
            .open_to(Access::Administer)
            .body(&RECALCULATE)
            .answers(202, "application/json"),
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
    let root_period = params.text("root_period").filter(|root| !root.is_empty());
    let root_period = root_period
        .map(|root| root.parse().map(PeriodId))
        .transpose()
        .map_err(|_not_an_id| {
            let accepted = "must be the id of a period";
            Problem::field(Kind::InvalidParameter, "root_period", accepted)
        })?;
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
                root_period,
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
    mut fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let quantitative = fields.flag("quantitative")?.unwrap_or(false);
    let which = match fields.flag("all")?.unwrap_or(false) {
        true => Recalculation::All,
        false if quantitative => Recalculation::Quantitative,
        false => Recalculation::Reported,
    };
    fields.finish()?;
    let unknown = |text: &str| {
        let detail = format!("project {text} is not stored");
        Problem::field(Kind::InvalidParameter, "project", detail)
    };
    let project = id.parse().map(ProjectId);
    let project = project.map_err(|_not_an_id| unknown(&id))?;
    let n_waiting = app
        .write(
            &caller,
            Right::Edit,
            &[Target::Project(project)],
            move |_app, tx| match tx.recalculate(project, which) {
                Err(Error::NotFound { id, .. }) => Err(unknown(&id)),
                done => Ok(done?),
            },
        )
        .await?;
    tracing::info!(%caller, %project, ?which, n_waiting, "recalculation queued");
    let answer = json!({ "project": project.0, "jobs_waiting": n_waiting });
    Ok((StatusCode::ACCEPTED, Json(answer)))
}
