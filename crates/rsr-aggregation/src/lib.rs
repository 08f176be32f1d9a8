//! Exact roll-up of results along project hierarchies.
#![forbid(unsafe_code)]
