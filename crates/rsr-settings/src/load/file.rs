//! A settings file, flattened to dotted keys.

use std::collections::BTreeMap;

use config::{File, FileFormat, Map, Source as _, Value, ValueKind};

/// One value of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileValue {
    /// The dotted key.
    pub(super) key: String,
    /// The value as a variable would have it; `a list` and the like where it could not.
    pub(super) text: String,
    /// Whether the file has it as a text.
    pub(super) is_text: bool,
    /// Whether the file has it as a text, number or boolean.
    pub(super) is_scalar: bool,
}

/// The values of a TOML text, sorted by key; else what is wrong with the text, in one line.
pub(super) fn values(text: &str) -> Result<Vec<FileValue>, String> {
    let tables = File::from_str(text, FileFormat::Toml)
        .collect()
        .map_err(|error| {
            let message = error.to_string();
            let lines: Vec<&str> = message
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .collect();
            format!("is not TOML: {}", lines.join(" "))
        })?;
    let mut values = Vec::new();
    flatten("", tables, &mut values);
    Ok(values)
}

/// The depth of tables is bounded by the TOML reader, which refuses deep nesting.
fn flatten(prefix: &str, tables: Map<String, Value>, values: &mut Vec<FileValue>) {
    let sorted: BTreeMap<String, Value> = tables.into_iter().collect();
    for (name, value) in sorted {
        let key = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}.{name}")
        };
        let (text, is_text, is_scalar) = match value.kind {
            ValueKind::Table(table) if !table.is_empty() => {
                flatten(&key, table, values);
                continue;
            }
            ValueKind::Table(_) => ("a table".to_owned(), false, false),
            ValueKind::Array(_) => ("a list".to_owned(), false, false),
            ValueKind::Nil => ("nothing".to_owned(), false, false),
            ValueKind::String(text) => (text, true, true),
            ValueKind::Boolean(value) => (value.to_string(), false, true),
            ValueKind::I64(value) => (value.to_string(), false, true),
            ValueKind::I128(value) => (value.to_string(), false, true),
            ValueKind::U64(value) => (value.to_string(), false, true),
            ValueKind::U128(value) => (value.to_string(), false, true),
            ValueKind::Float(value) => (value.to_string(), false, true),
        };
        values.push(FileValue {
            key,
            text,
            is_text,
            is_scalar,
        });
    }
}
