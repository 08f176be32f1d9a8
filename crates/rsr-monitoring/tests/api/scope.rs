//! Bytes of a piece of work, against a naive model.

use proptest::prelude::*;
use rsr_base::ByteSize;
use rsr_monitoring::{Scope, ScopeUsage};

/// Blocks of exactly these sizes exist in jemalloc, so that what is asked for is what is counted.
const BLOCK: usize = 64 << 10;

fn block(n: usize) -> Vec<u8> {
    std::hint::black_box(Vec::with_capacity(n * BLOCK))
}

fn bytes(blocks: usize) -> Option<ByteSize> {
    Some(ByteSize::from_bytes((blocks * BLOCK) as u64))
}

#[test]
fn what_runs_inside_counts_and_nothing_else() {
    let scope = Scope::new();
    let outside = block(1);
    let inside = scope.run(|| block(2));
    drop(outside);
    let usage = scope.usage();
    assert_eq!(usage.allocated, bytes(2));
    assert_eq!(usage.freed, bytes(0));
    assert_eq!(usage.retained(), i64::try_from(2 * BLOCK).ok());
    scope.run(|| drop(inside));
    assert_eq!(scope.usage().retained(), Some(0));
}

#[test]
fn the_peak_is_the_most_held_at_once() {
    let scope = Scope::new();
    scope.run(|| {
        drop(block(16));
        drop(block(8));
    });
    let peak = scope.usage().peak.expect("jemalloc tells it").bytes();
    let expected = 16 * BLOCK as u64;
    assert!(peak.abs_diff(expected) <= BLOCK as u64, "{peak}");
    let kept = scope.run(|| block(16));
    scope.run(|| drop(block(4)));
    let peak = scope.usage().peak.expect("jemalloc tells it").bytes();
    assert!(peak.abs_diff(20 * BLOCK as u64) <= BLOCK as u64, "{peak}");
    drop(kept);
}

#[test]
fn a_peak_inside_an_inner_scope_is_the_outer_ones_too() {
    let (outer, inner) = (Scope::new(), Scope::new());
    outer.run(|| {
        let kept = block(2);
        inner.run(|| drop(block(16)));
        drop(kept);
    });
    let peak = |scope: &Scope| scope.usage().peak.expect("jemalloc tells it").bytes() as usize;
    assert!(
        peak(&outer).abs_diff(18 * BLOCK) <= BLOCK,
        "{}",
        peak(&outer)
    );
    assert!(
        peak(&inner).abs_diff(16 * BLOCK) <= BLOCK,
        "{}",
        peak(&inner)
    );
}

#[test]
fn work_on_another_thread_counts_where_it_is_carried() {
    let scope = Scope::new();
    let (carried, loose) = scope.run(|| {
        let carried = std::thread::spawn(Scope::carry(|| block(32)));
        let loose = std::thread::spawn(|| block(64));
        (carried, loose)
    });
    let kept = carried.join().expect("it ends");
    drop(loose.join().expect("it ends"));
    let allocated = scope.usage().allocated.expect("jemalloc tells it").bytes() as usize;
    // Starting a thread allocates a little itself.
    assert!((32 * BLOCK..33 * BLOCK).contains(&allocated), "{allocated}");
    drop(kept);
}

#[test]
fn a_panic_leaves_the_scope() {
    let scope = Scope::new();
    let result = std::panic::catch_unwind(|| scope.run(|| panic!("on purpose")));
    assert!(result.is_err());
    assert!(Scope::current().is_none());
    let before = scope.usage().allocated;
    drop(block(4));
    assert_eq!(scope.usage().allocated, before);
}

#[cfg(feature = "counting-allocator")]
#[test]
fn calls_are_counted() {
    let scope = Scope::new();
    scope.run(|| {
        for _ in 0..10 {
            drop(block(1));
        }
    });
    assert_eq!(scope.usage().n_allocations, Some(10));
}

#[derive(Clone, Debug)]
enum Step {
    Take { scope: usize, blocks: usize },
    Free { scope: usize, victim: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..3_usize, 1..4_usize).prop_map(|(scope, power)| Step::Take {
            scope,
            blocks: 1 << power
        }),
        (0..3_usize, any::<prop::sample::Index>()).prop_map(|(scope, victim)| Step::Free {
            scope,
            victim: victim.index(1000)
        }),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Scopes that take turns count as plain sums do; one scope is always inside another.
    #[test]
    fn turns_of_scopes_add_up(steps in steps()) {
        // What watches call stacks allocates in the thread that is sampled: not while bytes are counted one by one.
        #[cfg(feature = "profiling")]
        let _turn = crate::profiles::ONE_AT_A_TIME
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let outer = Scope::new();
        let scopes = [Scope::new(), Scope::new(), Scope::new()];
        let (mut taken, mut freed) = ([0_usize; 3], [0_usize; 3]);
        let mut held: Vec<(usize, Vec<u8>)> = Vec::with_capacity(64);
        for step in steps {
            match step {
                Step::Take { scope, blocks } => {
                    let made = outer.run(|| scopes[scope].run(|| block(blocks)));
                    held.push((blocks, made));
                    taken[scope] += blocks;
                }
                Step::Free { scope, victim } if !held.is_empty() => {
                    let (blocks, made) = held.swap_remove(victim % held.len());
                    outer.run(|| scopes[scope].run(|| drop(made)));
                    freed[scope] += blocks;
                }
                Step::Free { .. } => {}
            }
        }
        let check = |usage: ScopeUsage, taken, freed| {
            prop_assert_eq!((usage.allocated, usage.freed), (bytes(taken), bytes(freed)));
            Ok(())
        };
        for place in 0..3 {
            check(scopes[place].usage(), taken[place], freed[place])?;
        }
        check(outer.usage(), taken.iter().sum(), freed.iter().sum())?;
    }
}
