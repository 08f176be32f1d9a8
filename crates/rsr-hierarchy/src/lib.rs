//! Bounded walking of project hierarchies of any size.
#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

mod ancestors;
mod children;
mod cursor;
mod descendants;
mod forest;
mod grouping;
mod moves;
mod request;
mod source;
mod viewer;

pub use ancestors::{Ancestors, ClimbError, root_of};
pub use children::{Children, Head, Mode, OpenError};
pub use cursor::{CursorError, CursorKey};
pub use descendants::Descendants;
pub use forest::{PLACE_GAP, Position, room_for_child};
pub use grouping::Grouping;
pub use moves::{MoveError, MoveSource, check_move};
pub use request::{
    ChildrenRequest, Condition, DEPTH_DEFAULT, DEPTH_MAX, FILTER_MAX_CONDITIONS,
    FILTER_VALUE_MAX_CHARS, Filter, Key, RequestError, SORT_TEXT_MAX_CHARS, Sort, SortField,
};
pub use source::{BranchNode, Node, NodeSource, Parent, ParentSource, Scope};
pub use viewer::{Limits, Viewer};
