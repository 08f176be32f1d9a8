//! A sample portfolio: programmes of several levels with money, places, partners, results and reports.
//!
//! ```text
//! seed, number ──▶ shape, facts, random ──▶ portfolio, reports ──▶ elements ──▶ fill ──▶ the store
//!                       pure functions, nothing kept                    writes a programme at a time
//! ```

mod elements;
mod facts;
mod portfolio;
mod random;
mod reports;
mod shape;

pub(crate) use portfolio::Portfolio;
