//! The tree of projects: positions derived from the parent links.

pub(crate) mod check;
pub(crate) mod positions;
pub(crate) mod rebuild;

/// Room between two places of a rebuilt tree; 2³¹ projects fit one tree.
pub(crate) const GAP: i64 = 1 << 32;
/// Room a new project keeps to the next one, for what will be put below it.
pub(crate) const STEP: i64 = 1 << 16;

/// Places from which on an imported activity waits to be linked: behind every branch of its tree. It begins to wait at twice
/// this, so that it waits as well where its tree was put below another one.
pub(crate) const WAITING: i64 = 1 << 61;
