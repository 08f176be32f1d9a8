//! Comparing what is stored with what it should be (rules 44, 45).

use std::fmt;

use rsr_base::{DimensionValueId, PeriodId};

use crate::compute::{ComputeError, compute};
use crate::{Hundredths, Measure, Numbers, PeriodSource};

/// One of the three numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// The value.
    Value,
    /// The numerator.
    Numerator,
    /// The denominator.
    Denominator,
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "value",
            Self::Numerator => "numerator",
            Self::Denominator => "denominator",
        })
    }
}

/// A stored number that should be another; missing is not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The period.
    pub period: PeriodId,
    /// The dimension value, where it is about a disaggregation.
    pub dimension_value: Option<DimensionValueId>,
    /// Which of the numbers.
    pub column: Column,
    /// What is stored.
    pub stored: Option<Hundredths>,
    /// What should be.
    pub expected: Option<Hundredths>,
}

/// Compares a period with what its stored updates and stored children make of it, and its disaggregations likewise,
/// exactly; so one wrong leaf is one finding, and not one for each period above it. Gives the number of findings;
/// `None` where there is no such period, or it is qualitative and has no numbers.
///
/// # Errors
///
/// [`ComputeError`].
pub fn audit<S: PeriodSource>(
    source: &mut S,
    id: PeriodId,
    mut take: impl FnMut(Finding),
) -> Result<Option<usize>, ComputeError<S::Error>> {
    let period = source
        .period(id)
        .map_err(|error| ComputeError::Source { period: id, error })?;
    let Some(period) = period.filter(|p| p.indicator.measure != Measure::Qualitative) else {
        return Ok(None);
    };
    let computed = compute(source, &period)?;
    let mut n_findings = 0;
    let mut compare = |dimension_value, stored: Numbers, expected: Numbers| {
        let columns = [
            (Column::Value, stored.value, expected.value),
            (Column::Numerator, stored.numerator, expected.numerator),
            (
                Column::Denominator,
                stored.denominator,
                expected.denominator,
            ),
        ];
        for (column, stored, expected) in columns {
            if stored != expected {
                n_findings += 1;
                take(Finding {
                    period: id,
                    dimension_value,
                    column,
                    stored,
                    expected,
                });
            }
        }
    };
    compare(None, period.stored.numbers, computed.total.numbers);
    for (value, (expected, stored)) in computed.disaggregations {
        let stored = stored.map_or(Numbers::NONE, |stored| stored.numbers);
        compare(Some(value), stored, expected.numbers);
    }
    Ok(Some(n_findings))
}
