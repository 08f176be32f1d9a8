//! Whole numbers in the binary form of NUMERIC.
//!
//! Source: PostgreSQL, `src/backend/utils/adt/numeric.c`, `numeric_send`: four 16-bit numbers (digits, weight of the
//! first, sign, digits after the point), then the digits to base 10 000, the highest first.

use bytes::{BufMut, BytesMut};

const BASE: u128 = 10_000;
const NEGATIVE: u16 = 0x4000;

/// Most digits to base 10 000 of a number of 128 bits.
const DIGITS_MAX: usize = 10;

/// Writes a number.
pub(super) fn write(value: i128, out: &mut BytesMut) {
    let mut digits = [0_u16; DIGITS_MAX];
    let mut n_digits = 0;
    let mut rest = value.unsigned_abs();
    for digit in &mut digits {
        if rest == 0 {
            break;
        }
        *digit = u16::try_from(rest % BASE).unwrap_or_default();
        rest /= BASE;
        n_digits += 1;
    }
    let n = i16::try_from(n_digits).unwrap_or_default();
    out.put_i16(n);
    out.put_i16((n - 1).max(0));
    out.put_u16(if value < 0 { NEGATIVE } else { 0 });
    out.put_u16(0);
    for digit in digits.iter().take(n_digits).rev() {
        out.put_u16(*digit);
    }
}

/// Reads a number; `None` for what is no whole number of 128 bits.
pub(super) fn read(bytes: &[u8]) -> Option<i128> {
    let mut words = bytes
        .chunks_exact(2)
        .filter_map(|word| word.try_into().ok().map(u16::from_be_bytes));
    let n_digits = words.next()?;
    let weight = i32::from(words.next()?.cast_signed());
    let sign = words.next()?;
    let _scale = words.next()?;
    if !matches!(sign, 0 | NEGATIVE) {
        return None;
    }
    let mut value = 0_u128;
    for _ in 0..n_digits {
        value = value.checked_mul(BASE)?.checked_add(words.next()?.into())?;
    }
    // Zeros at the end are left out; what lies behind the point is none of ours.
    let n_left_out = weight + 1 - i32::from(n_digits);
    for _ in 0..u32::try_from(n_left_out)
        .ok()
        .filter(|_| n_digits > 0)
        .unwrap_or(0)
    {
        value = value.checked_mul(BASE)?;
    }
    if n_left_out < 0 && n_digits > 0 {
        return None;
    }
    match sign {
        NEGATIVE => 0_i128.checked_sub_unsigned(value),
        _ => i128::try_from(value).ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    proptest! {
        #[test]
        fn numbers_are_read_as_written(value: i128) {
            let mut out = BytesMut::new();
            write(value, &mut out);
            prop_assert_eq!(read(&out), Some(value));
        }
    }

    #[test]
    fn the_ends_fit() {
        for value in [0, 1, -1, 9_999, 10_000, -10_000, i128::MAX, i128::MIN] {
            let mut out = BytesMut::new();
            write(value, &mut out);
            assert_eq!(read(&out), Some(value));
        }
    }

    #[test]
    fn servers_leave_zeros_out() {
        assert_eq!(read(&bytes(&[1, 2, 0, 0, 7])), Some(700_000_000));
        assert_eq!(read(&bytes(&[0, 0, 0, 2])), Some(0));
    }

    #[test]
    fn what_is_no_whole_number_is_refused() {
        assert_eq!(read(&bytes(&[1, 0xFFFF, 0, 2, 5000])), None, "0.5");
        assert_eq!(read(&bytes(&[0, 0, 0xC000, 0])), None, "not a number");
        assert_eq!(read(&bytes(&[1, 20, 0, 0, 1])), None, "10 to the 80th");
        assert_eq!(read(&bytes(&[2, 0, 0, 0, 1])), None, "cut short");
        assert_eq!(read(&[]), None);
    }
}
