//! What a snapshot answers, a module per topic.

mod copies;
mod results;
mod tree;

pub use results::{IndicatorRow, PeriodDisaggregationRow, PeriodRow, ResultRow, UpdateRow};
pub use tree::Place;
