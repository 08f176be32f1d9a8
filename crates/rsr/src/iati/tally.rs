//! Counts by a text that a file says, in bounded memory.

use std::collections::BTreeMap;

/// Most different texts that are counted apart. The standard has 249 countries and some hundred sectors, and all of IATI
/// has about 1,700 reporting organisations.
const KEYS_MAX: usize = 5_000;
/// Most bytes of one text; what comes after is cut off.
const KEY_BYTES_MAX: usize = 200;

/// Counts by text, in the order of the texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    counts: BTreeMap<String, u64>,
    n_others: u64,
}

impl Tally {
    /// Counts one more of this text.
    pub(crate) fn add(&mut self, text: &str) {
        self.add_many(text, 1);
    }

    /// Counts so many more of this text.
    pub(crate) fn add_many(&mut self, text: &str, n: u64) {
        let mut end = text.len().min(KEY_BYTES_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let key = text.get(..end).unwrap_or_default();
        if let Some(count) = self.counts.get_mut(key) {
            *count += n;
        } else if self.counts.len() < KEYS_MAX {
            self.counts.insert(key.to_owned(), n);
        } else {
            self.n_others += n;
        }
    }

    /// Each text with its count, by text.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(text, n)| (text.as_str(), *n))
    }

    /// The texts with the highest counts, the highest first, by text where they are alike.
    pub(crate) fn top(&self, n: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self.iter().collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all.truncate(n);
        all
    }

    /// How many different texts are counted apart.
    pub(crate) fn len(&self) -> usize {
        self.counts.len()
    }

    /// Those that came when as many texts as can be told apart were known.
    pub(crate) fn n_others(&self) -> u64 {
        self.n_others
    }

    /// All of them.
    pub(crate) fn n_total(&self) -> u64 {
        self.counts.values().sum::<u64>() + self.n_others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_the_bound_only_the_total_grows() {
        let mut tally = Tally::default();
        for n in 0..KEYS_MAX + 10 {
            tally.add(&n.to_string());
        }
        tally.add("0");
        tally.add(&format!("{}é", "x".repeat(KEY_BYTES_MAX - 1)));
        assert_eq!((tally.len(), tally.n_others()), (KEYS_MAX, 11));
        assert_eq!(tally.n_total(), KEYS_MAX as u64 + 12);
        assert_eq!(tally.top(1), [("0", 2)]);
    }
}
