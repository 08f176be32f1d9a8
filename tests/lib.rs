//! What the tests of several crates share: finding the test data, starting the binary.
#![forbid(unsafe_code)]
