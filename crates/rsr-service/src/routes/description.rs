//! The API's description of itself.

use axum::Json;
use axum::routing::get;

use super::table::{Operation, Route};
use crate::openapi;

pub(super) fn routes() -> Vec<Route> {
    vec![Route {
        operation: Operation::get(
            "/api/openapi.json",
            "describe",
            "This description, as OpenAPI 3.1",
        )
        .light(),
        handler: get(|| async {
            Json(openapi::describe(
                super::public_routes().iter().map(|route| &route.operation),
            ))
        }),
    }]
}
