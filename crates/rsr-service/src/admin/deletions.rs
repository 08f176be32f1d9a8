//! The deletion tracker: figures and sweeps.

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::routing::{get, post};
use serde_json::Value;

use crate::access::Caller;
use crate::app::App;
use crate::problem::Problem;
use crate::routes::table::{Field, FieldKind, Operation, Route};
use crate::wire::{self, Fields};

const SWEEP: [Field; 1] = [Field::new(
    "dry_run",
    FieldKind::Flag,
    "Lists what is stale, and removes nothing",
)];

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route {
            operation: Operation::admin(
                "GET",
                "/admin/v1/deletions/",
                "deletion_stats",
                "Figures of the deletion tracker",
            ),
            handler: get(stats),
        },
        Route {
            operation: Operation::admin(
                "POST",
                "/admin/v1/deletions/cleanup/",
                "deletion_cleanup",
                "Removes stale deletions",
            )
            .body(&SWEEP),
            handler: post(cleanup),
        },
    ]
}

async fn stats(State(app): State<App>) -> Json<Value> {
    Json(wire::deletions(&app.deletions.stats()))
}

async fn cleanup(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let dry_run = fields.flag("dry_run")?.unwrap_or(false);
    fields.finish()?;
    let tracker = app.deletions.clone();
    // On a thread that may wait: other machines are told.
    let swept = app
        .bridge
        .run_vital(move || Ok(tracker.sweep(dry_run)))
        .await?;
    let swept = wire::sweep(&swept);
    tracing::info!(%caller, dry_run, removed = %swept["removed"], "deletion tracker swept");
    Ok(Json(swept))
}
