//! Places in depth-first order, as the store keeps them beside the parent links.

use rsr_base::ProjectId;

/// Where a node stands below its root. "Everything below x" is the places after `place` up to `last_place` of the same
/// root, in depth-first order, children newest id first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The node.
    pub id: ProjectId,
    /// The root above it; itself for a root.
    pub root: ProjectId,
    /// Levels below the root; 0 for a root.
    pub depth: u32,
    /// Its place. Only the order of places of one root means anything.
    pub place: i64,
    /// The last place that its branch may use, inclusive. A child's is never past its parent's.
    pub last_place: i64,
}

/// Places from one node to the next after a rebuild.
pub const PLACE_GAP: i64 = 1 << 30;

/// Room for one new child between its parent and the parent's present first child, where a newest id belongs: gives
/// `place` and `last_place`, or `None` where the gap is used up and the root's places must be rebuilt.
///
/// `before` is the first child's place, or the parent's `last_place` + 1 where it has no child. A quarter of the gap is
/// taken, at its far end, so that some seventy siblings or fifteen levels fit between two rebuilds.
///
/// ```
/// let (place, last_place) = rsr_hierarchy::room_for_child(0, 1 << 30).unwrap();
/// assert!(0 < place && place <= last_place && last_place < 1 << 30);
/// assert_eq!(rsr_hierarchy::room_for_child(7, 8), None);
/// ```
#[must_use]
pub fn room_for_child(parent_place: i64, before: i64) -> Option<(i64, i64)> {
    let free = before.checked_sub(parent_place)?.checked_sub(1)?;
    if free < 1 {
        return None;
    }
    let taken = (free / 4).max(1);
    Some((before - taken, before - 1))
}
