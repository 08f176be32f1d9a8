//! Which call stack leaks, in this very process.

use std::hint::black_box;
use std::sync::PoisonError;

use rsr_base::ByteSize;
use rsr_monitoring::{CallSites, HeapDump, Scope, SiteRules};

use crate::profiles::ONE_AT_A_TIME;

#[inline(never)]
fn keep_for_ever(kept: &mut Vec<Vec<u8>>, size: usize) {
    kept.push(vec![1; size]);
}

#[inline(never)]
fn keep_for_a_while(kept: &mut Vec<Vec<u8>>, size: usize) {
    kept.clear();
    kept.push(vec![2; size]);
    black_box(kept);
}

#[test]
fn the_function_that_leaks_is_named_and_the_busy_one_is_not() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let sites = CallSites::watch().expect("the tests run on jemalloc with prof:true");
    let (mut leaked, mut busy) = (Vec::new(), Vec::new());
    let mut found = Vec::new();
    for epoch in 0..60_u64 {
        for _ in 0..24 {
            keep_for_ever(&mut leaked, 64 << 10);
            keep_for_a_while(&mut busy, 256 << 10);
        }
        found = sites.tick(ByteSize::from_mib(2 * epoch), &SiteRules::default());
    }
    assert_eq!(found.len(), 1, "{found:?}");
    let site = &found[0];
    assert!(site.growth >= ByteSize::from_mib(20), "{}", site.growth);
    // One and a half samples fall in an epoch, and chance leaves some without.
    assert!(site.n_generations >= 8, "{}", site.n_generations);
    // As another process would name it: from the text alone.
    let text = site.dump.to_text();
    let profile = HeapDump::parse(&text).unwrap().name();
    let frame = profile.stacks()[0].call_site().unwrap();
    assert!(frame.function.ends_with("keep_for_ever"), "{frame:?}");
    assert!(frame.file.ends_with("tests/api/sites.rs") && frame.line > 0);
    assert!(sites.live().live() >= ByteSize::from_mib(60));
    assert_eq!(sites.n_left_out(), 0);
}

#[test]
fn what_the_watch_keeps_is_no_requests() {
    /// Of just this size jemalloc has blocks.
    const BLOCK: usize = 64 << 10;
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let sites = CallSites::watch().expect("the tests run on jemalloc with prof:true");
    let scope = Scope::new();
    // Of so much a good hundred samples are taken, whatever chance does.
    let n = 128 << 20;
    scope.run(|| {
        for _ in 0..n / BLOCK {
            drop(black_box(Vec::<u8>::with_capacity(BLOCK)));
        }
    });
    let usage = scope.usage();
    let expected = Some(ByteSize::from_bytes(n as u64));
    assert_eq!((usage.allocated, usage.freed), (expected, expected));
    drop(sites);
}
