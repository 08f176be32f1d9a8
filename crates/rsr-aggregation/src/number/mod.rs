//! Exact decimals with two places.

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

pub use parse::{FieldError, NumberError, WHOLE_DIGITS_MAX};

/// A decimal number with two places, held exactly as a count of hundredths.
///
/// Sums are checked: they give an error rather than a wrong number. Room is for 10^18 numbers of the largest size that
/// can be typed in.
///
/// ```
/// use rsr_aggregation::Hundredths;
///
/// let sum = Hundredths::parse("17.10")?.unwrap().checked_add(Hundredths::from_hundredths(471_120));
/// assert_eq!(sum.unwrap().to_string(), "4728.30");
/// assert_eq!(Hundredths::parse("  ")?, None, "blank is no value, which is not zero");
/// # Ok::<(), rsr_aggregation::NumberError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hundredths(i128);

impl Hundredths {
    /// Zero, which is a value.
    pub const ZERO: Self = Self(0);

    /// From a count of hundredths: 150 is 1.50.
    #[must_use]
    pub const fn from_hundredths(hundredths: i128) -> Self {
        Self(hundredths)
    }

    /// The count of hundredths.
    #[must_use]
    pub const fn hundredths(self) -> i128 {
        self.0
    }

    /// The sum, `None` where it does not fit 128 bits.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, `None` where it does not fit 128 bits.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// `numerator` in percent of `denominator`, with one rounding to two places, a tie to the even digit (rule 12).
    /// `None` for a denominator of zero, and where the numerator passes 1.7 × 10^32.
    ///
    /// ```
    /// use rsr_aggregation::Hundredths;
    ///
    /// let of = |n: i128, d: i128| {
    ///     let whole = |n: i128| Hundredths::from_hundredths(n * 100);
    ///     Hundredths::percentage(whole(n), whole(d)).map(|p| p.to_string())
    /// };
    /// assert_eq!(of(1, 800).as_deref(), Some("0.12"));
    /// assert_eq!(of(3, 800).as_deref(), Some("0.38"));
    /// assert_eq!(of(5, 0), None);
    /// ```
    #[must_use]
    pub fn percentage(numerator: Self, denominator: Self) -> Option<Self> {
        let scaled = numerator.0.checked_mul(100 * 100)?;
        let quotient = scaled.checked_div(denominator.0)?;
        let rest = scaled.checked_rem(denominator.0)?.unsigned_abs();
        let half_of = denominator.0.unsigned_abs();
        // Twice the rest against the denominator, without doubling what may not fit.
        let rounds_away = match rest.cmp(&(half_of - rest)) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => quotient % 2 != 0,
            std::cmp::Ordering::Greater => true,
        };
        if !rounds_away {
            return Some(Self(quotient));
        }
        let away = if (scaled < 0) == (denominator.0 < 0) {
            1
        } else {
            -1
        };
        quotient.checked_add(away).map(Self)
    }
}

impl fmt::Display for Hundredths {
    /// Two places, a point, a minus sign where negative: `5.00`, `-3.00`, `0.00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.unsigned_abs();
        let digits = format!("{}.{:02}", all / 100, all % 100);
        f.pad_integral(self.0 >= 0, "", &digits)
    }
}

/// The three numbers of an update, a period or a disaggregation; each may be missing, which is not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Numbers {
    /// The value; of a percentage, the percentage.
    pub value: Option<Hundredths>,
    /// The numerator of a percentage.
    pub numerator: Option<Hundredths>,
    /// The denominator of a percentage.
    pub denominator: Option<Hundredths>,
}

impl Numbers {
    /// No value anywhere.
    pub const NONE: Self = Self {
        value: None,
        numerator: None,
        denominator: None,
    };

    /// A value without a pair.
    #[must_use]
    pub const fn of_value(value: Hundredths) -> Self {
        Self {
            value: Some(value),
            numerator: None,
            denominator: None,
        }
    }

    /// A pair with its percentage, where it has one.
    #[must_use]
    pub fn of_pair(numerator: Option<Hundredths>, denominator: Option<Hundredths>) -> Self {
        let value = match (numerator, denominator) {
            (Some(numerator), Some(denominator)) => Hundredths::percentage(numerator, denominator),
            _ => None,
        };
        Self {
            value,
            numerator,
            denominator,
        }
    }

    /// Whether all three are missing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// What is stored of a percentage that was typed in or reported: where there is a pair with a denominator other
    /// than zero, its percentage replaces the value beside it (rules 6, 7). Without, the numbers stay.
    #[must_use]
    pub fn with_percentage(self) -> Self {
        let derived = Self::of_pair(self.numerator, self.denominator);
        if derived.value.is_some() {
            derived
        } else {
            self
        }
    }
}
