//! Streaming reading, writing and validating of IATI XML in constant memory.
#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

pub mod codelists;
pub mod export;
mod finding;
pub mod lossless;
pub mod model;
pub mod reader;
pub mod report;
pub mod rules;
pub mod schema;
pub mod validate;
pub mod writer;
pub mod xml;
