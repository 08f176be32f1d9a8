//! The guard in front of each route: bounds first, then who asks, then the handler, which may fail, hang or panic.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderMap, Method, StatusCode, Uri, header};
use http_body::Body as _;
use http_body_util::Limited;
use rsr_base::ByteSize;
use rsr_monitoring::Work;

use crate::access::{self, Caller, Claim, Credentials};
use crate::app::App;
use crate::bridge::LightRequest;
use crate::budget::{self, Allowance, Covered};
use crate::metrics::{RouteSeries, RouteSlot};
use crate::problem::{Kind, Problem};
use crate::routes::table::{Access, Operation, Weight};
use crate::server::Peer;

/// What a guard knows of its route.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    app: App,
    operation: Arc<Operation>,
    series: Arc<RouteSeries>,
}

impl Guard {
    pub(crate) fn new(app: App, operation: Operation) -> Self {
        let requests = &app.measure.metrics.requests;
        Self {
            series: requests.route(operation.path, operation.method),
            app,
            operation: Arc::new(operation),
        }
    }
}

/// Lets a request through to its handler, or answers in its place.
pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    if let Some(slot) = request.extensions().get::<RouteSlot>() {
        slot.fill(&guard.series);
    }
    let answered = pass(&guard, request, next).await;
    let response = answered.unwrap_or_else(IntoResponse::into_response);
    let response = told_as_a_problem(response);
    // A handler refuses too, where no stream or connection is free.
    if let Some(problem) = response.extensions().get::<Problem>() {
        let requests = &guard.app.measure.metrics.requests;
        requests.count_shed(problem.kind());
    }
    response
}

/// The router's own refusal of a path whose codes give no text, which is the one refusal that no handler makes.
fn told_as_a_problem(response: Response) -> Response {
    let is_bare = response.extensions().get::<Problem>().is_none();
    if response.status() != StatusCode::BAD_REQUEST || !is_bare {
        return response;
    }
    let detail = "is no text in UTF-8 once its % codes are resolved";
    Problem::field(Kind::InvalidParameter, "path", detail).into_response()
}

async fn pass(guard: &Guard, mut request: Request, next: Next) -> Result<Response, Problem> {
    let Guard { app, operation, .. } = guard;
    let work = match operation.weight {
        Weight::Light => Work::Vital,
        Weight::Normal => Work::Light,
        Weight::Heavy => Work::Heavy,
    };
    app.watch.pressure.admit(work).map_err(|shed| {
        budget::short(budget::named(&shed.largest))
            .after(shed.retry_after)
            .because(shed)
    })?;
    let _waiting = (operation.weight == Weight::Light).then(LightRequest::begin);
    let _place = if operation.weight == Weight::Light {
        None
    } else {
        let place = Arc::clone(&app.in_flight).try_acquire_owned();
        Some(place.map_err(|_all_taken| {
            Problem::busy("too many requests are under way", app.bounds.retry_after)
        })?)
    };
    let claim = claim(app, operation, &request)?;
    let caller = caller(app, claim).await?.enter(operation.access)?;
    request.extensions_mut().insert(caller);
    let settings = app.settings();
    let body_max = settings.server.max_body_bytes.as_usize();
    let time_max = settings.server.request_timeout;
    if let Some(length) = content_length(request.headers()).filter(|length| *length > body_max) {
        return Err(Problem::new(
            Kind::BodyTooLarge,
            format!("the body has {length} bytes, at most {body_max} are taken"),
        ));
    }
    let request = request.map(|body| axum::body::Body::new(Limited::new(body, body_max)));

    // A length that nobody said is one that may grow to the bound.
    let body = content_length(request.headers()).unwrap_or(match request.body().is_end_stream() {
        true => 0,
        false => body_max,
    });
    let body = ByteSize::from_bytes(body as u64);
    let allowance = app.pools.admit(operation, body, &settings)?;
    let run = Allowance::over(allowance.clone(), next.run(request));
    let answer = AssertUnwindSafe(run).catch_unwind();
    match tokio::time::timeout(time_max, answer).await {
        Ok(Ok(response)) => Ok(response.map(|body| Covered::body(body, allowance))),
        Ok(Err(panic)) => Err(Problem::internal(panic_text(&*panic))),
        Err(_elapsed) => Err(Problem::new(
            Kind::Timeout,
            format!("no answer within {} s", time_max.as_secs_f32()),
        )
        .after(app.bounds.retry_after)),
    }
}

/// Who a request says it is from.
fn claim(app: &App, operation: &Operation, request: &Request) -> Result<Claim, Problem> {
    if operation.weight == Weight::Light && operation.access == Access::Read {
        // The same for everybody, and it must answer while the database does not.
        return Ok(Claim::Known(Caller::Anonymous));
    }
    Credentials {
        headers: request.headers(),
        uri: request.uri(),
        peer: request.extensions().get::<Peer>().copied(),
        is_loopback: app.is_loopback,
        token: app.token.as_ref(),
    }
    .claim(operation.access)
}

/// Finds out who that is.
async fn caller(app: &App, claim: Claim) -> Result<Caller, Problem> {
    match claim {
        Claim::Known(caller) => Ok(caller),
        Claim::Bearer(secret) => {
            let store = app.store.clone();
            let find = move || Ok(store.token_holder(&secret)?);
            let holder = app.bridge.run(find).await?;
            Ok(Caller::Holder(holder.ok_or_else(access::no_valid_token)?))
        }
    }
}

/// The length that a body says it has, so that nobody sends what is refused in the end.
fn content_length(headers: &HeaderMap) -> Option<usize> {
    let text = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?;
    // A number that no machine can count is too large as well.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(usize::MAX))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    format!(
        "a handler panicked: {}",
        text.as_deref().unwrap_or("without a text")
    )
}

/// The answer where no route has this path.
pub(crate) async fn no_such_route(uri: Uri) -> Problem {
    Problem::new(
        Kind::NotFound,
        format!(
            "there is no {}; /api/openapi.json lists what there is",
            uri.path()
        ),
    )
}

/// The answer where a route has this path, but not this method.
///
/// Asking what is possible is answered: the router adds `Allow` to this answer too.
pub(crate) async fn no_such_method(method: Method, uri: Uri) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    Problem::new(
        Kind::MethodNotAllowed,
        format!(
            "{method} is not possible on {}: the header Allow names what is",
            uri.path()
        ),
    )
    .into_response()
}
