//! Whole trees in memory: a few numbers a node, no recursion, no allocation for each.

mod positions;

pub use positions::{PLACE_GAP, Position, room_for_child};
