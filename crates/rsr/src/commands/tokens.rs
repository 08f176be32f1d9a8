//! `rsr tokens`: what programs show to act for a user.

use std::str::FromStr;
use std::time::Duration;

use clap::Subcommand;
use rsr_base::UserId;
use rsr_store::{Error, NewToken, TokenRow, TokenScope};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Format, Out, note};
use crate::table::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum Tokens {
    /// Makes a token and prints it, once: the database keeps a digest
    #[command(after_help = "Example: rsr tokens add 3 --name laptop --scope write --expires 30d")]
    Add {
        /// The user it acts for
        user: i64,
        /// What logs call it
        #[arg(long, default_value = "default")]
        name: String,
        /// read, write or admin: each includes the ones before it, and none gives more than the user has
        #[arg(long, default_value = "read", value_name = "SCOPE")]
        scope: Scope,
        /// How long it is valid: 12h, 90d, or never
        #[arg(long, default_value = "90d", value_name = "TIME")]
        expires: Expires,
    },
    /// Tokens, without their secrets
    #[command(after_help = "Example: rsr tokens list --user 3")]
    List {
        /// Only this user's
        #[arg(long, value_name = "ID")]
        user: Option<i64>,
    },
    /// Takes a token back: the next request with it is refused
    #[command(after_help = "Example: rsr tokens revoke 5")]
    Revoke {
        /// The token's number in the list
        id: i64,
    },
}

/// A scope as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scope(TokenScope);

impl FromStr for Scope {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        TokenScope::from_code(text)
            .map(Self)
            .ok_or("the scope is read, write or admin")
    }
}

/// How long a token is valid, as it is typed; `None` for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expires(Option<Duration>);

impl Expires {
    /// The time, where there is an end.
    pub(crate) fn time(self) -> Option<Duration> {
        self.0
    }
}

impl FromStr for Expires {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const WANTED: &str = "write a time from now such as 12h or 90d, or never";
        /// Longer than any token should live, and short of any overflow.
        const DAYS_MAX: u64 = 36_500;
        if text == "never" {
            return Ok(Self(None));
        }
        let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        let seconds = match text.strip_prefix(digits) {
            Some("s") => 1,
            Some("m") => 60,
            Some("h") => 3_600,
            Some("d") => 86_400,
            _ => return Err(WANTED),
        };
        digits
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(seconds))
            .filter(|seconds| (1..=DAYS_MAX * 86_400).contains(seconds))
            .map(|seconds| Self(Some(Duration::from_secs(seconds))))
            .ok_or(WANTED)
    }
}

pub(crate) fn run(context: &Context, which: &Tokens) -> Outcome {
    context.accept(&[Format::Text, Format::Json])?;
    match which {
        Tokens::Add {
            user,
            name,
            scope,
            expires,
        } => add(context, UserId(*user), name.trim(), scope.0, expires.0),
        Tokens::List { user } => list(context, user.map(UserId)),
        Tokens::Revoke { id } => revoke(context, *id),
    }
}

fn add(
    context: &Context,
    user: UserId,
    name: &str,
    scope: TokenScope,
    lives: Option<Duration>,
) -> Outcome {
    if name.is_empty() || name.contains(char::is_control) {
        return Err(Failure::new(
            Exit::Usage,
            "--name is empty or not a line of text",
        ));
    }
    let (row, secret) = context.existing_store()?.write(|tx| {
        let lives_ms = lives.and_then(|lives| i64::try_from(lives.as_millis()).ok());
        let new = NewToken {
            user,
            name: name.to_owned(),
            scope,
            expires_ms: lives_ms.map(|ms| tx.now_ms().saturating_add(ms)),
        };
        let (id, secret) = tx.create_token(&new)?;
        let row = tx.tokens(Some(user))?.into_iter().find(|row| row.id == id);
        let row = row.ok_or_else(|| Error::NotFound {
            kind: "token",
            id: id.to_string(),
        })?;
        Ok::<_, Error>((row, secret))
    })?;
    tracing::info!(who = %super::operator(), token = row.id, %user, name, scope = scope.code(), "token made");
    let mut out = Out::new();
    if context.is_json() {
        let mut shown = shown(&row);
        shown["token"] = json!(secret.expose());
        out.json(&shown)?;
    } else {
        out.line(secret.expose())?;
        out.flush()?;
        if !context.is_quiet {
            note(format_args!(
                "token {} of user {user}, {}, {}; it is shown this once: send it as Authorization: Bearer …",
                row.id,
                scope.code(),
                match lives {
                    Some(lives) => format!("valid for {} h", lives.as_secs().div_ceil(3_600)),
                    None => "valid until it is revoked".to_owned(),
                }
            ));
        }
    }
    out.end(Exit::Done)
}

fn list(context: &Context, user: Option<UserId>) -> Outcome {
    let store = context.existing_store()?;
    let tokens = store.snapshot()?.tokens(user)?;
    let now_ms = context
        .clock
        .wall()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        });
    let mut out = Out::new();
    let mut table = Table::new(["token", "user", "name", "scope", "state"]);
    for token in &tokens {
        let state = state(token, now_ms);
        if context.is_json() {
            let mut shown = shown(token);
            shown["state"] = json!(state);
            out.json(&shown)?;
        }
        table.row([
            token.id.to_string(),
            format!("{} {}", token.user, token.user_name),
            token.name.clone(),
            token.scope.code().to_owned(),
            state.to_owned(),
        ]);
    }
    if !context.is_json() {
        out.line(table.aligned())?;
    }
    out.end(Exit::Done)
}

fn revoke(context: &Context, id: i64) -> Outcome {
    context.existing_store()?.write(|tx| tx.revoke_token(id))?;
    tracing::info!(who = %super::operator(), token = id, "token revoked");
    let mut out = Out::new();
    if context.is_json() {
        out.json(&json!({ "id": id, "state": "revoked" }))?;
    } else {
        out.line(format_args!("token {id} is refused from now on"))?;
    }
    out.end(Exit::Done)
}

fn state(token: &TokenRow, now_ms: i64) -> &'static str {
    if token.revoked_ms.is_some() {
        "revoked"
    } else if token.expires_ms.is_some_and(|expires| expires <= now_ms) {
        "expired"
    } else {
        "valid"
    }
}

fn shown(token: &TokenRow) -> Value {
    json!({
        "id": token.id,
        "user": token.user.0,
        "name": token.name,
        "scope": token.scope.code(),
        "created_ms": token.created_ms,
        "expires_ms": token.expires_ms,
        "revoked_ms": token.revoked_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<Expires>) {
        assert_eq!(text.parse::<Expires>().ok(), expected, "{text}");
    }

    #[test]
    fn times_need_a_unit_and_end_somewhere() {
        let seconds = |n| Some(Expires(Some(Duration::from_secs(n))));
        check("90d", seconds(90 * 86_400));
        check("12h", seconds(43_200));
        check("5s", seconds(5));
        check("never", Some(Expires(None)));
        check("0d", None);
        check("90", None);
        check("d", None);
        check("-1d", None);
        check("99999999999999999999d", None);
        check("40000d", None);
        check("1w", None);
    }
}
