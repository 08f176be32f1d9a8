//! What `rsr-hierarchy` asks of a store, answered from one snapshot.

mod branches;
mod links;
mod list;
mod nodes;
mod row;
mod scope;

pub use branches::Resume;
pub use list::ListedProjects;
pub use row::{ChildRow, NamedOrganisation, ParentRow, RoleRow, SectorRow};
pub(crate) use scope::{COVERS, Query, is_visible};
