//! What the crate promises its users, a module per topic.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests are tests too, and say what they leave out"
)]

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
