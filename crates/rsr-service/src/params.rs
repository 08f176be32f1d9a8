//! Query strings, read strictly: every refusal names its field.

use std::str::FromStr;

use crate::problem::{Kind, Problem};

/// The parameters of one request. Each is taken once; what nobody took is unknown.
#[derive(Debug, Default)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
}

/// More parameters than any route knows, so that a hostile query string costs little.
const PARAMS_MAX: usize = 64;

/// An id in a path. A text that is no id names nothing that is stored.
pub(crate) fn id<T: From<i64>>(what: &str, text: &str) -> Result<T, Problem> {
    text.parse::<i64>()
        .map(T::from)
        .map_err(|_not_an_id| Problem::not_found(what, text))
}

/// Splits and decodes a query string, in its order.
pub(crate) fn pairs(query: Option<&str>) -> Result<Vec<(String, String)>, Problem> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in query
        .unwrap_or("")
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name)
            .ok_or_else(|| Problem::new(Kind::InvalidParameter, "a name is not UTF-8"))?;
        let value = decode(value)
            .ok_or_else(|| invalid(name.clone(), "is not UTF-8 in percent-encoding"))?;
        if pairs.len() == PARAMS_MAX {
            return Err(Problem::new(
                Kind::InvalidParameter,
                format!("more than {PARAMS_MAX} parameters"),
            ));
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

impl Params {
    /// Splits a query string. Repeated names are refused, since no route has a list.
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let pairs = pairs(query)?;
        let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(invalid(pair[0].to_owned(), "is given twice")),
            None => Ok(Self { pairs }),
        }
    }

    /// The text of a parameter, if it is given.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let place = self.pairs.iter().position(|(known, _)| known == name)?;
        Some(self.pairs.swap_remove(place).1)
    }

    /// A parameter that must read as a `T`.
    pub(crate) fn value<T: FromStr>(
        &mut self,
        name: &'static str,
        accepted: &'static str,
    ) -> Result<Option<T>, Problem> {
        self.text(name)
            .map(|text| {
                text.trim()
                    .parse()
                    .map_err(|_refused| invalid(name, accepted))
            })
            .transpose()
    }

    /// A whole number from 1 on: 0, negative, overflowing and other texts are refused.
    pub(crate) fn count(&mut self, name: &'static str) -> Result<Option<usize>, Problem> {
        const ACCEPTED: &str = "must be a whole number from 1 on";
        match self.text(name) {
            None => Ok(None),
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text
                .parse()
                .ok()
                .filter(|count| *count > 0)
                .map(Some)
                .ok_or_else(|| invalid(name, ACCEPTED)),
            Some(_) => Err(invalid(name, ACCEPTED)),
        }
    }

    /// Ends the reading: a parameter that nobody took is unknown.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        match self.pairs.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(invalid(name, "is not known here")),
        }
    }
}

pub(crate) fn invalid(
    name: impl Into<std::borrow::Cow<'static, str>>,
    why: &'static str,
) -> Problem {
    Problem::field(Kind::InvalidParameter, name, why)
}

/// Undoes percent-encoding and `+`. `None` where the bytes are no UTF-8 or a `%` is not followed by two digits.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_count(query: &str, expected: Result<Option<usize>, ()>) {
        let got = Params::parse(Some(query)).and_then(|mut params| params.count("limit"));
        assert_eq!(got.map_err(|_refused| ()), expected, "{query}");
    }

    #[test]
    fn counts_start_at_one() {
        check_count("", Ok(None));
        check_count("limit=7", Ok(Some(7)));
        check_count("limit=0", Err(()));
        check_count("limit=-1", Err(()));
        check_count("limit=%2B1", Err(()));
        check_count("limit=abc", Err(()));
        check_count("limit=", Err(()));
        check_count("limit=1.5", Err(()));
        check_count("limit=99999999999999999999", Err(()));
    }

    #[test]
    fn encoding_is_undone_and_broken_encoding_refused() {
        let mut params = Params::parse(Some("q=b%C3%A4r+%26&x=%zz")).map_err(|p| p.to_string());
        assert!(params.is_err(), "two hex digits follow a percent sign");
        params = Params::parse(Some("q=b%C3%A4r+%26")).map_err(|p| p.to_string());
        assert_eq!(params.unwrap().text("q").as_deref(), Some("bär &"));
        assert!(Params::parse(Some("q=%ff")).is_err(), "not UTF-8");
    }

    #[test]
    fn unknown_and_repeated_names_are_refused_by_name() {
        let error = Params::parse(Some("colour=red"))
            .unwrap()
            .finish()
            .unwrap_err();
        assert_eq!(error.to_string(), "colour: is not known here");
        let error = Params::parse(Some("a=1&a=2")).unwrap_err();
        assert_eq!(error.to_string(), "a: is given twice");
    }
}
