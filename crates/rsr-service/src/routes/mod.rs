//! What the service answers: a table of routes, a module per subject.

mod answer;
mod description;
mod health;
mod hierarchy;
mod iati;
mod items;
mod jobs;
mod link;
mod metrics;
mod projects;
mod report;
mod results;
pub(crate) mod table;
mod updates;

use axum::Router;
use axum::middleware::from_fn_with_state;

use crate::admin;
use crate::app::App;
use crate::dashboard::{self, Desk};
use crate::trace;
pub(crate) use health::memory_health;
use table::Route;

/// Every public route.
pub(crate) fn public_routes() -> Vec<Route> {
    shared(Desk::None)
}

fn shared(desk: Desk) -> Vec<Route> {
    [
        hierarchy::routes(),
        projects::routes(),
        items::routes(),
        results::routes(),
        updates::routes(),
        report::routes(),
        jobs::routes(),
        iati::routes(),
        health::routes(),
        dashboard::routes(desk),
        metrics::routes(),
        description::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Every route of the admin socket: those of the public side, and the administration.
pub(crate) fn admin_routes() -> Vec<Route> {
    let mut routes = shared(Desk::Buttons);
    routes.extend(admin::routes());
    routes
}

/// The service as the public listener shows it.
pub(crate) fn public(app: &App) -> Router {
    outside(table::router(public_routes(), app), app)
}

/// The service as the admin socket and the admin listener show it.
pub(crate) fn admin(app: &App) -> Router {
    outside(table::router(admin_routes(), app), app)
}

/// What every answer goes through, those of no route too: its name, and its measure.
fn outside(router: Router, app: &App) -> Router {
    router.layer(app.measure.layer()).layer(from_fn_with_state(
        (app.spans.clone(), app.clock.clone()),
        trace::identify,
    ))
}
