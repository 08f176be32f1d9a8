//! `rsr iati stats`: what there is in files of activities.

use rsr_iati::reader::{ActivityReader, Event, FileKind, Finding, ReadError};
use serde_json::{Map, Value, json};

use super::flags::Stats;
use super::source::{failed, no_activities_in, options};
use crate::commands::files::{Input, Stoppable, inputs};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::iati::survey::{Open, Survey};
use crate::iati::tally::Tally;
use crate::output::{self, Out};
use crate::progress::Progress;

const END_TAG: &str = "</iati-activity>";

/// Skipped activities of one file that are shown without `-v`.
const SHOWN_MAX: u64 = 10;

pub(super) fn run(context: &Context, flags: &Stats) -> Outcome {
    let inputs = inputs(&flags.paths)?;
    let mut survey = Survey::default();
    let (mut cut_short, mut organisations) = (Vec::new(), Vec::new());
    for input in &inputs {
        match one(context, input, &mut survey) {
            Ok(FileKind::Organisations) => organisations.push(input.name()),
            Ok(_) => {}
            Err(failure) if context.interrupt.is_raised() || failure.exit != Exit::PartWay => {
                return Err(failure);
            }
            Err(failure) => {
                output::note(format_args!("{failure}"));
                cut_short.push(input.name());
            }
        }
    }
    if organisations.len() == inputs.len() {
        return Err(no_activities_in(&organisations));
    }
    for name in &organisations {
        output::note(format_args!(
            "{name}: an organisation file holds no activities, nothing of it is counted"
        ));
    }
    let mut out = Out::new();
    if context.is_json() {
        out.json(&as_json(&survey))?;
    } else {
        print(&mut out, &survey, flags.top)?;
    }
    out.flush()?;
    if cut_short.is_empty() {
        return Ok(Exit::Done);
    }
    Err(Failure::new(
        Exit::PartWay,
        format_args!(
            "cannot be read to the end, what came before is counted: {}",
            cut_short.join(", ")
        ),
    ))
}

/// Counts what is in one file, but for an organisation file, and says which kind it is.
fn one(context: &Context, input: &Input, survey: &mut Survey) -> Result<FileKind, Failure> {
    let name = input.name();
    let progress = Progress::bytes(input.length(), context.is_quiet);
    progress.about(name.clone());
    let source = Stoppable::new(progress.read(input.open()?), &context.interrupt);
    let mut reader = ActivityReader::with_options(source, &options(context));
    let mut n_skipped = 0;
    let mut skipped = |finding: &Finding| {
        n_skipped += 1;
        if context.is_verbose() || (n_skipped <= SHOWN_MAX && !context.is_quiet) {
            progress.note(&format!("{name}:{finding}"));
        }
    };
    let done = read(&mut reader, &name, survey, &mut skipped);
    if n_skipped > SHOWN_MAX && !context.is_verbose() && !context.is_quiet {
        let n = n_skipped - SHOWN_MAX;
        progress.note(&format!("{name}: {n} more are skipped, -v lists all"));
    }
    progress.end();
    let kind = reader.file().kind;
    if kind != FileKind::Organisations {
        let counts = reader.counts();
        survey.n_files += 1;
        survey.n_bytes += reader.position().offset;
        survey.n_skipped += counts.n_skipped;
        survey.n_findings += counts.n_findings;
    }
    done.map_err(|error| failed(context, error, &name))?;
    Ok(kind)
}

fn read(
    reader: &mut ActivityReader<'_>,
    name: &str,
    survey: &mut Survey,
    skipped: &mut dyn FnMut(&Finding),
) -> Result<(), ReadError> {
    let mut at = None;
    loop {
        let event = reader.next_event()?;
        drop(reader.take_findings());
        match (event, &mut at) {
            (None, _) => return Ok(()),
            (Some(Event::ActivityStart(head, position)), _) => {
                at = Some((position, Open::new(&head)));
            }
            (Some(Event::Element(element, _)), Some((_, open))) => open.note(&element),
            (Some(Event::ActivityEnd), Some((start, open))) => {
                // Reading stands before the end tag.
                let end = reader.position().offset + END_TAG.len() as u64;
                let n_bytes = end.saturating_sub(start.offset);
                let version = reader.file().version.as_str();
                survey.close(open, version, name, start.line, n_bytes);
                at = None;
            }
            (Some(Event::ActivitySkipped(finding)), _) => {
                skipped(&finding);
                at = None;
            }
            (Some(_), None) => {}
        }
    }
}

