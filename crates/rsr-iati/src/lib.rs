//! Streaming reading, writing and validating of IATI XML in constant memory.
#![forbid(unsafe_code)]
