//! What the store promises to its callers, the same for every database engine.

mod database;
mod elements;
mod export;
mod hierarchy;
mod import;
mod positions;
mod results;
mod support;
