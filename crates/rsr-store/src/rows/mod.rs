//! Rows as this crate takes and gives them. Money and measures are hundredths, times are milliseconds since 1970 UTC,
//! dates are ISO texts (`2024-12-31`).

mod people;
mod project;
mod results;
mod tokens;

pub use people::{Grant, Role, UserRow};
pub use project::{NewProject, Project, ProjectEdit};
pub use results::{
    Disaggregation, IndicatorEdit, NewIndicator, NewPeriod, NewResult, NewUpdate, PeriodEdit,
    ResultEdit, UpdateEdit, UpdateStatus,
};
pub use tokens::{NewToken, TokenHolder, TokenRow, TokenScope, TokenSecret};
