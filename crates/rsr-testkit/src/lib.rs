//! Manual clocks, seeded numbers and memory assertions for tests of memory-aware code.
//!
//! A dev-dependency only. It gives tests the things they cannot take from the machine without being at its mercy:
//! the time ([`ManualClock`]) and the exact heap ([`CountingAllocator`] with [`peak_of`] and [`left_by`]); and numbers
//! that look random and are the same in every run ([`Seeded`]). And servers that are only there for the tests: a database
//! of each one's own ([`PostgresDatabase`]) with a tree of projects of any size to fill it ([`Forest`]), and one that mail
//! is sent to ([`SmtpServer`]).
//!
//! ```
//! use std::time::Duration;
//! use rsr_base::Clock;
//! use rsr_testkit::ManualClock;
//!
//! let clock = ManualClock::new();
//! clock.advance(Duration::from_secs(60));
//! assert_eq!(clock.elapsed(), Duration::from_secs(60));
//! ```
//!
//! # Limits
//!
//! | bound | value |
//! |---|---|
//! | measurements of one process at a time | one: [`peak_of`] and [`left_by`] wait for each other |
//! | time a [`ManualClock`] can hold | 584 years |
//!
//! # What it does not do
//!
//! It is for tests alone: no crate of the product depends on it outside of them.

mod alloc;
mod bench;
mod clock;
mod data;
mod forest;
mod postgres;
mod seeded;
mod smtp;

pub use alloc::{CountingAllocator, left_by, peak_of};
pub use bench::{Bench, Row};
pub use clock::ManualClock;
pub use data::{iati_data, left_out};
pub use forest::Forest;
pub use postgres::{PostgresDatabase, PostgresServer};
pub use seeded::Seeded;
pub use smtp::{ReceivedMail, SmtpServer};

/// The page of the package, so that its examples are tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
