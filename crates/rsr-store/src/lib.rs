//! SQL storage for rsr: projects, results, the queue.
#![forbid(unsafe_code)]

mod database;
mod elements;
mod error;
mod export;
mod hierarchy;
mod import;
mod numbers;
mod pool;
mod read;
mod rows;
mod snapshot;
mod sql;
mod store;
mod tree;
mod tx;

pub use database::DatabaseStatus;
pub use error::{Conflict, Error};
pub use export::{Activities, ActivityFilter, Omission};
pub use hierarchy::{
    ChildRow, ListedProjects, NamedOrganisation, ParentRow, Resume, RoleRow, SectorRow,
};
pub use import::{CutShort, FileReport, ImportNote, Importer, LinkReport};
pub use pool::PoolUse;
pub use read::{IndicatorRow, PeriodDisaggregationRow, PeriodRow, Place, ResultRow, UpdateRow};
pub use rows::{
    Disaggregation, NewIndicator, NewPeriod, NewProject, NewResult, NewUpdate, Project,
    ProjectEdit, Role, UpdateEdit, UpdateStatus,
};
pub use snapshot::Snapshot;
pub use store::Store;
pub use tx::Tx;
