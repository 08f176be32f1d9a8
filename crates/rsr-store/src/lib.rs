//! SQL storage for rsr: projects, results, the queue.
#![forbid(unsafe_code)]

mod error;
mod numbers;
mod pool;
mod read;
mod rows;
mod snapshot;
mod sql;
mod store;
mod tree;
mod tx;

pub use error::{Conflict, Error};
pub use pool::PoolUse;
pub use read::Place;
pub use rows::{
    Disaggregation, NewIndicator, NewPeriod, NewProject, NewResult, NewUpdate, Project,
    ProjectEdit, Triple, UpdateEdit, UpdateStatus,
};
pub use snapshot::Snapshot;
pub use store::{Store, StoreOptions};
pub use tx::Tx;
