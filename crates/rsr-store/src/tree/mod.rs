//! The tree of projects: positions derived from the parent links.

pub(crate) mod check;
pub(crate) mod positions;
pub(crate) mod rebuild;

/// Room between two places of a rebuilt tree; 2³¹ projects fit one tree.
pub(crate) const GAP: i64 = 1 << 32;
/// Room a new project keeps to the next one, for what will be put below it.
pub(crate) const STEP: i64 = 1 << 16;
