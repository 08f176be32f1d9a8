//! What two requests for one cache must agree on.

use std::any::{TypeId, type_name};
use std::fmt;
use std::time::Duration;

use rsr_base::ByteSize;

use crate::policy::{Kind, Policy};

/// Everything that makes a cache what it is, comparable and printable.
///
/// Functions are compared by the name of their type, which tells one place in the source from another.
#[derive(Clone, PartialEq, Eq)]
pub struct Parameters {
    pub(crate) name: String,
    pub(crate) types: (TypeId, TypeId),
    pub(crate) type_names: (&'static str, &'static str),
    pub(crate) max_entries: u64,
    pub(crate) max_bytes: Option<ByteSize>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) policy: Policy,
    pub(crate) kind: Kind,
    pub(crate) weigher: Option<&'static str>,
    pub(crate) negative: Option<(&'static str, Duration)>,
    pub(crate) stale_for: Duration,
    pub(crate) stale_if_error: bool,
    pub(crate) breaker: Option<(u32, Duration)>,
    pub(crate) floor: Option<u64>,
    pub(crate) listener: Option<&'static str>,
    pub(crate) follows: Follows,
}

/// What a cache takes from its registry's settings, and so follows when they change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Follows {
    pub(crate) max_entries: bool,
    pub(crate) ttl: bool,
}

impl Parameters {
    pub(crate) fn of<K: 'static, V: 'static>(name: String) -> Self {
        Self {
            name,
            types: (TypeId::of::<K>(), TypeId::of::<V>()),
            type_names: (type_name::<K>(), type_name::<V>()),
            max_entries: 1_000,
            max_bytes: None,
            ttl: None,
            policy: Policy::Lru,
            kind: Kind::Chosen,
            weigher: None,
            negative: None,
            stale_for: Duration::ZERO,
            stale_if_error: false,
            breaker: None,
            floor: None,
            listener: None,
            follows: Follows::default(),
        }
    }

    /// The cache's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Entries that stay when memory is asked back from a cache of this bound.
    pub(crate) fn floor_entries(&self, max_entries: u64) -> u64 {
        self.floor.unwrap_or(max_entries / 10)
    }
}

/// One line, with what was set.
impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, value) = self.type_names;
        write!(f, "<{key}, {value}> of {} entries", self.max_entries)?;
        if let Some(max_bytes) = self.max_bytes {
            write!(f, ", {max_bytes}")?;
        }
        match self.ttl {
            Some(ttl) => write!(f, ", ttl {ttl:?}")?,
            None => f.write_str(", no ttl")?,
        }
        write!(f, ", {}, {:?}", self.policy, self.kind)?;
        if let Some((rule, ttl)) = self.negative {
            write!(f, ", negative by {rule} for {ttl:?}")?;
        }
        if self.stale_for > Duration::ZERO {
            write!(f, ", stale for {:?}", self.stale_for)?;
        }
        if self.stale_if_error {
            f.write_str(", stale if error")?;
        }
        if let Some((n_failures, open_for)) = self.breaker {
            write!(f, ", closed after {n_failures} failures for {open_for:?}")?;
        }
        if let Some(floor) = self.floor {
            write!(f, ", floor {floor}")?;
        }
        if let Some(weigher) = self.weigher {
            write!(f, ", weighed by {weigher}")?;
        }
        if let Some(listener) = self.listener {
            write!(f, ", removals told to {listener}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {self}", self.name)
    }
}
