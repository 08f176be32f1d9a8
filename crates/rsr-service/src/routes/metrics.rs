//! What Prometheus reads.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderValue, header};
use rsr_monitoring::Format;

use super::table::{Operation, Route};
use crate::app::App;
use crate::problem::Problem;

pub(super) fn routes() -> Vec<Route> {
    vec![Route {
        operation: Operation::get(
            "/metrics/",
            "metrics",
            "Every metric, as Prometheus text or, where the Accept header asks for it, OpenMetrics",
        )
        .light()
        .answers(200, "text/plain"),
        handler: get(scrape),
    }]
}

async fn scrape(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    if !app.settings().monitoring.prometheus_enabled {
        return Err(Problem::not_found("route", "/metrics/: it is switched off"));
    }
    let format = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .map_or(Format::Text, Format::from_accept);
    let body = app.measure.metrics.registry.scrape(format);
    let media = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static(format.content_type()),
    )];
    Ok((media, body).into_response())
}
