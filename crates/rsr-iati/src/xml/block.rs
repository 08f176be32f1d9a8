//! Sixteen bytes looked at at once: which of them ends a name, a value or a text.
//!
//! Most names, values and texts are shorter than what a general search begins to pay for, there is one of each for every
//! few bytes of a file, and a loop over them ends where no processor can foresee. A block takes some vector instructions,
//! however many of its bytes count.

/// How many bytes make a block.
const BYTES: usize = 16;

/// Past so many bytes a general search is faster.
const SHORT_BYTES: usize = 64;

/// The first byte from `at` on that is special, among the next few: its place, or how far it is certain that there is
/// none. It has to be told without a branch.
pub(super) fn skip(bytes: &[u8], mut at: usize, is_special: impl Fn(u8) -> bool) -> usize {
    for _ in 0..SHORT_BYTES / BYTES {
        let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk) else {
            let rest = bytes.get(at..).unwrap_or_default();
            let place = rest.iter().position(|&b| is_special(b));
            return at + place.unwrap_or(rest.len());
        };
        let place = first(block, &is_special);
        at += place;
        if place < BYTES {
            break;
        }
    }
    at
}

/// The first byte of the block that is special; their number where none is.
fn first(block: &[u8; BYTES], is_special: impl Fn(u8) -> bool) -> usize {
    let special = block.map(|b| if is_special(b) { u8::MAX } else { 0 });
    u128::from_le_bytes(special).trailing_zeros() as usize / 8
}

/// Whether it is no letter, digit, `-`, `.` or `_`: all that may end a name, and the few other bytes that names hold.
pub(super) fn is_no_plain_name(b: u8) -> bool {
    let is_letter = (b | 0x20).wrapping_sub(b'a') < 26;
    let is_other = (b.wrapping_sub(b'-') <= b'9' - b'-') & (b != b'/');
    !(is_letter | is_other | (b == b'_'))
}

/// Whether it ends a value in these quotes, or does not mean itself in one. (No control character but white space ever
/// gets as far as here.)
pub(super) fn is_special_in_value(b: u8, quote: u8) -> bool {
    (b == quote) | (b == b'&') | (b == b'<') | (b < b' ')
}

/// Whether it ends a text, or may not mean itself in one.
pub(super) fn is_special_in_text(b: u8) -> bool {
    (b == b'<') | (b == b'&') | (b == b'\r') | (b == b']')
}

/// Whether it is neither a space nor a tab nor a line feed.
pub(super) fn is_not_blank(b: u8) -> bool {
    !((b == b' ') | (b == b'\t') | (b == b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_is_found_wherever_it_stands() {
        for length in 0..SHORT_BYTES + BYTES {
            for place in 0..length {
                for after in [b' ', b'<', 0xff] {
                    let mut bytes = vec![after; length];
                    bytes[..place].fill(b' ');
                    bytes[place] = b'x';
                    let found = skip(&bytes, 0, is_not_blank);
                    assert_eq!(found, place.min(SHORT_BYTES), "of {length}");
                    assert_eq!(skip(&bytes, place, is_not_blank), place, "at once");
                }
            }
        }
    }

    #[test]
    fn every_byte_is_told_apart() {
        for b in 0..=u8::MAX {
            let is_name = b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
            assert_eq!(is_no_plain_name(b), !is_name, "{b:#x}");
        }
    }
}
