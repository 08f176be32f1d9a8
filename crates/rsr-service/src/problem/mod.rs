//! Errors as the outside sees them: RFC 9457 problem JSON, made in one place.
//!
//! A handler answers with a [`Problem`]. What it says to the caller ([`Problem::detail`]) is apart from why it happened
//! ([`Problem::because`]), which is logged with the request's id and never sent.

mod from;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

/// The kinds of trouble the API knows. Each has one status, one `type` and one title, and keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum Kind {
    InvalidParameter,
    InvalidBody,
    InvalidCursor,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    BeingDeleted,
    BodyTooLarge,
    HeadTooLarge,
    UriTooLong,
    NotHttp,
    UnsupportedMediaType,
    Busy,
    MemoryPressure,
    Stopping,
    NotWell,
    Timeout,
    Unavailable,
    Internal,
}

impl Kind {
    pub(crate) const ALL: [Self; 21] = [
        Self::InvalidParameter,
        Self::InvalidBody,
        Self::InvalidCursor,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::BeingDeleted,
        Self::BodyTooLarge,
        Self::HeadTooLarge,
        Self::UriTooLong,
        Self::NotHttp,
        Self::UnsupportedMediaType,
        Self::Busy,
        Self::MemoryPressure,
        Self::Stopping,
        Self::NotWell,
        Self::Timeout,
        Self::Unavailable,
        Self::Internal,
    ];

    /// Status, last part of the `type` and title.
    const fn row(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::InvalidParameter => (
                StatusCode::BAD_REQUEST,
                "invalid-parameter",
                "A parameter of the request is not accepted",
            ),
            Self::InvalidBody => (
                StatusCode::BAD_REQUEST,
                "invalid-body",
                "The body of the request is not accepted",
            ),
            Self::InvalidCursor => (
                StatusCode::BAD_REQUEST,
                "invalid-cursor",
                "The cursor does not belong to this request",
            ),
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "A valid token is needed",
            ),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "The method is not allowed here",
            ),
            Self::Conflict => (
                StatusCode::CONFLICT,
                "conflict",
                "The change does not fit what is stored",
            ),
            Self::BeingDeleted => (
                StatusCode::CONFLICT,
                "being-deleted",
                "The project is being deleted",
            ),
            Self::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-too-large",
                "The body of the request is too large",
            ),
            Self::HeadTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "head-too-large",
                "The headers of the request are too large",
            ),
            Self::UriTooLong => (
                StatusCode::URI_TOO_LONG,
                "uri-too-long",
                "The address of the request is too long",
            ),
            Self::NotHttp => (
                StatusCode::BAD_REQUEST,
                "not-http",
                "The request is not HTTP",
            ),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "The body's media type is not accepted",
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "Too many requests at once",
            ),
            Self::MemoryPressure => (
                StatusCode::SERVICE_UNAVAILABLE,
                "memory-pressure",
                "Memory is short",
            ),
            Self::Stopping => (
                StatusCode::SERVICE_UNAVAILABLE,
                "stopping",
                "The service is stopping",
            ),
            Self::NotWell => (
                StatusCode::SERVICE_UNAVAILABLE,
                "not-well",
                "The service is not well",
            ),
            Self::Timeout => (
                StatusCode::SERVICE_UNAVAILABLE,
                "timeout",
                "The request took too long",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "A part that this needs cannot be reached",
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Something went wrong inside",
            ),
        }
    }

    pub(crate) const fn status(self) -> StatusCode {
        self.row().0
    }

    pub(crate) const fn slug(self) -> &'static str {
        self.row().1
    }

    pub(crate) const fn title(self) -> &'static str {
        self.row().2
    }
}

/// One failed request: what is said outside, and what is logged.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            field: None,
            retry_after: None,
            cause: None,
        }
    }

    /// A refused parameter or field of the body, by name.
    pub(crate) fn field(
        kind: Kind,
        field: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            field: Some(field.into()),
            ..Self::new(kind, detail)
        }
    }

    /// The same about a field that goes by another name outside.
    pub(crate) fn renamed(self, inside: &str, outside: &'static str) -> Self {
        match &self.field {
            Some(field) if field == inside => Self {
                field: Some(outside.into()),
                ..self
            },
            _ => self,
        }
    }

    /// A project, result or other thing that is not there, or that the reader may not see: the two look the same.
    pub(crate) fn not_found(what: &str, id: impl fmt::Display) -> Self {
        Self::new(Kind::NotFound, format!("there is no {what} {id}"))
    }

    /// A bound that is reached for now.
    pub(crate) fn busy(detail: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(Kind::Busy, detail)
        }
    }

    /// Something that no caller can mend. Only the log learns what it was.
    pub(crate) fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(
            Kind::Internal,
            "the service could not answer; its log has more under this request's id",
        )
        .because(cause)
    }

    /// Keeps the inward reason for the log.
    pub(crate) fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(Arc::from(cause.into()));
        self
    }

    /// Says when it is worth asking again.
    pub(crate) fn after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// Whether it is one of the database, and the same transaction may be tried again at once.
    pub(crate) fn is_undone(&self) -> bool {
        let cause = self.cause.as_deref();
        let cause = cause.and_then(|cause| cause.downcast_ref::<rsr_store::Error>());
        cause.is_some_and(rsr_store::Error::is_undone)
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    /// The JSON document of this problem.
    pub(crate) fn document(&self, request_id: Option<&str>) -> serde_json::Value {
        let mut document = json!({
            "type": format!("urn:rsr:problem:{}", self.kind.slug()),
            "title": self.kind.title(),
            "status": self.kind.status().as_u16(),
            "detail": self.detail,
        });
        if let Some(field) = &self.field {
            document["field"] = json!(field);
        }
        if let Some(id) = request_id {
            document["request_id"] = json!(id);
        }
        document
    }

    /// Logs it: errors of ours as such, refusals of the caller's for debugging.
    pub(crate) fn log(&self) {
        let cause = self.cause.as_deref().map(chain);
        if matches!(self.kind, Kind::Internal | Kind::Unavailable) {
            tracing::error!(detail = %self.detail, cause = cause.as_deref(), "request failed");
        } else {
            let status = self.kind.status().as_u16();
            tracing::debug!(status, detail = %self.detail, cause = cause.as_deref(), "request refused");
        }
    }

    /// Writes the response of this problem, and logs it.
    pub(crate) fn respond(&self, request_id: Option<&str>) -> Response {
        self.log();
        let status = self.kind.status();
        let mut response = Response::new(Body::from(self.document(request_id).to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"rsr\""),
            );
        }
        response
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

/// Leaves the problem in the response's extensions; the outermost layer, which knows the request's id, writes it out.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Seconds to wait, at least one: `Retry-After: 0` invites a busy loop.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis()
        .div_ceil(1000)
        .clamp(1, 86_400)
        .try_into()
        .unwrap_or(86_400)
}

/// An error and what caused it, outermost first, on one line.
fn chain(error: &(dyn Error + Send + Sync + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
