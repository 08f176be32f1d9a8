//! One period by the rules: its own part, its stored children, nothing else.

use std::collections::BTreeMap;

use rsr_base::{DimensionValueId, PeriodId, ProjectId};

use crate::own::own_part;
use crate::tally::{Standing, Tally, contributes};
use crate::texts::period_texts;
use crate::{
    Contribution, Measure, Numbers, Period, PeriodEnd, PeriodSource, PeriodTexts, PeriodTooLarge,
    StoredDisaggregation, TooLarge, Total,
};

/// What a period should hold, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Computed {
    /// What should stand at the period.
    pub total: Total,
    /// Its words.
    pub texts: PeriodTexts,
    /// Its disaggregations by dimension value: what should stand there, and what does (`None`: no row).
    pub disaggregations: BTreeMap<DimensionValueId, (Total, Option<Total>)>,
    /// What child projects add to each of them: what they should, and what is stored. `None`: no row.
    pub contributions: BTreeMap<(DimensionValueId, ProjectId), (Option<Numbers>, Option<Numbers>)>,
}

/// Why a period could not be computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComputeError<E> {
    /// The source failed.
    #[error("period {period} could not be read or written")]
    Source {
        /// The period at hand.
        period: PeriodId,
        /// What failed.
        #[source]
        error: E,
    },
    /// A sum left the range of 128 bits.
    #[error(transparent)]
    TooLarge(#[from] PeriodTooLarge),
}

/// Computes one period from its updates and its stored children (rules 2–15, 22–26, 30). Holds the updates that may
/// count for it, and its disaggregations and contributions; children are summed as they come.
///
/// # Errors
///
/// [`ComputeError`]; nothing is skipped over.
pub fn compute<S: PeriodSource>(
    source: &mut S,
    period: &Period,
) -> Result<Computed, ComputeError<S::Error>> {
    let id = period.id;
    let failed = |error| ComputeError::Source { period: id, error };
    let too_large = |TooLarge| ComputeError::TooLarge(PeriodTooLarge(id));

    let mut updates = Vec::new();
    source
        .updates(period, &mut |update| updates.push(update))
        .map_err(failed)?;
    let end = PeriodEnd {
        id,
        end: period.end,
    };
    let own = own_part(&period.indicator, &end, &updates).map_err(too_large)?;
    drop(updates);

    let measure = period.indicator.measure;
    let mut children = Tally::default();
    let mut has_contributors = false;
    let mut summed = children.add(&own.numbers);
    source
        .children(id, &mut |numbers| {
            if contributes(measure, &numbers) {
                has_contributors = true;
                summed = summed.and_then(|()| children.add(&numbers));
            }
        })
        .map_err(failed)?;
    summed.map_err(too_large)?;
    let total = Standing {
        sum: children.numbers(),
        has_updates: own.has_updates,
        has_contributors,
        manual: period.manual.as_ref(),
    }
    .period(measure)
    .map_err(too_large)?;

    let mut texts = Vec::new();
    source
        .texts(id, &mut |text| texts.push(text))
        .map_err(failed)?;
    let texts = period_texts(measure, period.indicator.has_scores, &texts);

    let mut parts = Parts::default();
    for (value, numbers) in &own.disaggregations {
        let part = parts.by_value.entry(*value).or_default();
        part.sum.add(numbers).map_err(too_large)?;
    }
    parts.read(source, id)?;
    let (disaggregations, contributions) = parts.finish(own.has_updates);
    Ok(Computed {
        total,
        texts,
        disaggregations: if measure == Measure::Qualitative {
            BTreeMap::new()
        } else {
            disaggregations
        },
        contributions: if measure == Measure::Qualitative {
            BTreeMap::new()
        } else {
            contributions
        },
    })
}

/// The disaggregations of a period while they are gathered.
#[derive(Debug, Default)]
struct Parts {
    by_value: BTreeMap<DimensionValueId, Part>,
    contributions: BTreeMap<(DimensionValueId, ProjectId), (Option<Tally>, Option<Numbers>)>,
}

#[derive(Debug, Default)]
struct Part {
    sum: Tally,
    has_contributors: bool,
    row: Option<StoredDisaggregation>,
}

impl Parts {
    fn read<S: PeriodSource>(
        &mut self,
        source: &mut S,
        id: PeriodId,
    ) -> Result<(), ComputeError<S::Error>> {
        let failed = |error| ComputeError::Source { period: id, error };
        let by_value = &mut self.by_value;
        let contributions = &mut self.contributions;
        source
            .dimension_values(id, &mut |value| {
                by_value.entry(value).or_default();
            })
            .map_err(failed)?;
        source
            .disaggregations(id, &mut |row| {
                by_value.entry(row.dimension_value).or_default().row = Some(row);
            })
            .map_err(failed)?;
        let mut summed = Ok(());
        source
            .child_disaggregations(id, &mut |child| {
                let value = child.parent_dimension_value;
                let part = by_value.entry(value).or_default();
                part.has_contributors |= !child.numbers.is_none();
                let (given, _) = contributions.entry((value, child.project)).or_default();
                let given = given.get_or_insert_default();
                summed = summed
                    .and_then(|()| part.sum.add(&child.numbers))
                    .and_then(|()| given.add(&child.numbers));
            })
            .map_err(failed)?;
        summed.map_err(|TooLarge| PeriodTooLarge(id))?;
        source
            .contributions(id, &mut |row: Contribution| {
                let key = (row.dimension_value, row.project);
                contributions.entry(key).or_default().1 = Some(row.numbers);
            })
            .map_err(failed)
    }

    #[expect(
        clippy::type_complexity,
        reason = "the two maps of `Computed`, as they are there"
    )]
    fn finish(
        self,
        has_updates: bool,
    ) -> (
        BTreeMap<DimensionValueId, (Total, Option<Total>)>,
        BTreeMap<(DimensionValueId, ProjectId), (Option<Numbers>, Option<Numbers>)>,
    ) {
        let disaggregations = self.by_value.into_iter().map(|(value, part)| {
            let total = Standing {
                sum: part.sum.numbers(),
                has_updates,
                has_contributors: part.has_contributors,
                manual: part.row.as_ref().and_then(|row| row.manual.as_ref()),
            }
            .disaggregation();
            (value, (total, part.row.map(|row| row.stored)))
        });
        let contributions = self
            .contributions
            .into_iter()
            .map(|(key, (given, stored))| (key, (given.map(|tally| tally.numbers()), stored)));
        (disaggregations.collect(), contributions.collect())
    }
}
