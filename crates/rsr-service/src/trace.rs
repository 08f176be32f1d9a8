//! Names for requests: an id for people, a trace context for machines (W3C Trace Context).

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use rsr_base::SharedClock;
use tracing::Instrument;
use uuid::Uuid;

use crate::metrics::RouteSlot;
use crate::problem::Problem;
use crate::telemetry::{Span, Spans};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// A caller's place in a trace that began elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TraceParent {
    trace: String,
    span: String,
    flags: String,
}

impl TraceParent {
    /// Whether the caller records this trace.
    fn is_sampled(&self) -> bool {
        u8::from_str_radix(&self.flags, 16).is_ok_and(|flags| flags & 1 == 1)
    }
}

/// Gives each request its id and span, and writes out the problem that an inner layer left in the response.
///
/// This is the outermost layer, so that no answer leaves without an id.
pub(crate) async fn identify(
    State((spans, clock)): State<(Spans, SharedClock)>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = own_or_new_id(request.headers());
    let parent = trace_parent(request.headers());
    let span = tracing::info_span!(
        "request",
        id = %id,
        method = %request.method(),
        path = request.uri().path(),
        trace = parent.as_ref().map(|parent| parent.trace.as_str()),
    );
    let slot = RouteSlot::default();
    request.extensions_mut().insert(slot.clone());
    let span_id = format!("{:016x}", Uuid::new_v4().as_u64_pair().0);
    // A trace that its caller does not record is not recorded here either.
    let is_recorded = spans.is_on() && parent.as_ref().is_none_or(TraceParent::is_sampled);
    let asked = is_recorded.then(|| {
        let path = request.uri().path().to_owned();
        (clock.wall(), request.method().to_string(), path)
    });
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let written = span.in_scope(|| problem.respond(Some(&id)));
        let (head, body) = written.into_parts();
        *response.body_mut() = body;
        *response.status_mut() = head.status;
        response.headers_mut().extend(head.headers);
    }
    if let Some((began, method, path)) = asked {
        let trace = parent.as_ref().map_or_else(
            || Uuid::new_v4().simple().to_string(),
            |parent| parent.trace.clone(),
        );
        spans.record(Span {
            trace,
            id: span_id.clone(),
            parent: parent.as_ref().map(|parent| parent.span.clone()),
            name: slot.name().unwrap_or_else(|| method.clone()),
            method,
            path,
            status: response.status().as_u16(),
            began,
            ended: clock.wall(),
        });
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(&id) {
        headers.insert(REQUEST_ID, value);
    }
    if let Some(parent) = parent {
        let text = format!("00-{}-{span_id}-{}", parent.trace, parent.flags);
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(TRACERESPONSE, value);
        }
    }
    response
}

/// The caller's own `X-Request-Id` where it is harmless in logs and headers, else a new one.
fn own_or_new_id(headers: &HeaderMap) -> String {
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| (1..=64).contains(&id.len()))
        .filter(|id| {
            id.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        })
        .map_or_else(|| Uuid::new_v4().simple().to_string(), str::to_owned)
}

/// Reads `00-<32 hex>-<16 hex>-<2 hex>`; one that breaks the rules is treated as absent, as the standard asks.
fn trace_parent(headers: &HeaderMap) -> Option<TraceParent> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |part: &str, length: usize| {
        part.len() == length
            && part
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_set = |part: &str| part.bytes().any(|byte| byte != b'0');
    let later_version = version != "00";
    (is_hex(version, 2)
        && version != "ff"
        && (later_version || parts.next().is_none())
        && is_hex(trace, 32)
        && is_set(trace)
        && is_hex(span, 16)
        && is_set(span)
        && is_hex(flags, 2))
    .then(|| TraceParent {
        trace: trace.to_owned(),
        span: span.to_owned(),
        flags: flags.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(traceparent: &str, is_taken: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_str(traceparent).unwrap());
        assert_eq!(trace_parent(&headers).is_some(), is_taken, "{traceparent}");
    }

    #[test]
    fn only_well_formed_trace_contexts_are_taken() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let span = "00f067aa0ba902b7";
        check(&format!("00-{trace}-{span}-01"), true);
        check(&format!("cc-{trace}-{span}-01-later"), true);
        check(&format!("00-{trace}-{span}-01-later"), false);
        check(&format!("ff-{trace}-{span}-01"), false);
        check(&format!("00-{}-{span}-01", "0".repeat(32)), false);
        check(&format!("00-{trace}-{}-01", "0".repeat(16)), false);
        check(&format!("00-{}-{span}-01", trace.to_uppercase()), false);
        check("00-abc-def-01", false);
        check("", false);
    }

    #[test]
    fn a_harmful_request_id_is_replaced() {
        let id_for = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(text).unwrap());
            own_or_new_id(&headers)
        };
        assert_eq!(id_for("build-12.a_b"), "build-12.a_b");
        assert_eq!(id_for("has space").len(), 32);
        assert_eq!(id_for(&"x".repeat(65)).len(), 32);
    }
}
