//! The identifiers of a file's activities, to find a second one.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Identifiers that are remembered to find a second one.
const IDENTIFIERS_MAX: usize = 1_000_000;

/// Up to so many a set that grows holds them.
const FEW: usize = 4_096;

/// Places for the rest: three in four are taken at most.
const PLACES: usize = IDENTIFIERS_MAX / 3 * 4;

/// Remembers identifiers by their hashes.
///
/// Memory: that of some thousand hashes, and past these 7 MB at once for the million there may be, so that it does not grow
/// with the file. Two of a million identifiers are taken for one with a chance of one in some hundred thousand.
#[derive(Debug, Default)]
pub(super) struct Identifiers {
    few: BTreeSet<u64>,
    many: Option<Box<[Print]>>,
    n_many: usize,
}

/// What tells a hash from others at its place: 40 bits of it, never zero.
type Print = [u8; 5];

const EMPTY: Print = [0; 5];

impl Identifiers {
    /// Whether the identifier was seen before. It is from now on; past a million no more are remembered.
    pub(super) fn is_repeated(&mut self, identifier: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        identifier.hash(&mut hasher);
        let hash = hasher.finish();
        if self.many.is_none() && self.few.len() == FEW && !self.few.contains(&hash) {
            self.many = Some(vec![EMPTY; PLACES].into_boxed_slice());
            for known in std::mem::take(&mut self.few) {
                self.seen(known);
            }
        }
        if self.many.is_some() {
            self.seen(hash)
        } else {
            !self.few.insert(hash)
        }
    }

    /// Looks it up in the table, and puts it there.
    fn seen(&mut self, hash: u64) -> bool {
        let Some(places) = &mut self.many else {
            return false;
        };
        let [a, b, c, at @ ..] = (hash | (u64::from(hash >> 24 == 0) << 24)).to_be_bytes();
        let [d, e, rest @ ..] = at;
        let print = [a, b, c, d, e];
        let [f, g, h] = rest;
        let low = u64::from(u32::from_be_bytes([0, f, g, h]));
        let mut place = usize::try_from((low * PLACES as u64) >> 24).unwrap_or(0);
        // There always is an empty place to end at.
        while let Some(taken) = places.get_mut(place) {
            if *taken == print {
                return true;
            }
            if *taken == EMPTY {
                if self.n_many < IDENTIFIERS_MAX {
                    *taken = print;
                    self.n_many += 1;
                }
                return false;
            }
            place = (place + 1) % PLACES;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_of_two_is_found_among_few_and_many() {
        let mut identifiers = Identifiers::default();
        for n in 0..20_000 {
            assert!(!identifiers.is_repeated(&format!("XX-{n}")), "{n} is new");
            if n % 7 == 0 {
                assert!(
                    identifiers.is_repeated(&format!("XX-{n}")),
                    "{n} comes again"
                );
            }
        }
        for n in [0, 1, 4_095, 4_096, 4_097, 19_999] {
            assert!(
                identifiers.is_repeated(&format!("XX-{n}")),
                "{n} comes later"
            );
        }
    }

    #[test]
    fn past_a_million_no_more_are_remembered() {
        let mut identifiers = Identifiers::default();
        let mut n_wrong = 0;
        for n in 0..IDENTIFIERS_MAX + 1_000 {
            n_wrong += usize::from(identifiers.is_repeated(&n.to_string()));
        }
        assert_eq!(n_wrong, 0);
        assert!(identifiers.is_repeated("999999"), "it was the last");
        assert!(!identifiers.is_repeated("1000999"), "it came too late");
    }
}
