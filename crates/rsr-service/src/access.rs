//! Who asks, and whether they may.

use std::fmt;

use http::{HeaderMap, Uri, header};
use rsr_hierarchy::Viewer;
use rsr_store::{TokenHolder, TokenScope};
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
    /// A holder of one of the database's tokens.
    Holder(TokenHolder),
}

impl Caller {
    /// What the hierarchy may show them.
    pub(crate) const fn viewer(&self) -> Viewer {
        match self {
            Self::Anonymous => Viewer::Anonymous,
            Self::Token | Self::Local | Self::Admin { .. } => Viewer::Administrator,
            Self::Holder(holder) if holder.is_admin => Viewer::Administrator,
            Self::Holder(holder) => Viewer::User(holder.user),
        }
    }

    /// What they may do at all, whatever their rights in a project.
    const fn scope(&self) -> TokenScope {
        match self {
            Self::Anonymous => TokenScope::Read,
            Self::Token | Self::Local | Self::Admin { .. } => TokenScope::Admin,
            Self::Holder(holder) => holder.scope,
        }
    }

    /// Refuses a route that is not for them.
    pub(crate) fn enter(self, access: Access) -> Result<Self, Problem> {
        let needed = match access {
            Access::Read | Access::LoggedIn => TokenScope::Read,
            Access::Write | Access::Administer => TokenScope::Write,
            Access::Admin => TokenScope::Admin,
        };
        let for_administrators = matches!(access, Access::Administer | Access::Admin);
        if for_administrators && self.viewer() != Viewer::Administrator {
            return Err(Problem::new(
                Kind::Forbidden,
                "this is for administrators alone",
            ));
        }
        if self.scope() < needed {
            return Err(Problem::new(
                Kind::Forbidden,
                format!("this needs a token of scope {}", needed.code()),
            ));
        }
        Ok(self)
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
            Self::Holder(holder) => write!(f, "user {} token {:?}", holder.user, holder.name),
        }
    }
}

/// Who a request says it is from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// That is settled.
    Known(Caller),
    /// Whoever holds this token, which the database may know.
    Bearer(Vec<u8>),
}

/// The refusal of a token that opens nothing: unknown, expired and revoked look the same.
pub(crate) fn no_valid_token() -> Problem {
    Problem::new(
        Kind::Unauthorized,
        "the Authorization header holds no valid bearer token",
    )
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
    /// Decides as far as the request alone tells. A token that is wrong is refused even where none is needed.
    pub(crate) fn claim(&self, access: Access) -> Result<Claim, Problem> {
        if let Some(Peer::Unix { uid }) = self.peer {
            return Ok(Claim::Known(Caller::Admin { uid }));
        }
        let mut given = self.headers.get_all(header::AUTHORIZATION).iter();
        if let Some(first) = given.next() {
            return match bearer(first.as_bytes()) {
                _ if given.next().is_some() => Err(no_valid_token()),
                None => Err(no_valid_token()),
                Some(text) if self.token.is_some_and(|token| token.is(text)) => {
                    Ok(Claim::Known(Caller::Token))
                }
                Some(text) => Ok(Claim::Bearer(text.to_vec())),
            };
        }
        let caller = match access {
            Access::Read => Caller::Anonymous,
            Access::LoggedIn | Access::Write | Access::Administer if self.is_loopback => {
                self.local_writer()?
            }
            Access::LoggedIn | Access::Write | Access::Administer | Access::Admin => {
                return Err(Problem::new(
                    Kind::Unauthorized,
                    "send a token: Authorization: Bearer …",
                ));
            }
        };
        Ok(Claim::Known(caller))
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
        expected: Result<Claim, Kind>,
    ) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let token = Token::new("s3cret");
        let uri = Uri::from_static("/");
        let credentials = Credentials {
            headers: &map,
            uri: &uri,
            peer: None,
            is_loopback,
            token: Some(&token),
        };
        let claim = credentials.claim(access);
        assert_eq!(
            claim.map_err(|problem| problem.kind()),
            expected,
            "{headers:?}"
        );
    }

    const ANONYMOUS: Result<Claim, Kind> = Ok(Claim::Known(Caller::Anonymous));
    const TOKEN: Result<Claim, Kind> = Ok(Claim::Known(Caller::Token));
    const LOCAL: Result<Claim, Kind> = Ok(Claim::Known(Caller::Local));

    #[test]
    fn tokens_decide_and_loopback_writes_without_one() {
        let good = ("authorization", "Bearer s3cret");
        let bad = ("authorization", "Bearer s3cre");
        check(Access::Read, false, &[], ANONYMOUS);
        check(Access::Read, false, &[good], TOKEN);
        check(
            Access::Read,
            false,
            &[("authorization", "bearer  s3cret ")],
            TOKEN,
        );
        check(
            Access::Read,
            true,
            &[bad],
            Ok(Claim::Bearer(b"s3cre".to_vec())),
        );
        check(
            Access::Read,
            true,
            &[("authorization", "Basic s3cret")],
            Err(Kind::Unauthorized),
        );
        check(Access::Write, false, &[], Err(Kind::Unauthorized));
        check(Access::Write, false, &[good], TOKEN);
        check(Access::Write, true, &[], LOCAL);
        check(Access::Admin, true, &[], Err(Kind::Unauthorized));
        check(Access::Admin, true, &[good], TOKEN);
    }

    #[test]
    fn a_web_page_cannot_write_through_the_browser_of_this_machine() {
        let local = ("host", "127.0.0.1:8000");
        check(Access::Write, true, &[local], LOCAL);
        check(Access::Write, true, &[("host", "[::1]:8000")], LOCAL);
        check(Access::Write, true, &[("host", "LOCALHOST")], LOCAL);
        check(
            Access::Write,
            true,
            &[("host", "rebound.example:8000")],
            Err(Kind::Forbidden),
        );
        let foreign = ("origin", "https://elsewhere.example");
        check(Access::Write, true, &[local, foreign], Err(Kind::Forbidden));
        let own = ("origin", "http://127.0.0.1:8000");
        check(Access::Write, true, &[local, own], LOCAL);
        check(
            Access::Write,
            true,
            &[local, ("origin", "null")],
            Err(Kind::Forbidden),
        );
    }

    #[test]
    fn a_token_opens_what_its_scope_and_its_user_allow() {
        use Access::{Admin, Administer, LoggedIn, Read, Write};
        let user = |is_admin, scope| {
            let mut holder = TokenHolder::of(rsr_base::UserId(7), scope);
            holder.is_admin = is_admin;
            Caller::Holder(holder)
        };
        let check = |caller: Caller, open: &[Access]| {
            for access in [Read, LoggedIn, Write, Administer, Admin] {
                let is_open = caller.clone().enter(access).is_ok();
                assert_eq!(is_open, open.contains(&access), "{caller} {access:?}");
            }
        };
        check(user(false, TokenScope::Read), &[Read, LoggedIn]);
        check(user(false, TokenScope::Write), &[Read, LoggedIn, Write]);
        check(user(false, TokenScope::Admin), &[Read, LoggedIn, Write]);
        check(user(true, TokenScope::Read), &[Read, LoggedIn]);
        let writer = [Read, LoggedIn, Write, Administer];
        check(user(true, TokenScope::Write), &writer);
        let all = [Read, LoggedIn, Write, Administer, Admin];
        check(user(true, TokenScope::Admin), &all);
        check(Caller::Token, &all);
    }

    #[test]
    fn a_token_is_never_printed() {
        assert_eq!(format!("{:?}", Token::new("s3cret")), "Token(***)");
    }
}
