use std::thread;

use super::*;

fn bytes(n: u64) -> ByteSize {
    ByteSize::from_bytes(n)
}

#[test]
fn a_refusal_above_leaves_nothing_taken_below() {
    let root = MemoryBudget::root("process", bytes(10));
    let child = root.child("exports", bytes(100));
    let refusal = child.try_reserve(bytes(11)).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "process has 10B of 10B left, 11B more is needed"
    );
    assert_eq!(
        (root.used(), child.used()),
        (ByteSize::ZERO, ByteSize::ZERO)
    );
}

#[test]
fn growing_and_shrinking_is_seen_by_every_pool_above() {
    let root = MemoryBudget::root("process", bytes(100));
    let leaf = root.child("requests", bytes(50)).child("GET /", bytes(20));
    let mut held = leaf.try_reserve(bytes(5)).unwrap();
    held.try_grow(bytes(10)).unwrap();
    assert_eq!(root.used(), bytes(15));
    assert!(held.try_grow(bytes(6)).is_err(), "its own limit is 20");
    held.shrink_to(bytes(1));
    held.shrink_to(bytes(30));
    assert_eq!(
        (root.used(), leaf.used(), held.size()),
        (bytes(1), bytes(1), bytes(1))
    );
    drop(held);
    assert_eq!((root.used(), root.peak()), (ByteSize::ZERO, bytes(15)));
}

#[test]
fn usage_lists_living_pools_parents_first() {
    let root = MemoryBudget::root("process", bytes(100));
    let one = root.child("one", bytes(10));
    let _below = one.child("below", bytes(10));
    let two = root.child("two", bytes(10));
    drop(root.child("gone", bytes(10)));
    let _held = two.try_reserve(bytes(3)).unwrap();
    let seen: Vec<_> = root
        .usage()
        .into_iter()
        .map(|pool| (pool.name, pool.depth, pool.used.bytes()))
        .collect();
    assert_eq!(
        seen,
        [
            ("process", 0, 3),
            ("one", 1, 0),
            ("below", 2, 0),
            ("two", 1, 3)
        ]
        .map(|(n, d, u)| (n.to_owned(), d, u))
    );
}

#[test]
fn a_lowered_limit_refuses_what_comes_next() {
    let root = MemoryBudget::root("process", bytes(100));
    let held = root.try_reserve(bytes(80)).unwrap();
    root.set_limit(bytes(50));
    assert!(root.try_reserve(bytes(1)).is_err(), "80 of 50 are used");
    drop(held);
    assert!(root.try_reserve(bytes(50)).is_ok(), "all is free again");
}

#[test]
fn many_threads_never_pass_the_limit_and_end_at_zero() {
    let root = MemoryBudget::root("process", bytes(1_000));
    thread::scope(|scope| {
        for seed in 0..8_u64 {
            let pool = root.child("worker", bytes(400));
            scope.spawn(move || {
                for round in 0..2_000 {
                    let wanted = bytes((round * 37 + seed * 101) % 300);
                    if let Ok(held) = pool.try_reserve(wanted) {
                        assert_eq!(held.size(), wanted);
                    }
                }
            });
        }
    });
    assert_eq!(root.used(), ByteSize::ZERO);
    assert!(root.peak() <= bytes(1_000), "the limit held");
}

#[test]
fn a_reservation_grows_to_a_size_once_and_never_shrinks_by_it() {
    let root = MemoryBudget::root("process", bytes(100));
    let mut held = root.try_reserve(bytes(10)).unwrap();
    held.try_grow_to(bytes(60)).unwrap();
    assert_eq!(root.used(), bytes(60));
    held.try_grow_to(bytes(20)).unwrap();
    assert_eq!(held.size(), bytes(60), "more is held already");
    assert!(held.try_grow_to(bytes(101)).is_err(), "more than there is");
    assert_eq!(held.size(), bytes(60), "what was held is still held");
}
