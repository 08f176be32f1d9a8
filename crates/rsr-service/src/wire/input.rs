//! JSON bodies, read field by field: every refusal names its field, and numbers keep their digits.

use std::collections::BTreeMap;
use std::fmt;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::header;
use http_body_util::{BodyExt, LengthLimitError};
use rsr_aggregation::Hundredths;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::problem::{Kind, Problem};

/// The fields of a JSON object. Each is taken once; what nobody took is unknown.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    fields: BTreeMap<String, Box<RawValue>>,
}

impl Fields {
    /// Reads an object. An empty body is an object without fields.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let Pairs(pairs) = serde_json::from_slice(bytes).map_err(|error| {
            Problem::new(
                Kind::InvalidBody,
                format!(
                    "the body is not a JSON object (line {}, column {})",
                    error.line(),
                    error.column()
                ),
            )
            .because(error)
        })?;
        Self::of(pairs)
    }

    /// Refuses a name that stands there twice: two readers of such a body may take it for two different ones.
    fn of(pairs: Vec<(String, Box<RawValue>)>) -> Result<Self, Problem> {
        let mut fields = BTreeMap::new();
        for (name, value) in pairs {
            if fields.contains_key(&name) {
                return Err(Problem::field(Kind::InvalidBody, name, "is given twice"));
            }
            fields.insert(name, value);
        }
        Ok(Self { fields })
    }

    /// A field of this type; absent and `null` are the same.
    pub(crate) fn value<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
        accepted: &'static str,
    ) -> Result<Option<T>, Problem> {
        Ok(self.nullable(name, accepted)?.flatten())
    }

    /// A field of this type; absent is `None`, `null` is `Some(None)`.
    #[expect(
        clippy::option_option,
        reason = "absent leaves a value as it is, null takes it away: three cases that JSON has"
    )]
    pub(crate) fn nullable<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
        accepted: &'static str,
    ) -> Result<Option<Option<T>>, Problem> {
        self.fields
            .remove(name)
            .map(|raw| {
                serde_json::from_str(raw.get())
                    .map_err(|_type| refused(name, format!("must be {accepted}")))
            })
            .transpose()
    }

    /// Whether a field is there, `null` included.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// A text of several lines.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        self.text_within(name, TEXT_MAX_CHARS)
    }

    /// A short text.
    pub(crate) fn line(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        self.text_within(name, LINE_MAX_CHARS)
    }

    /// A short text that is not blank.
    pub(crate) fn title(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        match self.line(name)? {
            Some(title) if title.trim().is_empty() => {
                Err(refused(name, "must not be empty".to_owned()))
            }
            title => Ok(title),
        }
    }

    /// One of these words.
    pub(crate) fn choice(
        &mut self,
        name: &'static str,
        choices: &[&str],
    ) -> Result<Option<String>, Problem> {
        match self.line(name)? {
            Some(word) if !choices.contains(&word.as_str()) => Err(refused(
                name,
                format!("must be one of {}", choices.join(", ")),
            )),
            word => Ok(word),
        }
    }

    fn text_within(
        &mut self,
        name: &'static str,
        chars_max: usize,
    ) -> Result<Option<String>, Problem> {
        let Some(text) = self.value::<String>(name, "a text")? else {
            return Ok(None);
        };
        if text.chars().nth(chars_max).is_some() {
            let why = format!("is longer than {chars_max} characters");
            return Err(refused(name, why));
        }
        if let Some(found) = text.chars().find(|found| is_in_no_xml(*found)) {
            let why = format!("holds U+{:04X}, which no text may", u32::from(found));
            return Err(refused(name, why));
        }
        Ok(Some(text))
    }

    pub(crate) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, Problem> {
        self.value(name, "true or false")
    }

    pub(crate) fn id<T: From<i64>>(&mut self, name: &'static str) -> Result<Option<T>, Problem> {
        Ok(self
            .value(name, "an id, a whole number")?
            .map(|id: i64| T::from(id)))
    }

    /// An exact decimal: a JSON number or a text.
    pub(crate) fn decimal(&mut self, name: &'static str) -> Result<Option<Hundredths>, Problem> {
        let Some(raw) = self.fields.remove(name) else {
            return Ok(None);
        };
        let raw = raw.get();
        let text = match raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw)
                .map_err(|_text| refused(name, "must be a number".to_owned()))?,
            Some(b'n') => String::new(),
            _ => raw.to_owned(),
        };
        Hundredths::parse(&text).map_err(|error| refused(name, error.to_string()))
    }

    /// A short text that may be a number, as it was written.
    pub(crate) fn line_or_number(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        let raw = self.fields.get(name).map(|raw| raw.get());
        match raw
            .filter(|raw| raw.starts_with(|first: char| first == '-' || first.is_ascii_digit()))
        {
            Some(number) => {
                let number = number.to_owned();
                self.fields.remove(name);
                Ok(Some(number))
            }
            None => self.line(name),
        }
    }

    /// A list of objects.
    pub(crate) fn list(&mut self, name: &'static str) -> Result<Option<Vec<Self>>, Problem> {
        let list: Option<Vec<Pairs>> = self.value(name, "a list of objects")?;
        list.map(|list| {
            list.into_iter()
                .map(|Pairs(pairs)| Self::of(pairs))
                .collect()
        })
        .transpose()
    }

    /// Ends the reading: a field that nobody took is unknown.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        match self.fields.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(Problem::field(Kind::InvalidBody, name, "is not known here")),
        }
    }
}

