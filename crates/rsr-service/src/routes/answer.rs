//! From what a thread wrote to a response: media type, coding, `ETag`.

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::bridge::{Encoding, Reply};
use crate::problem::Problem;

/// What a request's headers say about its answer.
#[derive(Clone, Debug)]
pub(super) struct Negotiated {
    pub(super) encoding: Encoding,
    if_none_match: Option<String>,
}

impl Negotiated {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            encoding: text(header::ACCEPT_ENCODING).map_or(Encoding::Identity, encoding),
            if_none_match: text(header::IF_NONE_MATCH).map(str::to_owned),
        }
    }

    /// Whether the client has an answer of this tag, strong or weak.
    pub(super) fn knows(&self, etag: &str) -> bool {
        let etag = etag.strip_prefix("W/").unwrap_or(etag);
        self.if_none_match.as_deref().is_some_and(|known| {
            known
                .split(',')
                .map(str::trim)
                .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
        })
    }
}

/// JSON, in one piece with an `ETag` of its bytes or as a stream with the tag of its version, where it has one. An answer
/// the client has already is 304 without a body.
pub(super) fn json(reply: Reply, version: Option<&str>, negotiated: &Negotiated) -> Response {
    match reply {
        Reply::Stream(body) => {
            let mut response = stream(body, "application/json", negotiated);
            tag(&mut response, version);
            response
        }
        Reply::Whole(bytes) => {
            let etag = etag(&bytes);
            if negotiated.knows(&etag) {
                return not_modified(&etag);
            }
            let mut response = stream(Body::from(bytes), "application/json", negotiated);
            tag(&mut response, Some(&etag));
            response
        }
    }
}

/// The answer to a client that has what was asked for.
pub(super) fn not_modified(etag: &str) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    let vary = HeaderValue::from_static("accept-encoding, authorization");
    response.headers_mut().insert(header::VARY, vary);
    tag(&mut response, Some(etag));
    response
}

fn tag(response: &mut Response, etag: Option<&str>) {
    if let Some(etag) = etag.and_then(|etag| HeaderValue::try_from(etag).ok()) {
        response.headers_mut().insert(header::ETAG, etag);
    }
}

/// A JSON value in one piece, with an `ETag`.
pub(super) fn value(value: &Value, negotiated: &Negotiated) -> Result<Response, Problem> {
    let bytes = serde_json::to_vec(value).map_err(Problem::internal)?;
    Ok(shared_json(&bytes.into(), negotiated))
}

/// JSON that is kept, of a private answer: one piece with an `ETag`.
pub(super) fn shared_json(bytes: &Bytes, negotiated: &Negotiated) -> Response {
    let plain = Negotiated {
        encoding: Encoding::Identity,
        ..negotiated.clone()
    };
    json(Reply::Whole(bytes.clone()), None, &plain)
}

/// The answer to what was made: where it is, and its id.
pub(super) fn created(path: &str, id: i64) -> Response {
    let location = format!("/api/v1/{path}/{id}/");
    let head = [(header::LOCATION, location)];
    (StatusCode::CREATED, head, Json(json!({ "id": id }))).into_response()
}

/// A body of this media type, coded as negotiated.
pub(super) fn stream(body: Body, media: &'static str, negotiated: &Negotiated) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::VARY,
        HeaderValue::from_static("accept-encoding, authorization"),
    );
    let coding = match negotiated.encoding {
        Encoding::Identity => None,
        Encoding::Gzip => Some("gzip"),
        Encoding::Zstd => Some("zstd"),
    };
    if let Some(coding) = coding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

/// The coding that is accepted with the greatest weight above zero, by name or by `*`; zstd before gzip where both are
/// as welcome.
fn encoding(accepted: &str) -> Encoding {
    let named = |wanted: &str| {
        accepted.split(',').find_map(|range| {
            let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
            name.trim().eq_ignore_ascii_case(wanted).then(|| {
                parameters
                    .trim()
                    .strip_prefix("q=")
                    .map_or(1.0, |q| q.trim().parse::<f32>().unwrap_or(0.0))
            })
        })
    };
    let weight = |wanted| named(wanted).or_else(|| named("*")).unwrap_or(0.0);
    let (gzip, zstd) = (weight("gzip"), weight("zstd"));
    if zstd > 0.0 && zstd >= gzip {
        Encoding::Zstd
    } else if gzip > 0.0 {
        Encoding::Gzip
    } else {
        Encoding::Identity
    }
}

/// A strong tag of these bytes.
fn etag(bytes: &[u8]) -> String {
    use std::fmt::Write;

    let digest = Sha256::digest(bytes);
    let mut tag = String::from("\"");
    for byte in digest.iter().take(16) {
        write!(tag, "{byte:02x}").expect("a String takes whatever is written to it");
    }
    tag.push('"');
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_encoding(accepted: &str, expected: Encoding) {
        assert_eq!(encoding(accepted), expected, "{accepted}");
    }

    #[test]
    fn the_most_welcome_coding_is_used() {
        check_encoding("gzip", Encoding::Gzip);
        check_encoding("br, GZIP;q=0.5", Encoding::Gzip);
        check_encoding("gzip, zstd", Encoding::Zstd);
        check_encoding("gzip, zstd;q=0.5", Encoding::Gzip);
        check_encoding("gzip;q=0, zstd;q=0", Encoding::Identity);
        check_encoding("*", Encoding::Zstd);
        check_encoding("gzip;q=0", Encoding::Identity);
        check_encoding("gzip;q=0, *", Encoding::Zstd);
        check_encoding("identity", Encoding::Identity);
        check_encoding("", Encoding::Identity);
    }

    #[test]
    fn an_answer_the_client_has_is_not_sent_again() {
        let reply = || Reply::Whole(Bytes::from_static(b"[]"));
        let ask = |known: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(known) = known {
                headers.insert(header::IF_NONE_MATCH, known.parse().unwrap());
            }
            json(reply(), None, &Negotiated::of(&headers))
        };
        let first = ask(None);
        let etag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert_eq!(ask(Some(&etag)).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(
            ask(Some(&format!("\"x\", W/{etag}"))).status(),
            StatusCode::NOT_MODIFIED
        );
        assert_eq!(ask(Some("\"x\"")).status(), StatusCode::OK);
    }
}
