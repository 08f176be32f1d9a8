//! Values that are never printed.

use std::fmt;
use std::str::FromStr;

/// What stands in the place of a secret wherever a value is shown.
pub(crate) const MASK: &str = "***";

/// A text that no log, error or debug output shows.
///
/// ```
/// let token = rsr_settings::Secret::new("s3same");
/// assert_eq!(format!("{token} {token:?}"), "*** ***");
/// assert_eq!(token.expose(), "s3same");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being shown.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that has to send or compare it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// The address of a database: `sqlite://PATH`, `postgres://…` or `postgresql://…`.
///
/// Shown without its password.
///
/// ```
/// let url: rsr_settings::DatabaseUrl = "postgres://rsr:s3same@db/rsr".parse()?;
/// assert_eq!(url.to_string(), "postgres://rsr:***@db/rsr");
/// assert_eq!(url.expose(), "postgres://rsr:s3same@db/rsr");
/// # Ok::<(), rsr_settings::ParseDatabaseUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

/// A text that is no [`DatabaseUrl`]. It does not repeat the text, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a database address: write sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME")]
#[non_exhaustive]
pub struct ParseDatabaseUrlError;

impl DatabaseUrl {
    /// The whole address, password included, for the place that connects.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The path of an SQLite file, or `:memory:`; nothing for another kind of database.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&str> {
        self.0.strip_prefix("sqlite://")
    }
}

impl FromStr for DatabaseUrl {
    type Err = ParseDatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let rest = ["sqlite://", "postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        match rest {
            Some(rest) if !rest.is_empty() => Ok(Self(text.to_owned())),
            _ => Err(ParseDatabaseUrlError),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask_passwords(&self.0))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", mask_passwords(&self.0))
    }
}

/// `url` with its password masked, in the authority and in a `password=` of the query.
pub(crate) fn mask_passwords(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (address, query) = rest
        .split_once('?')
        .map_or((rest, None), |(address, query)| (address, Some(query)));
    // The last @ ends the user's part: a password written without escapes may hold others.
    let address = match address.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _password)) => format!("{user}:{MASK}@{host}"),
            None => address.to_owned(),
        },
        None => address.to_owned(),
    };
    let query = query.map_or_else(String::new, |query| {
        let pairs: Vec<String> = query
            .split('&')
            .map(|pair| match pair.split_once('=') {
                Some((name, _value)) if name.eq_ignore_ascii_case("password") => {
                    format!("{name}={MASK}")
                }
                _ => pair.to_owned(),
            })
            .collect();
        format!("?{}", pairs.join("&"))
    });
    format!("{scheme}://{address}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, shown: &str) {
        let url: DatabaseUrl = url.parse().unwrap();
        assert_eq!(url.to_string(), shown);
        assert_eq!(format!("{url:?}"), format!("{shown:?}"));
    }

    #[test]
    fn passwords_are_masked_wherever_they_stand() {
        check("sqlite://rsr.db", "sqlite://rsr.db");
        check("postgres://db/rsr", "postgres://db/rsr");
        check("postgres://me@db/rsr", "postgres://me@db/rsr");
        check("postgres://me:a:b@c@db/rsr", "postgres://me:***@db/rsr");
        check(
            "postgresql://db/rsr?user=me&password=s&sslmode=require",
            "postgresql://db/rsr?user=me&password=***&sslmode=require",
        );
    }

    #[test]
    fn other_addresses_are_refused() {
        for text in ["", "rsr.db", "mysql://db/rsr", "sqlite://", "postgres:db"] {
            assert_eq!(
                text.parse::<DatabaseUrl>(),
                Err(ParseDatabaseUrlError),
                "{text}"
            );
        }
    }
}
