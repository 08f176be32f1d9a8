//! What the crate promises its users, a module per topic.

mod data;
mod lossless;
mod reading;
mod round_trip;
mod rules;
mod schema;
mod source;
