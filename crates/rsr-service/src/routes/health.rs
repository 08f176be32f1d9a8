//! Is it alive, is it ready.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use serde_json::json;

use super::table::{Operation, Route};
use crate::app::App;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route {
            operation: Operation::get("/health/live", "health_live", "Whether the process answers")
                .light(),
            handler: get(live),
        },
        Route {
            operation: Operation::get(
                "/health/ready",
                "health_ready",
                "Whether requests should be sent here; 503 with reasons where not",
            )
            .light(),
            handler: get(ready),
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
