//! SQL storage for rsr: projects, results, the queue.
#![forbid(unsafe_code)]

mod error;
mod pool;
mod rows;
mod snapshot;
mod sql;
mod store;
mod tree;
mod tx;

pub use error::{Conflict, Error};
pub use pool::PoolUse;
pub use rows::{
    Disaggregation, NewIndicator, NewPeriod, NewProject, NewResult, NewUpdate, Project,
    ProjectEdit, Triple, UpdateEdit, UpdateStatus,
};
pub use snapshot::Snapshot;
pub use store::{Store, StoreOptions};
pub use tx::Tx;
