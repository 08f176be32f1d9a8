//! JSON bodies, read field by field: every refusal names its field, and numbers keep their digits.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::header;
use http_body_util::{BodyExt, LengthLimitError};
use rsr_aggregation::Hundredths;
use serde::de::DeserializeOwned;
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
        let fields = serde_json::from_slice(bytes).map_err(|error| {
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

    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        self.value(name, "a text")
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

    /// A list of objects.
    pub(crate) fn list(&mut self, name: &'static str) -> Result<Option<Vec<Self>>, Problem> {
        let list: Option<Vec<BTreeMap<String, Box<RawValue>>>> =
            self.value(name, "a list of objects")?;
        Ok(list.map(|list| list.into_iter().map(|fields| Self { fields }).collect()))
    }

    /// Ends the reading: a field that nobody took is unknown.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        match self.fields.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(Problem::field(Kind::InvalidBody, name, "is not known here")),
        }
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
        assert!(Fields::parse(b"[1]").is_err());
        assert!(Fields::parse(b"{").is_err());
        assert!(Fields::parse(b"  ").is_ok());
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
