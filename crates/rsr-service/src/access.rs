//! Who asks, and whether they may.

use std::fmt;

use http::{HeaderMap, Uri, header};
use rsr_hierarchy::Viewer;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::problem::{Kind, Problem};
use crate::routes::table::Access;
use crate::server::Peer;

/// The service's token, kept as a digest: it is compared in constant time and cannot be printed.
#[derive(Clone)]
pub(crate) struct Token([u8; 32]);

impl Token {
    pub(crate) fn new(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    fn is(&self, text: &[u8]) -> bool {
        let other: [u8; 32] = Sha256::digest(text).into();
        self.0.ct_eq(&other).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// Who asks, in each request's extensions once its guard has let it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Nobody in particular: sees what is public.
    Anonymous,
    /// A holder of the service's token.
    Token,
    /// Somebody on this machine who writes without a token, which loopback allows.
    Local,
    /// A user of this machine, over the admin socket.
    Admin { uid: u32 },
}

impl Caller {
    /// What the hierarchy may show them.
    pub(crate) const fn viewer(&self) -> Viewer {
        match self {
            Self::Anonymous => Viewer::Anonymous,
            Self::Token | Self::Local | Self::Admin { .. } => Viewer::Administrator,
        }
    }
}

/// The name that logs show.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Token => f.write_str("token"),
            Self::Local => f.write_str("local"),
            Self::Admin { uid } => write!(f, "uid {uid}"),
        }
    }
}

/// What of a request decides about access.
#[derive(Debug)]
pub(crate) struct Credentials<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) uri: &'a Uri,
    pub(crate) peer: Option<Peer>,
    /// Whether the public listener is bound to loopback alone.
    pub(crate) is_loopback: bool,
    pub(crate) token: Option<&'a Token>,
}

impl Credentials<'_> {
    /// Decides. A token that is wrong is refused even where none is needed.
    pub(crate) fn caller(&self, access: Access) -> Result<Caller, Problem> {
        if let Some(Peer::Unix { uid }) = self.peer {
            return Ok(Caller::Admin { uid });
        }
        if let Some(given) = self.headers.get(header::AUTHORIZATION) {
            return match (bearer(given.as_bytes()), self.token) {
                (Some(given), Some(token)) if token.is(given) => Ok(Caller::Token),
                _ => Err(Problem::new(
                    Kind::Unauthorized,
                    "the Authorization header holds no valid bearer token",
                )),
            };
        }
        match access {
            Access::Read => Ok(Caller::Anonymous),
            Access::Write if self.is_loopback => self.local_writer(),
            Access::Write | Access::Admin => Err(Problem::new(
                Kind::Unauthorized,
                "send the service's token: Authorization: Bearer …",
            )),
        }
    }

    /// Without a token, only programs of this machine write: not a web page that a browser here has open, be it by its
    /// own origin or by a name that it made point here.
    fn local_writer(&self) -> Result<Caller, Problem> {
        let host = self
            .headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
            .or_else(|| self.uri.authority().map(http::uri::Authority::as_str));
        let origin = self.headers.get(header::ORIGIN);
        let same_origin = origin.is_none_or(|origin| {
            let origin = origin.to_str().unwrap_or("");
            host.is_some_and(|host| origin.strip_prefix("http://") == Some(host))
        });
        if same_origin && host.is_none_or(names_this_machine) {
            Ok(Caller::Local)
        } else {
            Err(Problem::new(
                Kind::Forbidden,
                "a write without a token must come from a program of this machine",
            ))
        }
    }
}

fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
        .filter(|token| !token.is_empty())
}

fn names_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(
        access: Access,
        is_loopback: bool,
        headers: &[(&'static str, &str)],
        expected: Result<Caller, Kind>,
    ) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let token = Token::new("s3cret");
        let caller = Credentials {
            headers: &map,
            uri: &Uri::from_static("/"),
            peer: None,
            is_loopback,
            token: Some(&token),
        }
        .caller(access);
        assert_eq!(
            caller.map_err(|problem| problem.kind()),
            expected,
            "{headers:?}"
        );
    }

    #[test]
    fn tokens_decide_and_loopback_writes_without_one() {
        let good = ("authorization", "Bearer s3cret");
        let bad = ("authorization", "Bearer s3cre");
        check(Access::Read, false, &[], Ok(Caller::Anonymous));
        check(Access::Read, false, &[good], Ok(Caller::Token));
        check(
            Access::Read,
            false,
            &[("authorization", "bearer  s3cret ")],
            Ok(Caller::Token),
        );
        check(Access::Read, true, &[bad], Err(Kind::Unauthorized));
        check(
            Access::Read,
            true,
            &[("authorization", "Basic s3cret")],
            Err(Kind::Unauthorized),
        );
        check(Access::Write, false, &[], Err(Kind::Unauthorized));
        check(Access::Write, false, &[good], Ok(Caller::Token));
        check(Access::Write, true, &[], Ok(Caller::Local));
        check(Access::Admin, true, &[], Err(Kind::Unauthorized));
        check(Access::Admin, true, &[good], Ok(Caller::Token));
    }

    #[test]
    fn a_web_page_cannot_write_through_the_browser_of_this_machine() {
        let local = ("host", "127.0.0.1:8000");
        check(Access::Write, true, &[local], Ok(Caller::Local));
        check(
            Access::Write,
            true,
            &[("host", "[::1]:8000")],
            Ok(Caller::Local),
        );
        check(
            Access::Write,
            true,
            &[("host", "LOCALHOST")],
            Ok(Caller::Local),
        );
        check(
            Access::Write,
            true,
            &[("host", "rebound.example:8000")],
            Err(Kind::Forbidden),
        );
        let foreign = ("origin", "https://elsewhere.example");
        check(Access::Write, true, &[local, foreign], Err(Kind::Forbidden));
        let own = ("origin", "http://127.0.0.1:8000");
        check(Access::Write, true, &[local, own], Ok(Caller::Local));
        check(
            Access::Write,
            true,
            &[local, ("origin", "null")],
            Err(Kind::Forbidden),
        );
    }

    #[test]
    fn a_token_is_never_printed() {
        assert_eq!(format!("{:?}", Token::new("s3cret")), "Token(***)");
    }
}
