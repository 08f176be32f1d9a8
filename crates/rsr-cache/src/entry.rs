//! What a cache keeps for a key beside the value itself: 12 bytes.

use std::time::Duration;

const NEGATIVE: u64 = 1 << 63;
const TAGGED: u64 = 1 << 62;
const SPAN_SHIFT: u32 = 60;
const SPAN: u64 = 0b11 << SPAN_SHIFT;
const DEADLINE: u64 = (1 << SPAN_SHIFT) - 1;

/// A moment in nanoseconds since the origin of the cache's clock; at most [`NEVER`].
pub(crate) type Nanos = u64;

/// A deadline that is not reached: 36 years after the clock's origin.
pub(crate) const NEVER: Nanos = DEADLINE;

/// Deadline and marks of one entry in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(u64);

impl Stamp {
    /// A stamp of an entry that dies at `deadline`, counted in span number `span` of the expiry counter.
    pub(crate) fn new(deadline: Nanos, span: u8, is_negative: bool, is_tagged: bool) -> Self {
        let mut word = deadline.min(NEVER) | (u64::from(span & 0b11) << SPAN_SHIFT);
        if is_negative {
            word |= NEGATIVE;
        }
        if is_tagged {
            word |= TAGGED;
        }
        Self(word)
    }

    #[inline]
    pub(crate) fn deadline(self) -> Nanos {
        self.0 & DEADLINE
    }

    pub(crate) fn span(self) -> u64 {
        (self.0 & SPAN) >> SPAN_SHIFT
    }

    #[inline]
    pub(crate) fn is_negative(self) -> bool {
        self.0 & NEGATIVE != 0
    }

    pub(crate) fn is_tagged(self) -> bool {
        self.0 & TAGGED != 0
    }
}

/// A value with its stamp and weight, as backends hold it.
#[derive(Clone, Debug)]
pub(crate) struct Stored<V> {
    pub(crate) value: V,
    pub(crate) stamp: Stamp,
    pub(crate) weight: u32,
}

/// The answer to a lookup.
///
/// "Nothing is stored" and "what is stored is nothing" are different answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lookup<V> {
    /// A value that is valid now.
    Hit(V),
    /// A value past its time to live that may still be served for a while (`stale_for`).
    Stale(V),
    /// A valid value that stands for "there is nothing" or for a failure, as the cache's `negative` rule says.
    Negative(V),
    /// Nothing is stored, or what was stored has expired.
    Miss,
}

impl<V> Lookup<V> {
    /// The value, unless it is stale or missing. A negative value is a value.
    pub fn fresh(self) -> Option<V> {
        match self {
            Self::Hit(value) | Self::Negative(value) => Some(value),
            Self::Stale(_) | Self::Miss => None,
        }
    }

    /// Whatever value is stored, be it stale.
    pub fn any(self) -> Option<V> {
        match self {
            Self::Hit(value) | Self::Negative(value) | Self::Stale(value) => Some(value),
            Self::Miss => None,
        }
    }

    /// True where nothing can be served.
    pub fn is_miss(&self) -> bool {
        matches!(self, Self::Miss)
    }
}

/// The moment `ttl` after `now`, [`NEVER`] where there is no time to live or it is too long to matter.
pub(crate) fn deadline_after(now: Nanos, ttl: Option<Duration>) -> Nanos {
    ttl.map_or(NEVER, |ttl| {
        u64::try_from(ttl.as_nanos())
            .unwrap_or(NEVER)
            .saturating_add(now)
            .min(NEVER)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_gives_back_what_went_in() {
        for deadline in [0, 1, 1 << 40, NEVER - 1, NEVER] {
            for span in 0..4 {
                for (is_negative, is_tagged) in
                    [(false, false), (true, false), (false, true), (true, true)]
                {
                    let stamp = Stamp::new(deadline, span, is_negative, is_tagged);
                    assert_eq!(stamp.deadline(), deadline);
                    assert_eq!(stamp.span(), u64::from(span));
                    assert_eq!(stamp.is_negative(), is_negative);
                    assert_eq!(stamp.is_tagged(), is_tagged);
                }
            }
        }
    }

    #[test]
    fn a_deadline_past_the_range_is_never() {
        assert_eq!(deadline_after(5, None), NEVER);
        assert_eq!(deadline_after(5, Some(Duration::MAX)), NEVER);
        assert_eq!(deadline_after(5, Some(Duration::from_nanos(7))), 12);
    }
}
