//! Sixteen bytes looked at at once: which of them ends a name, a value or a text.
//!
//! Most names, values and texts are shorter than what a general search begins to pay for, there is one of each for every
//! few bytes of a file, and a loop over them ends where no processor can foresee. A block takes some vector instructions,
//! however many of its bytes count.

use wide::u8x16;

/// How many bytes make a block.
const BYTES: usize = 16;

/// Past so many bytes a general search is faster.
const SHORT_BYTES: usize = 64;

/// The first byte from `at` on that is special, among the next few: its place, or how far it is certain that there is
/// none.
#[inline]
pub(super) fn skip(bytes: &[u8], mut at: usize, special: impl Fn(Block) -> Block) -> usize {
    for _ in 0..SHORT_BYTES / BYTES {
        let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk) else {
            let rest = bytes.get(at..).unwrap_or_default();
            let mut block = [0; BYTES];
            for (to, from) in block.iter_mut().zip(rest) {
                *to = *from;
            }
            return at + special(Block::of(&block)).first().min(rest.len());
        };
        let place = special(Block::of(block)).first();
        at += place;
        if place < BYTES {
            break;
        }
    }
    at
}

/// Marks all but letters, digits, `-`, `.` and `_`: what may end a name, and the few other bytes that names hold.
pub(super) fn no_plain_name(block: Block) -> Block {
    let letter = block.with_bits(0x20).within(b'a', b'z');
    let other = block.within(b'-', b'9').except(block.is(b'/'));
    letter.also(other).also(block.is(b'_')).inverse()
}

/// Marks what ends a value in these quotes, or does not mean itself in one. (No control character but white space ever
/// gets as far as here.)
pub(super) fn special_in_value(quote: u8) -> impl Fn(Block) -> Block {
    move |block| {
        let markup = block.is(b'&').also(block.is(b'<'));
        markup.also(block.is(quote)).also(block.within(0, b' ' - 1))
    }
}

/// Marks what ends a text, or may not mean itself in one.
pub(super) fn special_in_text(block: Block) -> Block {
    let markup = block.is(b'<').also(block.is(b'&'));
    markup.also(block.is(b'\r')).also(block.is(b']'))
}

/// Marks what is neither a space nor a tab nor a line feed.
pub(super) fn not_blank(block: Block) -> Block {
    let blank = block.is(b' ').also(block.within(b'\t', b'\n'));
    blank.inverse()
}

/// Sixteen bytes, or as many marks: a byte of ones where there is one, else of zeros.
#[derive(Clone, Copy)]
pub(super) struct Block(u8x16);

impl Block {
    fn of(bytes: &[u8; BYTES]) -> Self {
        Self(u8x16::new(*bytes))
    }

    /// The place of the first mark; the number of bytes where there is none.
    fn first(self) -> usize {
        (self.0.to_bitmask() | 1 << BYTES).trailing_zeros() as usize
    }

    fn is(self, b: u8) -> Self {
        Self(self.0.simd_eq(u8x16::splat(b)))
    }

    fn within(self, from: u8, to: u8) -> Self {
        let shifted = self.0 - u8x16::splat(from);
        Self(shifted.min(u8x16::splat(to - from)).simd_eq(shifted))
    }

    fn with_bits(self, bits: u8) -> Self {
        Self(self.0 | u8x16::splat(bits))
    }

    /// These marks and those.
    fn also(self, marks: Self) -> Self {
        Self(self.0 | marks.0)
    }

    /// These marks without those.
    fn except(self, marks: Self) -> Self {
        Self(self.0 & !marks.0)
    }

    fn inverse(self) -> Self {
        Self(!self.0)
    }
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
                    let found = skip(&bytes, 0, not_blank);
                    assert_eq!(found, place.min(SHORT_BYTES), "of {length}");
                    assert_eq!(skip(&bytes, place, not_blank), place, "at once");
                }
            }
        }
        assert_eq!(skip(b"   ", 0, not_blank), 3, "nothing special");
    }

    #[test]
    fn every_byte_is_told_apart() {
        let marked = |b: u8, special: &dyn Fn(Block) -> Block| {
            let mut block = [b; BYTES];
            let all = special(Block::of(&block)).first() == 0;
            // Each byte for itself, whatever stands beside it.
            block.fill(b'a');
            block[9] = b;
            assert_eq!(
                special(Block::of(&block)).first() == 9,
                all && !special_a(special)
            );
            all
        };
        for b in 0..=u8::MAX {
            let is_name = b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
            assert_eq!(marked(b, &no_plain_name), !is_name, "{b:#x}");
            let in_text = matches!(b, b'<' | b'&' | b'\r' | b']');
            assert_eq!(marked(b, &special_in_text), in_text, "{b:#x}");
            let in_value = b < b' ' || matches!(b, b'<' | b'&' | b'\'');
            assert_eq!(marked(b, &special_in_value(b'\'')), in_value, "{b:#x}");
            let is_blank = matches!(b, b' ' | b'\t' | b'\n');
            assert_eq!(marked(b, &not_blank), !is_blank, "{b:#x}");
        }
    }

    /// Whether the letter that stands around is special itself.
    fn special_a(special: &dyn Fn(Block) -> Block) -> bool {
        special(Block::of(&[b'a'; BYTES])).first() == 0
    }
}
