//! Numbers as people type them.

use super::Hundredths;

/// Most digits before the point.
pub const WHOLE_DIGITS_MAX: usize = 18;

/// Why a text is no number here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NumberError {
    /// Neither blank nor digits with at most one point and a sign; so also for NaN, infinity, exponents and separators.
    #[error("is not a plain decimal number such as -12.50")]
    NotANumber,
    /// Digits after the second place, zeros included.
    #[error("has more than two decimal places")]
    TooManyPlaces,
    /// More than [`WHOLE_DIGITS_MAX`] digits before the point.
    #[error("has more than {WHOLE_DIGITS_MAX} digits before the point")]
    TooLarge,
}

/// A number that was refused, with the name of its field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {error}")]
pub struct FieldError {
    /// The field as the client knows it.
    pub field: &'static str,
    /// What is wrong.
    pub error: NumberError,
}

impl Hundredths {
    /// Reads a number from text; white space around it is ignored, a blank text is no value.
    ///
    /// # Errors
    ///
    /// [`NumberError`]: the text is no number, or not one of this size and precision.
    pub fn parse(text: &str) -> Result<Option<Self>, NumberError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let (is_negative, digits) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            all => (false, all),
        };
        let point = digits.iter().position(|&byte| byte == b'.');
        let (whole, places) = match point {
            Some(at) => {
                let (whole, rest) = digits.split_at(at);
                (whole, rest.get(1..).unwrap_or_default())
            }
            None => (digits, &[][..]),
        };
        let are_digits = whole.iter().chain(places).all(u8::is_ascii_digit);
        if !are_digits || (whole.is_empty() && places.is_empty()) {
            return Err(NumberError::NotANumber);
        }
        let (tens, ones) = match *places {
            [] => (b'0', b'0'),
            [tens] => (tens, b'0'),
            [tens, ones] => (tens, ones),
            _ => return Err(NumberError::TooManyPlaces),
        };
        let significant = whole.iter().skip_while(|&&digit| digit == b'0');
        if significant.clone().count() > WHOLE_DIGITS_MAX {
            return Err(NumberError::TooLarge);
        }
        let hundredths = significant
            .chain(&[tens, ones])
            .fold(0_i128, |sum, &digit| sum * 10 + i128::from(digit - b'0'));
        let signed = if is_negative { -hundredths } else { hundredths };
        Ok(Some(Self::from_hundredths(signed)))
    }

    /// Reads a manual value (rule 7): words such as `n/a` count as no value. What is meant as a number, but is not one as
    /// [`Hundredths::parse`] reads it, is refused rather than kept and not counted.
    ///
    /// # Errors
    ///
    /// [`NumberError`]: a number in another notation, or not of this size and precision.
    ///
    /// ```
    /// use rsr_aggregation::{Hundredths, NumberError};
    ///
    /// assert_eq!(Hundredths::parse_manual("not yet known"), Ok(None));
    /// assert_eq!(Hundredths::parse_manual("1,000"), Err(NumberError::NotANumber));
    /// ```
    pub fn parse_manual(text: &str) -> Result<Option<Self>, NumberError> {
        match Self::parse(text) {
            Err(NumberError::NotANumber) if !is_meant_as_number(text.trim()) => Ok(None),
            read => read,
        }
    }

    /// As [`Hundredths::parse`], with the name of the field in the error.
    ///
    /// # Errors
    ///
    /// [`FieldError`], as [`Hundredths::parse`].
    pub fn parse_field(field: &'static str, text: &str) -> Result<Option<Self>, FieldError> {
        Self::parse(text).map_err(|error| FieldError { field, error })
    }
}

/// Whether a text is a number in some notation: with an exponent, with separators between digits, not a number, infinity.
fn is_meant_as_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_part = |part: char| part.is_numeric() || ".,_'’ \u{a0}\u{2009}\u{202f}".contains(part);
    text.parse::<f64>().is_ok()
        || (digits.contains(char::is_numeric) && digits.chars().all(is_part))
}
