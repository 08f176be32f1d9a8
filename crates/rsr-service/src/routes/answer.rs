//! From what a thread wrote to a response: media type, coding, `ETag`.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::bridge::{Encoding, Reply};

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

/// JSON, in one piece with an `ETag` or as a stream. An answer the client has already is 304 without a body.
pub(super) fn json(reply: Reply, negotiated: &Negotiated) -> Response {
    match reply {
        Reply::Stream(body) => stream(body, "application/json", negotiated),
        Reply::Whole(bytes) => {
            let etag = etag(&bytes);
            let mut response = if negotiated.knows(&etag) {
                StatusCode::NOT_MODIFIED.into_response()
            } else {
                stream(Body::from(bytes), "application/json", negotiated)
            };
            if let Ok(etag) = HeaderValue::try_from(etag) {
                response.headers_mut().insert(header::ETAG, etag);
            }
            response
        }
    }
}

/// JSON that is kept, of a private answer: one piece with an `ETag`.
pub(super) fn shared_json(bytes: &Bytes, negotiated: &Negotiated) -> Response {
    let plain = Negotiated {
        encoding: Encoding::Identity,
        ..negotiated.clone()
    };
    json(Reply::Whole(bytes.clone()), &plain)
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
    if negotiated.encoding == Encoding::Gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Gzip where it is accepted with a weight above zero, by name or by `*`.
fn encoding(accepted: &str) -> Encoding {
    let weight = |wanted: &str| {
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
    let gzip = weight("gzip").or_else(|| weight("*")).unwrap_or(0.0);
    if gzip > 0.0 {
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
    fn gzip_is_used_where_it_is_accepted() {
        check_encoding("gzip", Encoding::Gzip);
        check_encoding("br, GZIP;q=0.5", Encoding::Gzip);
        check_encoding("*", Encoding::Gzip);
        check_encoding("gzip;q=0", Encoding::Identity);
        check_encoding("gzip;q=0, *", Encoding::Identity);
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
            json(reply(), &Negotiated::of(&headers))
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
