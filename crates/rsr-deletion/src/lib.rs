//! Tracks which projects are being deleted, with guards that always let go.
#![forbid(unsafe_code)]
