//! The dashboard: one page that needs nothing from elsewhere, whose figures are there without a script.
//!
//! The page is written anew at each request. Its script asks for the page again every few seconds and puts the new main
//! part in the old one's place, so what is shown live and what is shown at once cannot differ.

mod chart;
mod page;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, header};
use uuid::Uuid;

use crate::app::App;
use crate::health::Health;
use crate::problem::Problem;
use crate::routes::table::{Operation, Route};

pub(crate) fn routes() -> Vec<Route> {
    vec![Route {
        operation: Operation::get("/", "dashboard", "The dashboard")
            .light()
            .answers(200, "text/html"),
        handler: get(show),
    }]
}

async fn show(State(app): State<App>) -> Result<Response, Problem> {
    let nonce = Uuid::new_v4().simple().to_string();
    let asked = app.clone();
    let health = app.bridge.run_vital(move || Ok(Health::of(&asked))).await?;
    let mut response = page::write(&app, &health, &nonce).into_response();
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}
