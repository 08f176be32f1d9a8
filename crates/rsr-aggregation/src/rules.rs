//! Small rules around updates: what a period accepts, what does not add up, what a change touches.

use rsr_base::PeriodId;

use crate::{Date, Indicator, Measure, Numbers};

/// Why a period takes no update, or no manual value (409).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A percentage period has its one update already.
    #[error("one update per period")]
    OneUpdatePerPeriod,
    /// A percentage period gets its numbers from child projects.
    #[error("the period gets its percentage from child projects and takes no update")]
    ComputedFromChildren,
    /// A period that has updates takes no manual value.
    #[error("the period has updates and takes no manual value")]
    HasUpdates,
}

/// Whether a period takes one more update (rule 5). `n_updates` counts those of every status; `n_contributing_children`
/// the child projects whose numbers count in it, none where its project does not aggregate children.
///
/// # Errors
///
/// [`Refusal`]; only for percentages.
pub fn admit_update(
    measure: Measure,
    n_updates: u64,
    n_contributing_children: u64,
) -> Result<(), Refusal> {
    if measure != Measure::Percentage {
        Ok(())
    } else if n_updates > 0 {
        Err(Refusal::OneUpdatePerPeriod)
    } else if n_contributing_children > 0 {
        Err(Refusal::ComputedFromChildren)
    } else {
        Ok(())
    }
}

/// Whether a period takes a new manual value (rule 7). `n_updates` counts those of every status.
///
/// # Errors
///
/// [`Refusal::HasUpdates`].
pub fn admit_manual(n_updates: u64) -> Result<(), Refusal> {
    if n_updates > 0 {
        Err(Refusal::HasUpdates)
    } else {
        Ok(())
    }
}

/// Whether the disaggregations of one dimension name in one update do not add up to the update (rule 29). A missing part
/// counts 0; a missing total never matches. A sum past 128 bits does not match either.
#[must_use]
pub fn is_incomplete(measure: Measure, update: &Numbers, parts: &[Numbers]) -> bool {
    let differs = |number: fn(&Numbers) -> Option<crate::Hundredths>| {
        let sum = parts
            .iter()
            .filter_map(number)
            .try_fold(crate::Hundredths::ZERO, crate::Hundredths::checked_add);
        sum.is_none() || sum != number(update)
    };
    match measure {
        Measure::Unit => differs(|n| n.value),
        Measure::Percentage => differs(|n| n.numerator) || differs(|n| n.denominator),
        Measure::Qualitative => false,
    }
}

/// A period with its dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodDates {
    /// The period.
    pub id: PeriodId,
    /// When it starts.
    pub start: Option<Date>,
    /// When it ends.
    pub end: Option<Date>,
}

/// The periods that a change in one period affects (rule 34), in order of start, those without one first: the period
/// itself; of a cumulative indicator also those that start with or after it, end after it, or have no end. `periods`
/// are all of the indicator's.
#[must_use]
pub fn affected_periods(
    indicator: &Indicator,
    changed: &PeriodDates,
    periods: &[PeriodDates],
) -> Vec<PeriodId> {
    let later = |a: Option<Date>, b: Option<Date>| a.zip(b).is_some_and(|(a, b)| a > b);
    let same_or_later = |a: Option<Date>, b: Option<Date>| a.zip(b).is_some_and(|(a, b)| a >= b);
    let mut affected: Vec<&PeriodDates> = periods
        .iter()
        .filter(|period| {
            let follows = same_or_later(period.start, changed.start)
                || later(period.end, changed.end)
                || period.end.is_none();
            period.id == changed.id || (indicator.is_cumulative() && follows)
        })
        .collect();
    affected.sort_unstable_by_key(|period| (period.start, period.id));
    affected.into_iter().map(|period| period.id).collect()
}
