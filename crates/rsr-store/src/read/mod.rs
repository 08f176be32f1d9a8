//! What a snapshot answers, a module per topic.

mod copies;
mod jobs;
mod people;
mod results;
mod tree;

pub use jobs::{JobFilter, JobRow};
pub use results::{IndicatorRow, PeriodDisaggregationRow, PeriodRow, ResultRow, UpdateRow};
pub use tree::Place;
