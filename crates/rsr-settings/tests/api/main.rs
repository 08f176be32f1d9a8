//! What `rsr-settings` promises to its users, a module per topic.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::missing_assert_message,
    reason = "the helpers of tests; the lints' own exception covers test functions alone"
)]

mod errors;
mod live;
mod parsing;
mod profiles;
mod reference;
mod sources;
