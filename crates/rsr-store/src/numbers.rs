//! Hundredths in columns.

use rsr_aggregation::{Hundredths, Numbers};

use crate::error::Error;
use crate::sql::{Row, Value};

impl From<Hundredths> for Value<'_> {
    fn from(number: Hundredths) -> Self {
        Self::Hundredths(number.hundredths())
    }
}

/// The three columns from `column` on.
pub(crate) fn read(row: &dyn Row, column: usize) -> Result<Numbers, Error> {
    let at = |column| Ok::<_, Error>(row.opt_hundredths(column)?.map(Hundredths::from_hundredths));
    Ok(Numbers {
        value: at(column)?,
        numerator: at(column + 1)?,
        denominator: at(column + 2)?,
    })
}
