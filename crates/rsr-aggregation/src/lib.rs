//! Exact roll-up of results along project hierarchies.
#![forbid(unsafe_code)]

mod model;
mod number;
mod source;

pub use model::{
    ChildDisaggregation, Contribution, Date, Edge, Indicator, Measure, Moment, Period, PeriodTexts,
    StoredDisaggregation, Total, Update, UpdateText,
};
pub use number::{FieldError, Hundredths, NumberError, Numbers, WHOLE_DIGITS_MAX};
pub use source::{
    BulkPeriod, BulkSource, BulkTexts, IndicatorUpdates, PeriodEnd, PeriodSource, Sink, Take,
};
