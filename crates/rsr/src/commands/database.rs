//! `rsr database`: the state of the database, its schema, copies of it.

use std::path::{Path, PathBuf};

use rsr_store::Store;
use serde_json::{Map, Value, json};

use crate::cli::Database;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format, Out};

/// Runs the action asked for. Opening brings the schema up to date, whatever the action; migrating alone makes a new one.
pub(crate) fn run(context: &Context, which: &Database) -> Outcome {
    context.accept(&[Format::Text, Format::Json])?;
    match which {
        Database::Copy { from, to } => return copy(context, from, to),
        Database::Restore { file, force } => return restore(context, file, *force),
        _ => {}
    }
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
        Database::Copy { .. } | Database::Restore { .. } => out.end(Exit::Done),
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

/// Opens a database by its address, with all else as the settings say.
fn open(context: &Context, url: &str, is_new: bool) -> Result<Store, Failure> {
    let mut settings = context.settings().database.clone();
    settings.url = url
        .parse()
        .map_err(|error| Failure::of(Exit::Usage, error))?;
    let missing = settings
        .url
        .sqlite_path()
        .is_some_and(|path| !is_new && !Path::new(path).exists());
    if missing {
        return Err(Failure::new(
            Exit::Unreachable,
            format_args!("there is no database {}", settings.url),
        ));
    }
    Store::open(&settings, context.clock.clone())
        .map_err(|error| Failure::from(error).context(format_args!("cannot open {}", settings.url)))
}

fn copy(context: &Context, from: &str, to: &str) -> Outcome {
    let (source, target) = (open(context, from, false)?, open(context, to, true)?);
    let mut told = None;
    let report = source.copy_into(&target, &mut |progress| {
        if told != Some(progress.table) && !context.is_quiet {
            output::note(format_args!("copying {}", progress.table));
            told = Some(progress.table);
        }
    })?;
    let mut out = Out::new();
    let n_rows: u64 = report.rows.iter().map(|(_table, n)| n).sum();
    if context.is_json() {
        let rows: Map<String, Value> = report
            .rows
            .iter()
            .map(|(table, n)| ((*table).to_owned(), json!(n)))
            .collect();
        out.json(&json!({
            "from": source.location(),
            "to": target.location(),
            "was_resumed": report.was_resumed,
            "rows": rows,
        }))?;
    } else {
        out.line(format_args!(
            "{n_rows} rows of {} tables copied to {} and compared: they are the same",
            report.rows.len(),
            target.location()
        ))?;
    }
    out.end(Exit::Done)
}

/// Puts a backup in the place of the database: a file is replaced by a copy of it, a server's database is filled.
fn restore(context: &Context, file: &Path, force: bool) -> Outcome {
    let url = &context.settings().database.url;
    let backup = open(context, &format!("sqlite://{}", file.display()), false)?;
    let complaints = backup.check_integrity()?;
    if let Some(first) = complaints.first() {
        return Err(Failure::new(
            Exit::Problems,
            format_args!(
                "{} is damaged and was not restored: {first}",
                file.display()
            ),
        ));
    }
    match url.sqlite_path() {
        None => {
            backup.copy_into(&context.store()?, &mut |_progress| {})?;
        }
        Some(path) => {
            let path = Path::new(path);
            if path.exists() && !force {
                return Err(Failure::new(
                    Exit::Usage,
                    format_args!(
                        "{} exists: stop the service and say --force to replace it",
                        path.display()
                    ),
                ));
            }
            let beside = |suffix: &str| {
                let mut name = path.as_os_str().to_owned();
                name.push(suffix);
                PathBuf::from(name)
            };
            let fresh = beside(".restored");
            if fresh.exists() {
                std::fs::remove_file(&fresh).map_err(|error| Failure::of(Exit::PartWay, error))?;
            }
            backup.backup(&fresh)?;
            // What the old file's log held must not be read into the new one.
            for log in ["-wal", "-shm"].map(beside) {
                if log.exists() {
                    std::fs::remove_file(&log)
                        .map_err(|error| Failure::of(Exit::PartWay, error))?;
                }
            }
            std::fs::rename(&fresh, path).map_err(|error| Failure::of(Exit::PartWay, error))?;
        }
    }
    let mut out = Out::new();
    let location = context.store()?.location();
    if context.is_json() {
        out.json(&json!({"restored": location, "from": file.display().to_string()}))?;
    } else {
        out.line(format_args!("restored {location} from {}", file.display()))?;
    }
    out.end(Exit::Done)
}
