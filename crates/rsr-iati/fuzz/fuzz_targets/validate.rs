//! Any bytes are validated to an end: an answer, no panic, and counts that add up.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsr_iati::validate::{Options, validate};

fuzz_target!(|bytes: &[u8]| {
    let mut n_shown = 0;
    let summary = validate(bytes, &Options::default(), &mut |group| {
        n_shown += group.findings.len() as u64 + group.n_left_out;
    });
    assert_eq!(
        n_shown,
        summary.n_critical + summary.n_error + summary.n_warning
    );
});
