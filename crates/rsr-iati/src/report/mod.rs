//! What was found wrong, in the shapes that people and programs read.

mod finding;

pub use finding::{Finding, Severity};
