//! Hundredths: read from rows, written as text, and the percentage of a pair.

use crate::error::Error;
use crate::rows::Triple;
use crate::sql::Row;

/// The first three columns of a row.
pub(crate) fn triple(row: &dyn Row) -> Result<Triple, Error> {
    triple_from(row, 0)
}

/// Three columns of a row, from one on.
pub(crate) fn triple_from(row: &dyn Row, column: usize) -> Result<Triple, Error> {
    Ok(Triple {
        value: row.opt_hundredths(column)?,
        numerator: row.opt_hundredths(column + 1)?,
        denominator: row.opt_hundredths(column + 2)?,
    })
}

/// numerator × 100 ÷ denominator in hundredths, a tie to the even digit; `None` for a denominator of 0 or numbers past
/// 128 bits.
pub(crate) fn percentage(numerator: i128, denominator: i128) -> Option<i128> {
    let scaled = numerator.checked_mul(10_000)?;
    let (floor, rest) = (
        scaled.checked_div_euclid(denominator)?,
        scaled.checked_rem_euclid(denominator)?,
    );
    let size = denominator.checked_abs()?;
    let up = match rest.checked_mul(2)?.cmp(&size) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => floor % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    // Euclid's remainder is positive, so "up" is away from a floor that lies towards the denominator's sign.
    match (up, denominator > 0) {
        (false, _) => Some(floor),
        (true, true) => floor.checked_add(1),
        (true, false) => floor.checked_sub(1),
    }
}

/// Two places, point, minus sign where negative.
pub(crate) fn format(hundredths: i128) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let size = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}", size / 100, size % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_ties_to_even() {
        for (numerator, denominator, expected) in [
            (101, 200, Some(5050)),
            (1, 3, Some(3333)),
            (2, 3, Some(6667)),
            (1, 800, Some(12)),
            (3, 800, Some(38)),
            (0, 5, Some(0)),
            (5, 0, None),
            (-1, 3, Some(-3333)),
            (1, -3, Some(-3333)),
            (-1, 800, Some(-12)),
            (3, -800, Some(-38)),
        ] {
            let found = percentage(numerator * 100, denominator * 100);
            assert_eq!(found, expected, "{numerator}/{denominator}");
        }
    }

    #[test]
    fn texts_have_two_places() {
        for (hundredths, text) in [(500, "5.00"), (-300, "-3.00"), (0, "0.00"), (-7, "-0.07")] {
            assert_eq!(format(hundredths), text);
        }
    }
}
