//! Tests of several crates together, a module per story.
#![forbid(unsafe_code)]

mod layers;
