//! What a snapshot answers, a module per topic.

mod tree;

pub use tree::Place;
