//! Everything at once: read in one snapshot, computed in arrays, written where it differs.

mod column;
mod pairs;
mod pass;
mod rollup;

use std::collections::HashMap;

use rsr_base::{PeriodId, ProjectId};
use rsr_hierarchy::{BrokenLinks, TooManyNodes};

use crate::own::own_parts;
use crate::texts::period_texts;
use crate::{BulkSource, Sink, TooLarge};
use pairs::{Pairs, contribution};
pub use rollup::{PeriodTooLarge, Rollup};

/// What a bulk computation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkReport {
    /// Periods computed.
    pub n_periods: u64,
    /// Periods whose stored numbers changed.
    pub n_periods_written: u64,
    /// Periods whose stored words changed.
    pub n_texts_written: u64,
    /// Disaggregations computed.
    pub n_disaggregations: u64,
    /// Disaggregations whose stored numbers changed, new ones included.
    pub n_disaggregations_written: u64,
    /// Contributions written or removed.
    pub n_contributions_written: u64,
    /// Parent links over open edges that lead in a circle, or out of the set. Periods on and below a circle were left as
    /// they are; the rest was computed, and what lies above the set has yet to be climbed to.
    pub broken: BrokenLinks<PeriodId>,
}

/// Why a bulk computation stopped. What was written before is the caller's transaction to undo.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BulkError<R, W> {
    /// The source failed.
    #[error("the periods could not be read")]
    Source(#[source] R),
    /// The sink failed.
    #[error("the totals could not be written")]
    Sink(#[source] W),
    /// There are too many periods at once.
    #[error(transparent)]
    TooMany(#[from] TooManyNodes),
    /// A sum left the range of 128 bits.
    #[error(transparent)]
    TooLarge(#[from] PeriodTooLarge),
}

/// Computes every period of the source, with its disaggregations, contributions and words, and writes what differs from
/// what is stored. Takes O(n) time; holds the roll-up, the disaggregations and contributions, and one indicator with
/// its updates. There is no depth limit here.
///
/// # Errors
///
/// [`BulkError`]; nothing is skipped over.
pub fn aggregate_all<S: BulkSource, K: Sink>(
    source: &mut S,
    sink: &mut K,
) -> Result<BulkReport, BulkError<S::Error, K::Error>> {
    let mut links = Vec::new();
    source
        .each_period(&mut |period| {
            let parent = period.edge.filter(|edge| edge.is_open);
            links.push((period.id, parent.map(|edge| edge.parent)));
        })
        .map_err(BulkError::Source)?;
    let (mut rollup, broken) = Rollup::new(links)?;
    let mut report = BulkReport {
        n_periods: rollup.order().len() as u64,
        broken,
        ..BulkReport::default()
    };
    let own = read_own(source, &mut rollup)?;
    rollup.run()?;
    write_periods(source, sink, &rollup, &mut report)?;
    write_disaggregations(source, sink, &rollup, own, &mut report)?;
    write_texts(source, sink, &rollup, &mut report)?;
    Ok(report)
}

type OwnDisaggregations = Vec<(PeriodId, rsr_base::DimensionValueId, crate::Numbers)>;

/// Fills in measures, manual values and own parts; gives the own parts of disaggregations.
fn read_own<S: BulkSource, W>(
    source: &mut S,
    rollup: &mut Rollup,
) -> Result<OwnDisaggregations, BulkError<S::Error, W>> {
    let mut measures = Vec::new();
    let mut manual = Vec::new();
    source
        .each_period(&mut |period| {
            if period.measure != crate::Measure::Unit {
                measures.push((period.id, period.measure));
            }
            if let Some(numbers) = period.manual {
                manual.push((period.id, numbers));
            }
        })
        .map_err(BulkError::Source)?;
    rollup.set_measures(measures);
    for (period, numbers) in manual {
        rollup.set_manual(period, &numbers);
    }
    let mut disaggregations = Vec::new();
    let mut failed = None;
    source
        .each_indicator(&mut |indicator| {
            if failed.is_some() {
                return;
            }
            let summed = own_parts(&indicator, |period, own| {
                if rollup.set_own(period, own.has_updates, &own.numbers) {
                    let parts = own.disaggregations.into_iter();
                    disaggregations.extend(parts.map(|(value, numbers)| (period, value, numbers)));
                }
            });
            if summed == Err(TooLarge) {
                failed = indicator.periods.first().map(|period| period.id);
            }
        })
        .map_err(BulkError::Source)?;
    match failed {
        Some(period) => Err(PeriodTooLarge(period).into()),
        None => Ok(disaggregations),
    }
}

/// Does something for a row that a source hands out, unless it failed for one before.
fn unless_failed<E>(failed: &mut Option<E>, write: impl FnOnce() -> Result<(), E>) {
    if failed.is_none() {
        *failed = write().err();
    }
}

fn write_periods<S: BulkSource, K: Sink>(
    source: &mut S,
    sink: &mut K,
    rollup: &Rollup,
    report: &mut BulkReport,
) -> Result<(), BulkError<S::Error, K::Error>> {
    let mut failed = None;
    let mut finder = rollup.order().finder();
    source
        .each_period(&mut |period| {
            unless_failed(&mut failed, || {
                if let Some(index) = finder.find(period.id)
                    && let total = rollup.total_at(index)?
                    && total != period.stored
                {
                    report.n_periods_written += 1;
                    sink.write_period(period.id, &total)
                        .map_err(BulkError::Sink)?;
                }
                Ok(())
            });
        })
        .map_err(BulkError::Source)?;
    failed.map_or(Ok(()), Err)
}

fn write_disaggregations<S: BulkSource, K: Sink>(
    source: &mut S,
    sink: &mut K,
    rollup: &Rollup,
    own: OwnDisaggregations,
    report: &mut BulkReport,
) -> Result<(), BulkError<S::Error, K::Error>> {
    let mut parents_of_values = HashMap::new();
    source
        .each_dimension_value(&mut |(value, parent)| {
            if let Some(parent) = parent {
                parents_of_values.insert(value, parent);
            }
        })
        .map_err(BulkError::Source)?;
    let mut pairs = Pairs::new(rollup, parents_of_values);
    source
        .each_attachment(&mut |(period, value)| {
            pairs.insert(period, value);
        })
        .map_err(BulkError::Source)?;
    let mut stored = HashMap::new();
    source
        .each_disaggregation(&mut |(period, row)| {
            if let Some(index) = pairs.insert(period, row.dimension_value) {
                stored.insert(index, row.stored);
                if let Some(numbers) = row.manual {
                    pairs.set_manual(index, numbers);
                }
            }
        })
        .map_err(BulkError::Source)?;
    let own: Vec<_> = own
        .into_iter()
        .filter_map(|(period, value, numbers)| Some((pairs.insert(period, value)?, numbers)))
        .collect();
    pairs.run(own)?;
    report.n_disaggregations = pairs.len() as u64;
    for (index, period, value) in pairs.ids() {
        let total = pairs.total(index);
        if stored.get(&index) != Some(&total) {
            report.n_disaggregations_written += 1;
            sink.write_disaggregation(period, value, &total)
                .map_err(BulkError::Sink)?;
        }
    }
    drop(stored);
    write_contributions(source, sink, &pairs, rollup, report)
}

fn write_contributions<S: BulkSource, K: Sink>(
    source: &mut S,
    sink: &mut K,
    pairs: &Pairs<'_>,
    rollup: &Rollup,
    report: &mut BulkReport,
) -> Result<(), BulkError<S::Error, K::Error>> {
    let mut projects = vec![ProjectId(0); rollup.order().len()];
    let mut finder = rollup.order().finder();
    source
        .each_period(&mut |period| {
            if let Some(index) = finder.find(period.id) {
                projects[index as usize] = period.project;
            }
        })
        .map_err(BulkError::Source)?;
    let mut expected = pairs.contributions(&projects)?;
    let mut stale = Vec::new();
    source
        .each_contribution(&mut |row| {
            // What hangs on a circle is left as it is.
            if pairs.find(row.period, row.dimension_value).is_none() {
                return;
            }
            let key = (row.period, row.dimension_value, row.project);
            match expected.get(&key) {
                None => stale.push(key),
                Some(numbers) if *numbers == row.numbers => {
                    expected.remove(&key);
                }
                Some(_) => {}
            }
        })
        .map_err(BulkError::Source)?;
    report.n_contributions_written += (stale.len() + expected.len()) as u64;
    for (period, value, project) in stale {
        sink.remove_contribution(period, value, project)
            .map_err(BulkError::Sink)?;
    }
    for (key, numbers) in expected {
        sink.write_contribution(&contribution(key, numbers))
            .map_err(BulkError::Sink)?;
    }
    Ok(())
}

fn write_texts<S: BulkSource, K: Sink>(
    source: &mut S,
    sink: &mut K,
    rollup: &Rollup,
    report: &mut BulkReport,
) -> Result<(), BulkError<S::Error, K::Error>> {
    let mut failed = None;
    source
        .each_texts(&mut |row| {
            unless_failed(&mut failed, || {
                let texts = period_texts(row.measure, row.has_scores, row.texts);
                if rollup.order().find(row.period).is_some() && texts != *row.stored {
                    report.n_texts_written += 1;
                    sink.write_texts(row.period, &texts)?;
                }
                Ok(())
            });
        })
        .map_err(BulkError::Source)?;
    failed.map_or(Ok(()), |error| Err(BulkError::Sink(error)))
}
