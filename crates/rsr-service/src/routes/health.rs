//! Is it alive, is it ready, are its parts well.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use serde_json::json;

use super::table::{Operation, Route};
use crate::app::App;
use crate::health::Health;
use crate::problem::Problem;

pub(super) fn routes() -> Vec<Route> {
    let light = |path, id, about| Operation::get(path, id, about).light();
    vec![
        Route {
            operation: light("/health/live", "health_live", "Whether the process answers"),
            handler: get(live),
        },
        Route {
            operation: light(
                "/health/ready",
                "health_ready",
                "Whether requests should be sent here; 503 with reasons where not",
            ),
            handler: get(ready),
        },
        Route {
            operation: light(
                "/health/memory",
                "health_memory",
                "How every part is; 503 where one fails",
            ),
            handler: get(memory),
        },
    ]
}

async fn live() -> Response {
    Json(json!({ "status": "alive" })).into_response()
}

async fn ready(State(app): State<App>) -> Response {
    let reasons = app.reasons_not_ready();
    let (status, word) = if reasons.is_empty() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    (status, Json(json!({ "status": word, "reasons": reasons }))).into_response()
}

async fn memory(State(app): State<App>) -> Result<Response, Problem> {
    memory_health(&app).await
}

/// The same answer for everybody and for administration.
pub(crate) async fn memory_health(app: &App) -> Result<Response, Problem> {
    let health = match Health::at_hand(app) {
        Some(health) => health,
        None => {
            let asked = app.clone();
            app.bridge.run_vital(move || Ok(Health::of(&asked))).await?
        }
    };
    let status = if health.is_failing() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    Ok((status, Json(health)).into_response())
}
