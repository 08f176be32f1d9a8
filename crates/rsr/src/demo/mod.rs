//! A sample portfolio: programmes of several levels with money, places, partners, results and reports.
//!
//! ```text
//! seed, number ──▶ shape, facts, random ──▶ portfolio, reports ──▶ elements ──▶ fill ──▶ the store
//!                       pure functions, nothing kept                    writes a programme at a time
//! ```

mod ask;
mod elements;
mod facts;
mod fill;
mod leak;
mod portfolio;
mod random;
mod reports;
mod shape;
mod show;
mod summary;

pub(crate) use facts::REPORTER;
pub(crate) use fill::{Filled, fill};
pub(crate) use leak::leak;
pub(crate) use portfolio::Portfolio;
pub(crate) use show::Shown;
pub(crate) use summary::Summary;
