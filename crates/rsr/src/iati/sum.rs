//! Exact sums of decimals.

use std::fmt;

use rsr_iati::model::Number;

/// A sum of decimals of any number of places, exact or marked as too large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    digits: i128,
    places: u8,
    is_over: bool,
}

impl Sum {
    /// Adds a number. Past 38 digits the sum is no more, rather than inexact.
    pub(crate) fn add(&mut self, number: Number) {
        self.join(&Self {
            digits: number.digits(),
            places: number.places(),
            is_over: false,
        });
    }

    /// Adds another sum.
    pub(crate) fn join(&mut self, other: &Self) {
        let places = self.places.max(other.places);
        let scaled = |digits: i128, from: u8| {
            10_i128
                .checked_pow(u32::from(places - from))
                .and_then(|by| digits.checked_mul(by))
        };
        let sum = scaled(self.digits, self.places)
            .zip(scaled(other.digits, other.places))
            .and_then(|(a, b)| a.checked_add(b));
        match sum.filter(|_| !other.is_over) {
            Some(digits) => {
                self.digits = digits;
                self.places = places;
            }
            None => self.is_over = true,
        }
    }

    /// The sum as text, without zeros at the end of its fraction; `None` where it has more than 38 digits.
    pub(crate) fn text(&self) -> Option<String> {
        (!self.is_over).then(|| self.to_string())
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut digits, mut places) = (self.digits, usize::from(self.places));
        while places > 0 && digits % 10 == 0 {
            digits /= 10;
            places -= 1;
        }
        let sign = if digits < 0 { "-" } else { "" };
        let mut text = format!(
            "{:0>width$}",
            digits.unsigned_abs().to_string(),
            width = places + 1
        );
        if places > 0 {
            text.insert(text.len() - places, '.');
        }
        f.pad(&format!("{sign}{text}"))
    }
}

#[cfg(test)]
mod tests {
    use rsr_iati::model::Decimal;

    use super::*;

    #[track_caller]
    fn check(numbers: &[&str], expected: Option<&str>) {
        let mut sum = Sum::default();
        for number in numbers {
            sum.add(Decimal::new(*number).value().unwrap());
        }
        assert_eq!(sum.text().as_deref(), expected, "{numbers:?}");
    }

    #[test]
    fn sums_are_exact_whatever_their_places() {
        check(&[], Some("0"));
        check(&["0.1", "0.2"], Some("0.3"));
        check(&["1.005", "-1"], Some("0.005"));
        check(&["-0.5", "0.25"], Some("-0.25"));
        check(&["10", "20.50"], Some("30.5"));
        check(
            &["99999999999999999999.99", "0.01"],
            Some("100000000000000000000"),
        );
        check(&["1", "-1.00"], Some("0"));
    }

    #[test]
    fn a_sum_that_does_not_fit_is_none() {
        check(&["99999999999999999999999999999999999999", "0.1"], None);
    }
}
