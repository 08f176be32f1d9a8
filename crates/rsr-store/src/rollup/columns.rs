//! Columns as the types of the roll-up.

use rsr_aggregation::{Date, Measure, Moment, Numbers, Total};

use crate::error::Error;
use crate::numbers;
use crate::sql::Row;

/// How an indicator counts, from its kind and the code of its measure.
pub(crate) fn measure(row: &dyn Row, column: usize) -> Result<Measure, Error> {
    Ok(match (row.int(column)?, row.text(column + 1)?) {
        (2, _) => Measure::Qualitative,
        (_, "2") => Measure::Percentage,
        _ => Measure::Unit,
    })
}

/// Three numbers, where the row says that they are there.
pub(super) fn optional(
    is_there: bool,
    row: &dyn Row,
    column: usize,
) -> Result<Option<Numbers>, Error> {
    is_there.then(|| numbers::read(row, column)).transpose()
}

/// Three numbers, and whether they are the manual ones.
pub(super) fn total(row: &dyn Row, column: usize) -> Result<Total, Error> {
    Ok(Total {
        numbers: numbers::read(row, column)?,
        is_manual: row.flag(column + 3)?,
    })
}

/// A day; none where the column holds none that can be read.
pub(super) fn date(row: &dyn Row, column: usize) -> Result<Option<Date>, Error> {
    Ok(row.opt_text(column)?.and_then(Date::parse))
}

/// A score, where there is one.
pub(super) fn score(row: &dyn Row, column: usize) -> Result<Option<i32>, Error> {
    Ok(row
        .opt_int(column)?
        .and_then(|score| i32::try_from(score).ok()))
}

/// A time in milliseconds since 1970.
pub(super) fn moment(ms: i64) -> Moment {
    Moment(ms.saturating_mul(1000))
}
