//! `rsr database`: the state of the database, its schema, copies of it.

use serde_json::{Map, Value, json};

use crate::cli::Database;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::output::{Format, Out};

/// Runs the action asked for. Opening brings the schema up to date, whatever the action; migrating alone makes a new one.
pub(crate) fn run(context: &Context, which: &Database) -> Outcome {
    context.accept(&[Format::Text, Format::Json])?;
    let store = match which {
        Database::Migrate => context.store()?,
        _ => context.existing_store()?,
    };
    let mut out = Out::new();
    match which {
        Database::Migrate | Database::Status => {
            let status = store.status()?;
            if context.is_json() {
                let rows: Map<String, Value> = status
                    .rows
                    .iter()
                    .map(|(table, n)| ((*table).to_owned(), json!(n)))
                    .collect();
                out.json(&json!({
                    "path": status.location,
                    "schema_version": status.schema_version,
                    "bytes": status.size.bytes(),
                    "rows": rows,
                }))?;
            } else {
                out.line(format_args!(
                    "{}: schema {}, {} bytes",
                    status.location,
                    status.schema_version,
                    status.size.bytes()
                ))?;
                for (table, n) in &status.rows {
                    out.line(format_args!("  {table}: {n}"))?;
                }
            }
            out.end(Exit::Done)
        }
        Database::Check => {
            let found = store.check_integrity()?;
            if context.is_json() {
                out.json(&json!({"sound": found.is_empty(), "findings": found}))?;
            } else {
                for line in &found {
                    out.line(line)?;
                }
                out.line(if found.is_empty() {
                    "the database is sound"
                } else {
                    "the database is damaged: restore a backup"
                })?;
            }
            out.end(if found.is_empty() {
                Exit::Done
            } else {
                Exit::Problems
            })
        }
        Database::Backup { file } => {
            store.backup(file)?;
            if context.is_json() {
                out.json(&json!({"file": file.display().to_string()}))?;
            } else {
                out.line(format_args!("copied to {}", file.display()))?;
            }
            out.end(Exit::Done)
        }
    }
}
