//! The vocabulary that every rsr crate shares, and nothing else.
//!
//! What goes in here is a word that two crates need to understand each other: an id, a size in bytes, a clock, a
//! capped read, the request to give memory back, the budget memory is taken from. It holds no policy: each limit is a
//! parameter.
//!
//! ```
//! use rsr_base::{ByteSize, MemoryBudget};
//!
//! let process = MemoryBudget::root("process", ByteSize::from_mib(64));
//! let exports = process.child("exports", ByteSize::from_mib(16));
//!
//! let buffer = exports.try_reserve(ByteSize::from_mib(10))?;
//! assert!(exports.try_reserve(ByteSize::from_mib(10)).is_err(), "its own limit holds");
//! assert_eq!(process.used(), ByteSize::from_mib(10), "and its parent sees what it took");
//! drop(buffer);
//! assert_eq!(process.used(), ByteSize::ZERO);
//! # Ok::<(), rsr_base::OverBudget>(())
//! ```
//!
//! # Limits
//!
//! | bound | default | who sets it |
//! |---|---|---|
//! | bytes of one [`read_at_most`] | none: it is a parameter | the caller |
//! | bytes of a [`MemoryBudget`] pool | none: it is a parameter | the caller, again at run time |
//!
//! # What it does not do
//!
//! It reads no settings, starts no thread, measures no memory and knows nothing of projects but the numbers that name
//! them.
#![forbid(unsafe_code)]

mod budget;
mod byte_size;
mod clock;
mod ids;
mod read;
mod reclaim;

pub use budget::{MemoryBudget, OverBudget, PoolUsage, Reservation};
pub use byte_size::{ByteSize, ParseByteSizeError};
pub use clock::{Clock, CoarseClock, SharedClock, SystemClock, coarse_clock, system_clock};
pub use ids::{
    DimensionNameId, DimensionValueId, DisaggregationId, IndicatorId, JobId, OrganisationId,
    PeriodId, ProjectId, ResultId, UpdateId, UserId,
};
pub use read::{ReadError, read_at_most, read_file_at_most, read_text_at_most};
pub use reclaim::Reclaim;

/// The page of the package, so that its examples are tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
