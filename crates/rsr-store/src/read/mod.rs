//! What a snapshot answers, a module per topic.

mod copies;
mod tree;

pub use tree::Place;
