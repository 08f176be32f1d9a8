//! What the crate promises its users, a module per topic.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod data;
mod hostile;
mod laws;
mod lossless;
mod organisations;
mod reading;
mod round_trip;
mod rules;
mod schema;
mod source;
mod upgrade;
mod validate;
mod writing;
