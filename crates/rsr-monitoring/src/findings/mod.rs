//! What is wrong, since when, why we think so, and what to do.

mod book;
mod indicator;

pub use book::{Finding, FindingBook, FindingEvent, FindingId, FindingState};
pub use indicator::{Evidence, Indicator, Observation, Severity};
