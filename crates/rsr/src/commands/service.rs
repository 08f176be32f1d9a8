//! What the clients of the running service share: asking, and showing an answer to people.

use rsr_base::ByteSize;
use rsr_service::client::Answer;
use serde_json::Value;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{Format, Out};

/// Asks with GET; a refusal is a failure.
pub(crate) fn get(context: &Context, path: &str) -> Result<Value, Failure> {
    context.accept(&[Format::Text, Format::Json])?;
    accepted(context.client().get_blocking(path)?)
}

/// Asks with POST; a refusal is a failure.
pub(crate) fn post(context: &Context, path: &str, body: &Value) -> Result<Value, Failure> {
    context.accept(&[Format::Text, Format::Json])?;
    accepted(context.client().post_blocking(path, body)?)
}

/// The answer's body, where the service did what was asked.
pub(crate) fn accepted(answer: Answer) -> Result<Value, Failure> {
    if answer.is_success() {
        return Ok(answer.body);
    }
    let exit = if matches!(answer.status, 400 | 404 | 422) {
        Exit::Usage
    } else {
        Exit::PartWay
    };
    let reason = answer
        .refusal()
        .map_or_else(|| answer.body.to_string(), str::to_owned);
    Err(Failure::new(
        exit,
        format_args!("the service refused ({}): {reason}", answer.status),
    ))
}

/// A path with one query parameter, where there is a value for it.
pub(crate) fn with_query(path: &str, name: &str, value: Option<&str>) -> String {
    let Some(value) = value else {
        return path.to_owned();
    };
    let mut line = format!("{path}?{name}=");
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            line.push(char::from(byte));
        } else {
            line.push_str(&format!("%{byte:02X}"));
        }
    }
    line
}

/// Prints a JSON answer as it is, or for people as indented `name: value` lines.
pub(crate) fn show(context: &Context, out: &mut Out, value: &Value) -> Result<(), Failure> {
    if context.is_json() {
        out.json(value)
    } else {
        lines(out, value, 0)
    }
}

fn lines(out: &mut Out, value: &Value, depth: usize) -> Result<(), Failure> {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::Object(inner) if inner.is_empty() => {}
                    Value::Array(inner) if inner.is_empty() => {
                        out.line(format_args!("{indent}{name}: none"))?;
                    }
                    Value::Object(_) | Value::Array(_) => {
                        out.line(format_args!("{indent}{name}:"))?;
                        lines(out, field, depth + 1)?;
                    }
                    scalar => out.line(format_args!("{indent}{name}: {}", told(name, scalar)))?,
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::Object(fields) => {
                        let parts: Vec<_> = fields
                            .iter()
                            .map(|(name, field)| format!("{name} {}", told(name, field)))
                            .collect();
                        out.line(format_args!("{indent}- {}", parts.join(", ")))?;
                    }
                    other => out.line(format_args!("{indent}- {}", plain(other)))?,
                }
            }
        }
        scalar => out.line(format_args!("{indent}{}", plain(scalar)))?,
    }
    Ok(())
}

/// A value for people: bytes with their size in MiB beside them, and as settings take them where they are one.
fn told(name: &str, value: &Value) -> String {
    let Some(bytes) = value.as_u64() else {
        return plain(value);
    };
    match name {
        "memory.limit" => ByteSize::from_bytes(bytes).to_string(),
        name if (name == "bytes" || name.ends_with("_bytes")) && bytes >= 1 << 16 => {
            #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
            let mib = bytes as f64 / 1_048_576.0;
            format!("{bytes} ({mib:.1} MiB)")
        }
        _ => plain(value),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_for_people() {
        let shown = |name, bytes: u64| told(name, &Value::from(bytes));
        assert_eq!(shown("memory.limit", 32 << 20), "32MiB");
        assert_eq!(shown("peak_bytes", 21_667_840), "21667840 (20.7 MiB)");
        assert_eq!(shown("bytes", 700), "700");
        assert_eq!(shown("entries", 1 << 20), "1048576");
    }

    #[test]
    fn any_name_fits_into_a_query() {
        assert_eq!(with_query("/a/", "name", None), "/a/");
        assert_eq!(
            with_query("/a/", "name", Some("x y&z/é")),
            "/a/?name=x%20y%26z%2F%C3%A9"
        );
    }
}
