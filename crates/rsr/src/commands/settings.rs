//! `rsr settings`: what is set, from where, and whether it is right. Works also where something is wrong.

use rsr_settings::{Inputs, Invalid, Loaded, load, reference};
use serde_json::{Value, json};

use crate::cli::{Common, Settings};
use crate::context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Format, Out, note};
use crate::table::Table;

/// Runs one of the commands.
pub(crate) fn run(common: &Common, command: &Settings) -> Outcome {
    let inputs = context::inputs(common, &[]);
    match command {
        Settings::Show => show(common.format(), &inputs),
        Settings::Check => check(common.format(), &inputs),
        Settings::Reference if common.format() != Format::Text => Err(Failure::new(
            Exit::Usage,
            "settings reference is a page of Markdown: `rsr settings show --json` is for programs",
        )),
        Settings::Reference => {
            let mut out = Out::new();
            out.text(&reference())?;
            out.end(Exit::Done)
        }
    }
}

fn show(format: Format, inputs: &Inputs) -> Outcome {
    let loaded = load(inputs).map_err(|invalid| Failure::of(Exit::Usage, invalid))?;
    warn(&loaded);
    let mut out = Out::new();
    match format {
        Format::Json => out.json(&entries(&loaded))?,
        Format::Text => out.line(table(&loaded).aligned())?,
        Format::Tsv => out.line(table(&loaded).tsv())?,
        Format::Html => return Err(no_such_format("text, json or tsv")),
    }
    out.end(Exit::Done)
}

fn no_such_format(offered: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        format_args!("--format: this command prints {offered}"),
    )
}

fn warn(loaded: &Loaded) {
    for warning in &loaded.warnings {
        note(format_args!("warning: {warning}"));
    }
}

fn table(loaded: &Loaded) -> Table {
    let mut table = Table::new(["setting", "value", "source"]);
    for entry in loaded.entries() {
        table.row([entry.key.to_owned(), entry.value, entry.source.to_string()]);
    }
    table
}

fn entries(loaded: &Loaded) -> Value {
    let entries = loaded.entries().into_iter().map(|entry| {
        json!({
            "key": entry.key,
            "variable": entry.variable,
            "value": entry.value,
            "source": entry.source.to_string(),
            "live": entry.is_live,
        })
    });
    entries.collect()
}

fn check(format: Format, inputs: &Inputs) -> Outcome {
    let loaded = load(inputs);
    let exit = if loaded.is_ok() {
        Exit::Done
    } else {
        Exit::Usage
    };
    let mut out = Out::new();
    match (format, &loaded) {
        (Format::Json, _) => out.json(&verdict(&loaded))?,
        (Format::Text, Ok(loaded)) => {
            warn(loaded);
            out.line("the settings are right")?;
        }
        (Format::Text, Err(invalid)) => {
            for problem in invalid.problems() {
                note(format_args!("rsr: {problem}"));
            }
        }
        _ => return Err(no_such_format("text or json")),
    }
    out.end(exit)
}

fn verdict(loaded: &Result<Loaded, Invalid>) -> Value {
    let texts = |items: Vec<String>| Value::from(items);
    match loaded {
        Ok(loaded) => json!({
            "valid": true,
            "problems": [],
            "warnings": texts(loaded.warnings.iter().map(ToString::to_string).collect()),
        }),
        Err(invalid) => json!({
            "valid": false,
            "problems": texts(invalid.problems().iter().map(ToString::to_string).collect()),
            "warnings": [],
        }),
    }
}
