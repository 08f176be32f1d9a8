//! Sizes that carry their unit.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

/// A number of bytes.
///
/// It is written with binary units (`64MiB`), and read from a plain number of bytes, binary units (`KiB`, `MiB`,
/// `GiB`, `TiB`) or decimal ones (`kB`, `MB`, `GB`, `TB`), in any case and with or without a space.
///
/// ```
/// use rsr_base::ByteSize;
///
/// let size: ByteSize = "64 MiB".parse()?;
/// assert_eq!(size.bytes(), 64 << 20);
/// assert_eq!(size.to_string(), "64MiB");
/// assert_eq!("1500".parse::<ByteSize>()?.to_string(), "1500B");
/// # Ok::<(), rsr_base::ParseByteSizeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// A text that is no [`ByteSize`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a size: write a whole number of bytes or a number with a unit, such as 64MiB"
)]
#[non_exhaustive]
pub struct ParseByteSizeError {
    /// The text as it was given.
    pub text: String,
}

impl ByteSize {
    /// No bytes at all.
    pub const ZERO: Self = Self(0);
    /// As many bytes as a `u64` counts: no limit in practice.
    pub const MAX: Self = Self(u64::MAX);

    /// A size of this many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// A size of this many times 1,024 bytes, at most [`ByteSize::MAX`].
    #[must_use]
    pub const fn from_kib(kib: u64) -> Self {
        Self(kib.saturating_mul(1 << 10))
    }

    /// A size of this many times 1,048,576 bytes, at most [`ByteSize::MAX`].
    #[must_use]
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib.saturating_mul(1 << 20))
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The number of bytes as a length in memory, at most `usize::MAX`.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// The sum, at most [`ByteSize::MAX`].
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, at least [`ByteSize::ZERO`].
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Stops at [`ByteSize::MAX`] rather than wrapping.
impl Add for ByteSize {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.saturating_add(other)
    }
}

/// Stops at [`ByteSize::ZERO`] rather than wrapping.
impl Sub for ByteSize {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.saturating_sub(other)
    }
}

const BINARY: [(&str, u64); 5] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, scale) = BINARY
            .iter()
            .find(|(_, scale)| self.0 >= *scale && self.0.is_multiple_of(*scale))
            .unwrap_or(&("B", 1));
        f.pad(&format!("{}{unit}", self.0 / scale))
    }
}

impl FromStr for ByteSize {
    type Err = ParseByteSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text.trim())
            .map(Self)
            .ok_or_else(|| ParseByteSizeError {
                text: text.to_owned(),
            })
    }
}

fn parse(text: &str) -> Option<u64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" | "k" => 1 << 10,
        "mib" | "m" => 1 << 20,
        "gib" | "g" => 1 << 30,
        "tib" | "t" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return None,
    };
    let Some((whole, fraction)) = number.split_once('.') else {
        return number.parse::<u64>().ok()?.checked_mul(scale);
    };
    // A fraction of a byte is no size, and 18 digits keep the product inside 128 bits.
    if scale == 1 || fraction.is_empty() || fraction.len() > 18 {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let parts = u128::from(fraction.parse::<u64>().ok()?) * u128::from(scale)
        / 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    whole.checked_add(u64::try_from(parts).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(
            text.parse::<ByteSize>().ok().map(ByteSize::bytes),
            expected,
            "{text}"
        );
    }

    #[test]
    fn reads_numbers_and_units() {
        check("0", Some(0));
        check(" 1024 ", Some(1024));
        check("64MiB", Some(64 << 20));
        check("64 mib", Some(64 << 20));
        check("1.5GiB", Some(3 << 29));
        check("2MB", Some(2_000_000));
        check("", None);
        check("-1", None);
        check("1.5", None);
        check("MiB", None);
        check("1 parsec", None);
        check("99999999999TiB", None);
        check("1..5MiB", None);
    }

    #[test]
    fn writes_what_it_reads() {
        for bytes in [0, 1, 1023, 1024, 1500, 64 << 20, 3 << 29, u64::MAX] {
            let size = ByteSize::from_bytes(bytes);
            assert_eq!(size.to_string().parse(), Ok(size));
        }
    }
}
