//! Numbers that look random and are the same for the same seed on every machine and in every release.

/// A small generator of its own for each thing it decides, so that one thing's numbers do not shift another's.
///
/// Source: the `splitmix64` step of Sebastiano Vigna's public-domain description.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// The numbers of `stream` under `seed`.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self {
            state: seed ^ stream.wrapping_mul(0xA24B_AED4_963E_E407),
        };
        // Neighbouring streams begin far apart only after they have been mixed.
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included; `low` where there is none between.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        let width = u64::from(high.saturating_sub(low)) + 1;
        // A bias of less than one in 2^32 does not show in a sample portfolio.
        let offset = u32::try_from(self.next() % width).unwrap_or(0);
        low.saturating_add(offset)
    }

    /// Whether something that happens so often in a hundred times happens.
    pub(crate) fn percent(&mut self, percent: u32) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of several.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let last = u32::try_from(items.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let place = self.between(0, last) as usize;
        items
            .get(place)
            .expect("the tables that are picked from have entries")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_stream_decide_everything() {
        let numbers = |seed, stream| {
            let mut random = Random::new(seed, stream);
            [0; 8].map(|_: u32| random.between(0, 1_000_000))
        };
        assert_eq!(numbers(1, 2), numbers(1, 2));
        assert_ne!(numbers(1, 2), numbers(1, 3));
        assert_ne!(numbers(1, 2), numbers(2, 2));
    }

    #[test]
    fn both_ends_come_up_and_nothing_beyond() {
        let mut random = Random::new(7, 0);
        let drawn: Vec<u32> = (0..1000).map(|_| random.between(3, 6)).collect();
        for number in 3..=6 {
            assert!(drawn.contains(&number), "{number}");
        }
        assert!(drawn.iter().all(|number| (3..=6).contains(number)));
        assert_eq!(random.between(5, 5), 5);
    }
}
