//! The attribute macro for cached methods of rsr-cache.
#![forbid(unsafe_code)]
