//! Who asks, and how much one answer may hold.

use std::num::NonZeroUsize;

use rsr_base::UserId;
use rsr_settings::HierarchySettings;

/// Who asks. What a viewer may see is the source's knowledge; that nothing else is shown, counted or hinted at is its
/// duty (rule 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Viewer {
    /// Nobody is logged in: public, published projects.
    Anonymous,
    /// A person or program: what the anonymous reader sees, and what their roles allow.
    User(UserId),
    /// Sees everything.
    Administrator,
}

/// The bounds of one answer, read anew for every request so that a changed setting takes effect at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most elements in one answer: `hierarchy.max_descendants_per_request`.
    pub max_descendants_per_request: NonZeroUsize,
    /// Rows read at a time: `hierarchy.chunk_size`.
    pub chunk_size: NonZeroUsize,
}

impl Limits {
    /// Limits from plain numbers; a zero counts as one, since an answer without elements could never be followed.
    #[must_use]
    pub fn new(max_descendants_per_request: usize, chunk_size: usize) -> Self {
        let at_least_one = |n: usize| NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN);
        Self {
            max_descendants_per_request: at_least_one(max_descendants_per_request),
            chunk_size: at_least_one(chunk_size),
        }
    }
}

impl Default for Limits {
    /// 1000 elements, 500 rows.
    fn default() -> Self {
        Self::new(1000, 500)
    }
}

impl From<&HierarchySettings> for Limits {
    fn from(settings: &HierarchySettings) -> Self {
        Self::new(settings.max_descendants_per_request, settings.chunk_size)
    }
}
