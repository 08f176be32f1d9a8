//! Bounded walking of project hierarchies of any size.
//!
//! ```text
//!  query string ──► ChildrenRequest ──► Children::open ──► Head      known before the first byte
//!                                            │        └──► nodes     two chunks held, never more
//!  a store ──────► NodeSource ───────────────┘
//!                  ParentSource ──► Ancestors, root_of, check_move   one chunk of ids held
//!  (id, parent) pairs ────────────► Forest ──► order, positions, what is broken    20 bytes a node
//! ```
//!
//! A project has one parent at most; depth counts levels. The store answers questions about chunks of rows through the
//! traits here; this crate decides how many, in which order, what the headers say, and where a cut answer goes on.
//! Nothing recurses and nothing is held whole, but for a [`Forest`] and a [`Grouping`], which say what they hold.
//!
//! ```
//! use rsr_base::ProjectId;
//! use rsr_hierarchy::{ChildrenRequest, CursorKey, Forest, Key, Viewer};
//!
//! // What came from elsewhere may be broken; the rest of it is a forest all the same.
//! let links = [(1, None), (2, Some(1)), (3, Some(2)), (8, Some(9)), (9, Some(8))];
//! let (forest, broken) = Forest::build(links)?;
//! assert_eq!(broken.cycles, [[8, 9]]);
//! let places: Vec<_> = forest.positions(10).map(|p| (p.id, p.place, p.last_place)).collect();
//! assert_eq!(places, [(1, 10, 30), (2, 20, 30), (3, 30, 30)]);
//!
//! // A question, and the cursor that goes on from its last element; for no other question.
//! let key = CursorKey::new([7; 32]);
//! let ask = |query: &[(&str, &str)]| {
//!     ChildrenRequest::parse(ProjectId(1), Viewer::Anonymous, query.iter().copied(), &key)
//! };
//! let cursor = key.seal(&Key::of_id(ProjectId(2)), &ask(&[("sector", "11220")])?);
//! assert!(ask(&[("sector", "11220"), ("cursor", &cursor)]).is_ok());
//! assert!(ask(&[("cursor", &cursor)]).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//!
//! | bound | default | who sets it |
//! |---|---|---|
//! | elements of one answer | 1000 | `hierarchy.max_descendants_per_request` |
//! | rows read at a time | 500 | `hierarchy.chunk_size` |
//! | levels of one answer | 2, at most 10 | the client; [`DEPTH_MAX`] |
//! | conditions of a filter, characters of each | 20, 200 | [`FILTER_MAX_CONDITIONS`], [`FILTER_VALUE_MAX_CHARS`] |
//! | characters of a title that sort | 100 | [`SORT_TEXT_MAX_CHARS`] |
//! | characters of a cursor | 852 | follows from the line above |
//! | nodes of a [`Forest`] | 2^32 - 3 | fixed |
//! | levels of the tree, children of a node | none | |
//!
//! # What it does not do
//!
//! It knows no SQL, no HTTP and no JSON, does not judge who may see what, and writes nothing.
#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

mod ancestors;
mod children;
mod cursor;
mod descendants;
#[expect(
    clippy::indexing_slicing,
    reason = "indices are made there and never read from outside; asking for one that is not there is a bug"
)]
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
pub use forest::{BrokenLinks, Finder, Forest, NodeId, Order, Position, TooManyNodes};
pub use grouping::Grouping;
pub use moves::{MoveError, MoveSource, check_move};
pub use request::{
    ChildrenRequest, Condition, DEPTH_DEFAULT, DEPTH_MAX, FILTER_MAX_CONDITIONS,
    FILTER_VALUE_MAX_CHARS, Filter, Key, RequestError, SORT_TEXT_MAX_CHARS, Sort, SortField,
};
pub use source::{BranchNode, Node, NodeSource, Parent, ParentSource, Scope, Waypoint};
pub use viewer::{Limits, Viewer};
