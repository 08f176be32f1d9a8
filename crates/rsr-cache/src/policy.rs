//! What a cache is asked to be.

use std::fmt;

/// Who goes first when a cache is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Policy {
    /// Who was used longest ago.
    #[default]
    Lru,
    /// Who is used least often, by an estimate that fades: scans do not wash a cache out.
    TinyLfu,
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Lru => "lru",
            Self::TinyLfu => "tiny-lfu",
        })
    }
}

/// Which store holds the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Exact for LRU up to [`STRICT_ENTRIES_MAX`], deferred otherwise.
    Chosen,
    Strict,
    Deferred,
    #[cfg(feature = "fast")]
    Fast,
}

/// Entries up to which an LRU cache is exact unless told otherwise.
pub const STRICT_ENTRIES_MAX: u64 = 10_000;
