//! The results of a project, and the reports on a period, as they stand.

use axum::Extension;
use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::HeaderMap;
use rsr_base::{PeriodId, ProjectId};
use rsr_hierarchy::Viewer;
use rsr_store::UpdateStatus;
use serde_json::Value;

use super::answer::{self, Negotiated};
use super::table::{Operation, Route};
use crate::access::Caller;
use crate::app::App;
use crate::params::{self, Params};
use crate::problem::Problem;
use crate::wire::{self, NestedArray, ResultJson};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route {
            operation: Operation::get(
                "/api/v1/projects/{id}/results/",
                "results",
                "A project's results with aggregated values and disaggregations",
            )
            .heavy(),
            handler: get(results),
        },
        Route {
            operation: Operation::get(
                "/api/v1/periods/{id}/updates/",
                "updates",
                "The reports on a period, newest first",
            ),
            handler: get(updates),
        },
    ]
}

/// Results read at a time.
const CHUNK: usize = 20;

async fn results(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let project: ProjectId = params::id("project", &id)?;
    Params::parse(query.as_deref())?.finish()?;
    let negotiated = Negotiated::of(&headers);
    let viewer = caller.viewer();
    let work = app.clone();
    let ((), reply) = app
        .bridge
        .answer(move |opening| {
            let reader = work.reader(project, &caller);
            work.caches.require_visible(&reader)?;
            let mut writer = opening.send(()).encoded(negotiated.encoding);
            work.caches.results(&reader, &mut writer, |snapshot, out| {
                let mut array = NestedArray::begin(out, false)?;
                let mut after = None;
                loop {
                    let rows = snapshot.results_seen_by(viewer, project, after, CHUNK)?;
                    let is_last = rows.len() < CHUNK;
                    after = rows.last().map(|row| row.id);
                    for row in rows {
                        array.push(1, &ResultJson::from(row))?;
                    }
                    array.flush()?;
                    if is_last {
                        break;
                    }
                }
                array.end()?;
                Ok(())
            })?;
            writer.finish()?;
            Ok(())
        })
        .await?;
    Ok(answer::json(reply, None, &negotiated))
}

async fn updates(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let period: PeriodId = params::id("period", &id)?;
    let work = app.clone();
    let updates: Vec<Value> = app
        .bridge
        .run(move || {
            let snapshot = work.store.snapshot()?;
            let project = snapshot.project_of_period(period)?;
            let reader = work.reader(project, &caller);
            work.caches
                .require_visible(&reader)
                .map_err(|_hidden| Problem::not_found("period", period))?;
            let rows = snapshot.updates(period)?;
            // What is not approved is between those who report and those who approve.
            let shows_all = match caller.viewer() {
                Viewer::Anonymous => false,
                Viewer::User(user) => snapshot.role_in(project, user)?.is_some(),
                Viewer::Administrator => true,
            };
            let shown = rows
                .iter()
                .filter(|row| shows_all || row.status == UpdateStatus::Approved);
            Ok(shown.map(wire::update).collect())
        })
        .await?;
    Ok(Json(updates).into_response())
}
