//! Tracks which records are being deleted, with guards that always let go.
//!
//! Deleting a project with everything under it takes time. Meanwhile nobody should write to it, cache it or aggregate
//! it. What goes in is an id; what comes out is a guard; what is held in between is the fact that the id is being
//! deleted, which everybody can ask for at the price of a load.
//!
//! ```
//! use rsr_base::ProjectId;
//! use rsr_deletion::DeletionTracker;
//!
//! let tracker = DeletionTracker::default();
//! let project = ProjectId(42);
//!
//! fn delete(tracker: &DeletionTracker, id: ProjectId) -> Result<(), String> {
//!     let _guard = tracker.begin(id);
//!     assert!(tracker.contains(id));
//!     Err("the database went away".to_owned())
//! }
//!
//! assert!(delete(&tracker, project).is_err());
//! assert!(!tracker.contains(project), "the guard let go on the way out");
//! assert_eq!(tracker.stats().n_finished, 1);
//! ```
//!
//! A guard owns the id it was given and a token of its own. So it needs nothing from the record, which is gone by the
//! time the guard drops; two deletions of one id count twice; and a late guard cannot release a newer one. An entry whose
//! guard never drops (a forgotten task, a thread that hangs) goes stale, no longer counts, and is swept by the
//! [`Janitor`].
//!
//! # Limits
//!
//! | bound | default | setting |
//! |---|---|---|
//! | age from which a deletion no longer counts | 3600 s | `deletion.stale_after` |
//! | time between two sweeps of stale deletions | 900 s | `deletion.cleanup_interval` |
//! | memory | 8 KiB, and some 60 bytes for each deletion under way, here or elsewhere | – |
//!
//! # What it does not do
//!
//! It deletes nothing and locks nothing: it answers a question. It knows no database; other machines are reached through
//! [`SharedTracker`], which a store implements. What they delete is known as of the last [`DeletionTracker::refresh`], and
//! goes stale where it began.
#![forbid(unsafe_code)]

mod elsewhere;
mod filter;
mod guard;
mod janitor;
#[cfg(all(test, rsr_loom))]
mod loom_tests;
mod scope;
mod shared;
mod stats;
mod sync;
mod tracker;

pub use guard::DeletionGuard;
pub use janitor::Janitor;
pub use scope::Transaction;
pub use shared::{SharedError, SharedTracker};
pub use stats::{DeletionStats, StaleDeletion, Sweep};
pub use tracker::{DeletionId, DeletionTracker};
