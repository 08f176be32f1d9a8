//! `rsr iati filter`: the activities that fulfil conditions, byte for byte.
//!
//! Two readers go over each file side by side: one understands an activity, the other then passes it on as it is written
//! or does not. So an activity of any size is judged by all of it, and none is held.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;

use rsr_base::{ByteSize, read_file_at_most};
use rsr_iati::lossless::{Output, RawReader, Tally};
use rsr_iati::model::{Date, Day};
use rsr_iati::reader::{ActivityReader, Event, ReadError};

use super::flags::{Conditions, Filter};
use super::merge::check_versions;
use super::source::{Source, failed, options, sources};
use super::target::{self, check_target};
use super::{lossless, passed_on};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::iati::selection::Selection;
use crate::output;

/// Largest list of identifiers that is read.
const LIST_MAX: ByteSize = ByteSize::from_mib(64);

pub(super) fn run(context: &Context, flags: &Filter) -> Outcome {
    let between = &flags.between;
    super::check_json(context, between)?;
    let selection = selection(&flags.conditions, flags.invert)?;
    let sources = sources(context, &between.paths)?;
    check_versions(&sources)?;
    if let Some(target) = &between.output {
        check_target(target)?;
    }
    let (tally, written) = target::write(between.output.as_deref(), between.gzip, |out| {
        let mut output = Output::new(out);
        let mut tally = Tally::default();
        for source in &sources {
            one(context, source, &selection, &mut output, &mut tally)?;
        }
        output
            .finish()
            .map_err(|error| lossless(context, error, "the end of the file"))?;
        Ok((tally, tally.n_written > 0))
    })?;
    if tally.n_written == 0 {
        return Err(Failure::new(
            Exit::Usage,
            format_args!(
                "none of {} activities fulfils the conditions: nothing was written",
                tally.n_read
            ),
        ));
    }
    passed_on(context, &tally, &written)
}

fn selection(conditions: &Conditions, is_inverted: bool) -> Result<Selection, Failure> {
    let set = |values: &[String]| values.iter().map(|value| value.trim().to_owned()).collect();
    let mut identifiers: BTreeSet<String> = set(&conditions.identifier);
    if let Some(path) = &conditions.identifiers_from {
        identifiers.extend(listed(path)?);
    }
    let is_named = !conditions.identifier.is_empty() || conditions.identifiers_from.is_some();
    let sector = |text: &String| match text.trim().split_once(':') {
        Some((vocabulary, code)) => (Some(vocabulary.to_owned()), code.to_owned()),
        None => (None, text.trim().to_owned()),
    };
    Ok(Selection {
        reporting_orgs: set(&conditions.reporting_org),
        identifiers: is_named.then_some(identifiers),
        countries: conditions
            .country
            .iter()
            .map(|code| code.trim().to_ascii_uppercase())
            .collect(),
        regions: set(&conditions.region),
        sectors: conditions.sector.iter().map(sector).collect(),
        statuses: set(&conditions.status),
        hierarchies: conditions.hierarchy.iter().copied().collect(),
        active_from: day("--active-from", conditions.active_from.as_deref())?,
        active_to: day("--active-to", conditions.active_to.as_deref())?,
        updated_since: day("--updated-since", conditions.updated_since.as_deref())?,
        is_inverted,
    })
}

fn listed(path: &Path) -> Result<Vec<String>, Failure> {
    let text = read_file_at_most(path, LIST_MAX).map_err(|error| {
        Failure::of(Exit::Usage, error)
            .context(format_args!("--identifiers-from {}", path.display()))
    })?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}

fn day(flag: &str, text: Option<&str>) -> Result<Option<Day>, Failure> {
    let Some(text) = text else { return Ok(None) };
    Date::new(text).value().map(Some).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            format_args!("{flag}: {text:?} is no day: write YYYY-MM-DD"),
        )
    })
}

fn one<W: Write>(
    context: &Context,
    source: &Source,
    selection: &Selection,
    output: &mut Output<W>,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let name = source.name();
    let progress = source.progress(context);
    let options = options(context);
    let judged = source.open(context).map_err(target::cannot_write)?;
    let written = source.open(context).map_err(target::cannot_write)?;
    let mut judge = ActivityReader::with_options(progress.read(judged), &options);
    let mut raw = RawReader::with_limits(written, options.limits);
    while let Some((offset, is_wanted)) =
        next_verdict(&mut judge, selection, &name).map_err(|error| failed(context, error, &name))?
    {
        if is_wanted {
            pass_on(&mut raw, offset, output, tally)
                .map_err(|error| lossless(context, error, &name))?;
        }
    }
    tally.n_read += judge.counts().n_read;
    progress.end();
    Ok(())
}

/// Where the next activity stands, and whether it is wanted. One that cannot be read to its end is not, and that is said.
fn next_verdict(
    judge: &mut ActivityReader<'_>,
    selection: &Selection,
    file: &str,
) -> Result<Option<(u64, bool)>, ReadError> {
    let mut candidate = None;
    loop {
        let event = judge.next_event()?;
        drop(judge.take_findings());
        match (event, &mut candidate) {
            (None, _) => return Ok(None),
            (Some(Event::ActivityStart(head, position)), _) => {
                candidate = Some((position.offset, selection.candidate(&head)));
            }
            (Some(Event::Element(element, _)), Some((_, candidate))) => candidate.note(&element),
            (Some(Event::ActivityEnd), Some((offset, candidate))) => {
                return Ok(Some((*offset, candidate.is_wanted())));
            }
            (Some(Event::ActivitySkipped(finding)), Some((offset, _))) => {
                output::note(format_args!("{file}:{finding}"));
                return Ok(Some((*offset, false)));
            }
            (Some(_), None) => {}
        }
    }
}

/// Passes on the activity that stands there.
fn pass_on<R: Read, W: Write>(
    raw: &mut RawReader<R>,
    offset: u64,
    output: &mut Output<W>,
    tally: &mut Tally,
) -> Result<(), rsr_iati::lossless::LosslessError> {
    while let Some(activity) = raw.next_activity()? {
        if activity.offset == offset {
            output.activity(raw)?;
            tally.n_written += 1;
            tally.n_notices += super::n_replaced(raw, offset);
            break;
        }
    }
    Ok(())
}
