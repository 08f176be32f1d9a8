//! The dashboard: pages that need nothing from elsewhere, whose figures are there without a script.
//!
//! ```text
//!  /                       ┐
//!  /dashboard/projects/…   ├─ page: head, sections, foot ─▶ reader, with or without a script
//!  /dashboard/flame/       ┘
//!  /dashboard/events/      ─── the same sections, each when it has changed ─▶ the script, which puts it in its place
//! ```
//!
//! One function writes each section, for the page and for what follows it, so what is shown live and what is shown at
//! once cannot differ. The buttons are on the pages of the admin listener alone; what they ask is the admin routes,
//! which want the token as from anybody else.

mod chart;
mod desk;
mod events;
mod flame;
mod page;
mod projects;
mod range;
mod sections;
mod text;

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, header};
use uuid::Uuid;

use crate::app::App;
use crate::health::Health;
use crate::params::Params;
use crate::problem::Problem;
use crate::routes::table::{Field, FieldKind, Operation, Route};
pub(crate) use events::FOLLOWERS_MAX;
pub(crate) use flame::Drawn;
use page::Page;
use range::Range;

/// Whether a page has the buttons of administration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Desk {
    /// It only shows.
    None,
    /// It is on the admin listener.
    Buttons,
}

const QUERY: [Field; 1] =
    [Field::new("range", FieldKind::Line, "How far back memory is drawn").one_of(&Range::NAMES)];

pub(crate) fn routes(desk: Desk) -> Vec<Route> {
    let show = Route {
        operation: Operation::get("/", "dashboard", "The dashboard")
            .light()
            .query(&QUERY)
            .answers(200, "text/html"),
        handler: get(show),
    };
    let mut routes = vec![show, events::route(&QUERY), flame::route()];
    routes.extend(projects::routes());
    for route in &mut routes {
        let handler = std::mem::take(&mut route.handler);
        route.handler = handler.layer(Extension(desk));
    }
    routes
}

fn range(query: Option<&str>) -> Result<Range, Problem> {
    let mut params = Params::parse(query)?;
    let range = Range::parse(params.text("range").as_deref())?;
    params.finish()?;
    Ok(range)
}

async fn show(
    State(app): State<App>,
    Extension(desk): Extension<Desk>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let range = range(query.as_deref())?;
    let work = app.clone();
    let sections = app
        .bridge
        .run_vital(move || Ok(sections::all(&work, &Health::of(&work), range)))
        .await?;
    Ok(respond(&Page {
        title: "rsr",
        desk,
        refreshes: true,
        main: &page::home(&sections, desk),
    }))
}

/// A page as an answer: kept by nobody, and unable to load or run anything that is not its own.
fn respond(page: &Page<'_>) -> Response {
    let nonce = Uuid::new_v4().simple().to_string();
    let mut response = page.write(&nonce).into_response();
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src data:; \
         connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
