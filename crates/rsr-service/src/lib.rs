//! The HTTP service of rsr.
#![forbid(unsafe_code)]
