//! Exact roll-up of results along project hierarchies.
#![forbid(unsafe_code)]

mod audit;
mod bulk;
mod climb;
mod compute;
mod live;
mod model;
mod number;
mod own;
mod rules;
mod source;
mod tally;
mod texts;

pub use audit::{Column, Finding, audit};
pub use bulk::{BulkError, BulkReport, PeriodTooLarge, Rollup, aggregate_all};
pub use climb::{ClimbReport, Warning, climb, top_of};
pub use compute::{ComputeError, Computed, compute};
pub use live::{Live, LiveError, Rule};
pub use model::{
    ChildDisaggregation, Contribution, Date, Edge, Indicator, Measure, Moment, Period, PeriodTexts,
    StoredDisaggregation, Total, Update, UpdateText,
};
pub use number::{FieldError, Hundredths, NumberError, Numbers, WHOLE_DIGITS_MAX};
pub use own::{OwnPart, own_part, own_parts};
pub use rules::{
    PeriodDates, Refusal, admit_manual, admit_update, affected_periods, is_incomplete,
};
pub use source::{
    BulkPeriod, BulkSource, BulkTexts, IndicatorUpdates, PeriodEnd, PeriodSource, Sink, Take,
};
pub use tally::TooLarge;
pub use texts::period_texts;
