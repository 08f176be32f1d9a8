//! Bounded walking of project hierarchies of any size.
#![forbid(unsafe_code)]
