//! Maintenance commands of the rsr workspace.
#![forbid(unsafe_code)]

fn main() {}
