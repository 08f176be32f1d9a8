//! What the crate promises its users, a module per topic.

mod data;
mod reading;
mod schema;
