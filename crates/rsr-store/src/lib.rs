//! SQL storage for rsr: projects, results, queue.
#![forbid(unsafe_code)]
