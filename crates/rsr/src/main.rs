//! The rsr program.
#![forbid(unsafe_code)]

fn main() {}
