//! What a snapshot answers, a module per topic.

mod copies;
mod jobs;
mod lists;
mod people;
mod results;
mod tree;
mod values;

pub use jobs::{JobFilter, JobRow};
pub use lists::ItemFilter;
pub use results::{IndicatorRow, PeriodDisaggregationRow, PeriodRow, ResultRow, UpdateRow};
pub use tree::Place;
pub use values::{Achieved, StandingValue};
