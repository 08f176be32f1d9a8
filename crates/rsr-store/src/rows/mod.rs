//! Rows as this crate takes and gives them. Money and measures are hundredths, times are milliseconds since 1970 UTC,
//! dates are ISO texts (`2024-12-31`).

mod project;
mod results;

pub use project::{NewProject, Project, ProjectEdit};
pub use results::{
    Disaggregation, NewIndicator, NewPeriod, NewResult, NewUpdate, Triple, UpdateEdit, UpdateStatus,
};
