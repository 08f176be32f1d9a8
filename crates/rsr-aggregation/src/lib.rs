//! Exact roll-up of results along project hierarchies.
#![forbid(unsafe_code)]

mod audit;
mod bulk;
mod climb;
mod compute;
mod model;
mod number;
mod own;
mod source;
mod tally;
mod texts;

pub use audit::{Column, Finding, audit};
pub use bulk::{BulkError, BulkReport, PeriodTooLarge, Rollup, aggregate_all};
pub use climb::{ClimbReport, Warning, climb, top_of};
pub use compute::{ComputeError, Computed, compute};
pub use model::{
    ChildDisaggregation, Contribution, Date, Edge, Indicator, Measure, Moment, Period, PeriodTexts,
    StoredDisaggregation, Total, Update, UpdateText,
};
pub use number::{FieldError, Hundredths, NumberError, Numbers, WHOLE_DIGITS_MAX};
pub use own::{OwnPart, own_part, own_parts};
pub use source::{
    BulkPeriod, BulkSource, BulkTexts, IndicatorUpdates, PeriodEnd, PeriodSource, Sink, Take,
};
pub use tally::TooLarge;
pub use texts::period_texts;
