//! One typed tree of settings with sources, profiles and bounds.
#![forbid(unsafe_code)]
