//! Bounded, weighed, expiring caches with statistics, a registry and cached methods.
#![forbid(unsafe_code)]
