//! Exact roll-up of results along project hierarchies.
//!
//! ```text
//!  updates ──► own part ──┐
//!  children's totals ─────┼──► total of a period ──► its parent, where both switches are on ──► …
//!  manual value ──────────┘        and likewise of each of its disaggregations, up both trees in step
//!
//!  a store ── BulkSource ───► aggregate_all ──► Sink      everything, in one pass; 17 + 20 bytes a period
//!             PeriodSource ─► climb ──────────► Sink      some periods and those above, each once
//!             PeriodSource ─► audit ──────────► findings  what is stored against what should be
//!  changes ─────────────────► Live ───────────► totals    in memory, O(depth) a change
//! ```
//!
//! Numbers are counts of hundredths in 128 bits, every addition is checked, and "no value" is never zero. The ways of
//! computing agree to the last digit with each other and with the rules taken literally; property tests hold them to it.
//! A total is written only where it differs from what is stored.
//!
//! ```
//! use rsr_aggregation::{Hundredths, Measure, Numbers, Rollup};
//! use rsr_base::PeriodId;
//!
//! // A percentage in three projects: 2 and 3 roll up into 1.
//! let links = [(1, None), (2, Some(1)), (3, Some(1))];
//! let links = links.map(|(id, parent)| (PeriodId(id), parent.map(PeriodId)));
//! let (mut rollup, broken) = Rollup::new(links)?;
//! assert!(broken.is_empty());
//! rollup.set_measures([1, 2, 3].map(|id| (PeriodId(id), Measure::Percentage)));
//!
//! let of = |n: &str, d: &str| -> Result<Numbers, rsr_aggregation::NumberError> {
//!     Ok(Numbers::of_pair(Hundredths::parse(n)?, Hundredths::parse(d)?))
//! };
//! rollup.set_own(PeriodId(2), true, &of("1", "3")?);
//! rollup.set_own(PeriodId(3), true, &of("3.14", "17")?);
//! rollup.set_manual(PeriodId(1), &of("9", "10")?); // stands only while nothing else does
//! rollup.run()?;
//!
//! let top = rollup.total(PeriodId(1))?.unwrap();
//! assert_eq!(top.numbers, of("4.14", "20")?);
//! assert_eq!(top.numbers.value.unwrap().to_string(), "20.70");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//!
//! | bound | default | who sets it |
//! |---|---|---|
//! | levels of a climb | 100 | `aggregation.max_depth`; the bulk pass has none |
//! | digits before the point of a number that comes in | 18 | [`WHOLE_DIGITS_MAX`] |
//! | places after the point | 2 | fixed |
//! | a sum | 1.7 × 10^36 | 128 bits; past them an error |
//! | characters of a comment | 1999 | fixed |
//! | periods, disaggregations of one bulk computation | 2^32 - 3 each | fixed |
//!
//! A pass over a million periods takes about as long as a plain fold over the same arrays, some milliseconds, so no
//! threads are used.
//!
//! # What it does not do
//!
//! It keeps no queue, knows no SQL, HTTP or JSON, and does not judge who may report what. The one thing it writes through
//! is [`Sink`]; the transaction around it is the caller's.
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
pub use climb::{ClimbLimits, ClimbReport, Warning, climb, top_of};
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