fn print(out: &mut Out, survey: &Survey, top: usize) -> Result<(), Failure> {
    out.line(format_args!(
        "{} activities in {} files of {} bytes; {} unreadable, {} findings, {} elements",
        survey.n_activities,
        survey.n_files,
        survey.n_bytes,
        survey.n_skipped,
        survey.n_findings,
        survey.n_elements
    ))?;
    if let Some(largest) = &survey.largest {
        out.line(format_args!(
            "largest: {} at {}:{}, {} bytes",
            largest.identifier, largest.file, largest.line, largest.n_bytes
        ))?;
    }
    for (_, title, tally) in tables(survey) {
        table(out, title, tally, top)?;
    }
    out.line("")?;
    out.line("transactions (level, type, currency: count, sum)")?;
    for (key, money) in &survey.transactions {
        let sum = money.sum.text();
        let sum = sum.as_deref().unwrap_or("more than 38 digits");
        let without = match money.n_without_amount {
            0 => String::new(),
            n => format!(", {n} without an amount"),
        };
        out.line(format_args!(
            "  {:<6} {:<6} {:<4} {:>12}  {sum}{without}",
            shown(&key.level),
            shown(&key.kind),
            shown(&key.currency),
            money.n
        ))?;
    }
    Ok(())
}

fn table(out: &mut Out, title: &str, tally: &Tally, top: usize) -> Result<(), Failure> {
    out.line("")?;
    out.line(title)?;
    let shown_rows = tally.top(top);
    let mut n_shown = 0;
    for (text, n) in &shown_rows {
        n_shown += n;
        out.line(format_args!("  {n:>12}  {}", shown(text)))?;
    }
    let n_kinds = tally.len() - shown_rows.len();
    let n_more = tally.n_total() - n_shown;
    match (n_kinds, tally.n_others()) {
        (0, 0) => Ok(()),
        (kinds, 0) => out.line(format_args!("  {n_more:>12}  in {kinds} others")),
        (kinds, _) => out.line(format_args!("  {n_more:>12}  in more than {kinds} others")),
    }
}

/// A text that was not there gets a word.
fn shown(text: &str) -> &str {
    if text.is_empty() { "(none)" } else { text }
}

fn tables(survey: &Survey) -> [(&'static str, &'static str, &Tally); 7] {
    [
        ("by_version", "activities by version", &survey.versions),
        (
            "by_reporting_org",
            "activities by reporting organisation",
            &survey.reporting_orgs,
        ),
        ("by_status", "activities by status", &survey.statuses),
        (
            "by_start_year",
            "activities by year of start",
            &survey.start_years,
        ),
        ("by_hierarchy", "activities by level", &survey.hierarchies),
        (
            "by_sector",
            "sectors (vocabulary:code), of activities and transactions",
            &survey.sectors,
        ),
        (
            "by_country",
            "countries, of activities and transactions",
            &survey.countries,
        ),
    ]
}

fn as_json(survey: &Survey) -> Value {
    let mut all = Map::new();
    for (key, n) in [
        ("files", survey.n_files),
        ("bytes", survey.n_bytes),
        ("activities", survey.n_activities),
        ("skipped", survey.n_skipped),
        ("findings", survey.n_findings),
        ("elements", survey.n_elements),
    ] {
        all.insert(key.to_owned(), json!(n));
    }
    let largest = survey.largest.as_ref().map(|largest| {
        json!({
            "identifier": largest.identifier, "file": largest.file, "line": largest.line, "bytes": largest.n_bytes,
        })
    });
    all.insert("largest".to_owned(), json!(largest));
    for (key, _, tally) in tables(survey) {
        let mut counts: Map<String, Value> = tally
            .iter()
            .map(|(text, n)| (text.to_owned(), json!(n)))
            .collect();
        if tally.n_others() > 0 {
            counts.insert("(others)".to_owned(), json!(tally.n_others()));
        }
        all.insert(key.to_owned(), Value::Object(counts));
    }
    let transactions: Vec<_> = survey
        .transactions
        .iter()
        .map(|(key, money)| {
            json!({
                "level": key.level, "type": key.kind, "currency": key.currency, "count": money.n, "sum": money.sum.text(),
                "without_amount": money.n_without_amount,
            })
        })
        .collect();
    all.insert("transactions".to_owned(), json!(transactions));
    Value::Object(all)
}