/// Most characters of a text of several lines.
pub(crate) const TEXT_MAX_CHARS: usize = 100_000;
/// Most characters of a short text.
pub(crate) const LINE_MAX_CHARS: usize = 1_000;

/// Characters that XML 1.0 cannot write down at all, so that no export could hold them.
const fn is_in_no_xml(found: char) -> bool {
    matches!(found, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

/// The members of an object in their order, repeated names included.
struct Pairs(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = members.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// A field that must be there.
pub(crate) fn required<T>(name: &'static str, value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| refused(name, "is needed".to_owned()))
}

pub(crate) fn refused(name: &'static str, why: String) -> Problem {
    Problem::field(Kind::InvalidBody, name, why)
}

/// Reads the whole body, within the bound that the guard has put around it. JSON alone is taken: a form, which a web
/// page elsewhere could send without asking, is not.
impl<S: Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let media = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|media| media.to_str().ok());
        let is_json = media.is_some_and(is_json);
        let bytes = collect(request.into_body()).await?;
        if !is_json && !bytes.is_empty() {
            return Err(Problem::new(
                Kind::UnsupportedMediaType,
                "send the body as Content-Type: application/json",
            ));
        }
        Self::parse(&bytes)
    }
}

async fn collect(body: Body) -> Result<Bytes, Problem> {
    match body.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(match find::<LengthLimitError>(&error) {
            true => Problem::new(
                Kind::BodyTooLarge,
                "the body is larger than this service takes",
            ),
            false => Problem::new(Kind::InvalidBody, "the body broke off").because(error),
        }),
    }
}

/// Whether an error of this type is in the chain.
fn find<E: std::error::Error + 'static>(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<E>() {
            return true;
        }
        next = error.source();
    }
    false
}

fn is_json(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_decimal(body: &str, expected: Result<Option<&str>, &str>) {
        let got = Fields::parse(body.as_bytes()).and_then(|mut fields| fields.decimal("value"));
        let got = got
            .map(|value| value.map(|value| value.to_string()))
            .map_err(|problem| problem.to_string());
        let expected = expected
            .map(|value| value.map(str::to_owned))
            .map_err(str::to_owned);
        assert_eq!(got, expected, "{body}");
    }

    #[test]
    fn decimals_keep_every_digit() {
        check_decimal("{}", Ok(None));
        check_decimal(r#"{"value":null}"#, Ok(None));
        check_decimal(r#"{"value":12.5}"#, Ok(Some("12.50")));
        check_decimal(r#"{"value":" -3 "}"#, Ok(Some("-3.00")));
        check_decimal(
            r#"{"value":123456789012345678.91}"#,
            Ok(Some("123456789012345678.91")),
        );
        check_decimal(
            r#"{"value":1e3}"#,
            Err("value: is not a plain decimal number such as -12.50"),
        );
        check_decimal(
            r#"{"value":0.125}"#,
            Err("value: has more than two decimal places"),
        );
    }

    #[test]
    fn unknown_fields_and_wrong_types_are_named() {
        let fields = Fields::parse(br#"{"colour":"red"}"#).unwrap();
        assert_eq!(
            fields.finish().unwrap_err().to_string(),
            "colour: is not known here"
        );
        let mut fields = Fields::parse(br#"{"title":7}"#).unwrap();
        assert_eq!(
            fields.text("title").unwrap_err().to_string(),
            "title: must be a text"
        );
        let twice = Fields::parse(br#"{"title":"a","title":"b"}"#).unwrap_err();
        assert_eq!(twice.to_string(), "title: is given twice");
        let mut fields = Fields::parse(br#"{"parts":[{"a":1,"a":2}]}"#).unwrap();
        assert_eq!(
            fields.list("parts").unwrap_err().to_string(),
            "a: is given twice"
        );
        assert!(Fields::parse(b"[1]").is_err());
        assert!(Fields::parse(b"{").is_err());
        assert!(Fields::parse(b"  ").is_ok());
    }

    #[track_caller]
    fn check_title(text: &str, expected: Result<(), &str>) {
        let body = serde_json::json!({ "title": text }).to_string();
        let got = Fields::parse(body.as_bytes()).and_then(|mut fields| fields.title("title"));
        let got = got.map(|title| assert_eq!(title.as_deref(), Some(text)));
        let got = got.map_err(|problem| problem.to_string());
        assert_eq!(got, expected.map_err(str::to_owned), "{text:?}");
    }

    #[test]
    fn titles_say_something_that_any_file_can_hold() {
        check_title("Wells", Ok(()));
        check_title(&"ä".repeat(1_000), Ok(()));
        check_title("", Err("title: must not be empty"));
        check_title(" \t", Err("title: must not be empty"));
        check_title("a\0b", Err("title: holds U+0000, which no text may"));
        check_title("a\u{1b}", Err("title: holds U+001B, which no text may"));
        check_title(
            &"ä".repeat(1_001),
            Err("title: is longer than 1000 characters"),
        );
    }

    #[test]
    fn absent_and_null_differ_where_it_matters() {
        let mut fields = Fields::parse(br#"{"parent":null}"#).unwrap();
        assert_eq!(
            fields.nullable::<i64>("parent", "an id").unwrap(),
            Some(None)
        );
        assert_eq!(fields.nullable::<i64>("parent", "an id").unwrap(), None);
    }
}
