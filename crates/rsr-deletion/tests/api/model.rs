//! The tracker against a list of guards.

use proptest::prelude::*;

use super::{seconds, tracker};

#[derive(Clone, Debug)]
enum Step {
    Begin(i64),
    Finish(usize),
    Renew(usize),
    Wait(u8),
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..6_i64).prop_map(Step::Begin),
        3 => any::<usize>().prop_map(Step::Finish),
        2 => any::<usize>().prop_map(Step::Renew),
        3 => (0..60_u8).prop_map(Step::Wait),
        1 => Just(Step::Sweep),
    ];
    prop::collection::vec(step, 1..100)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A list of (id, since, is swept) answers the same.
    #[test]
    fn the_tracker_follows_the_model(steps in steps()) {
        let (tracker, clock) = tracker();
        let mut guards = Vec::new();
        let mut now = 0_u64;
        for step in steps {
            match step {
                Step::Begin(id) => guards.push((tracker.begin(id), now, false)),
                Step::Finish(index) if !guards.is_empty() => {
                    drop(guards.swap_remove(index % guards.len()));
                }
                Step::Renew(index) if !guards.is_empty() => {
                    let index = index % guards.len();
                    guards[index].0.renew();
                    (guards[index].1, guards[index].2) = (now, false);
                }
                Step::Wait(by) => {
                    now += u64::from(by);
                    clock.advance(seconds(by.into()));
                }
                Step::Sweep => {
                    let n_swept = tracker.sweep(false).stale.len();
                    let stale = guards.iter_mut().filter(|(_, since, is_swept)| now - since >= 100 && !is_swept);
                    let n_stale = stale.map(|(_, _, is_swept)| *is_swept = true).count();
                    prop_assert_eq!(n_swept, n_stale);
                }
                Step::Finish(_) | Step::Renew(_) => {}
            }
            for id in 0..6 {
                let is_tracked = guards.iter().any(|(guard, since, _)| guard.id() == id && now - since < 100);
                prop_assert_eq!(tracker.contains(id), is_tracked);
            }
            let stats = tracker.stats();
            let n_active = guards.iter().filter(|(_, since, _)| now - since < 100).count() as u64;
            let n_stale = guards.iter().filter(|(_, since, is_swept)| now - since >= 100 && !is_swept).count() as u64;
            prop_assert_eq!((stats.n_active, stats.n_stale), (n_active, n_stale));
        }
    }
}
