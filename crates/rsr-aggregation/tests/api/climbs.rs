//! Depth limits, cycles, and climbs together.

use rsr_aggregation::{ClimbLimits, Measure, Warning, climb, top_of};
use rsr_base::PeriodId;

use crate::world::{World, value};

/// Projects 1 to n, each the parent of the next; the last has reported 1.
fn chain(n: i64) -> World {
    let tree: Vec<_> = (1..=n).map(|id| (id, (id > 1).then(|| id - 1))).collect();
    let mut world = World::new(&tree, 1, Measure::Unit, false);
    world.report(n * 10, 1, value("1"), &[]);
    world
}

fn levels(depth_max: u32) -> ClimbLimits {
    ClimbLimits { depth_max }
}

#[test]
fn a_chain_of_exactly_the_limit_is_complete() {
    let mut world = chain(7);
    let report = climb(&mut world, &[PeriodId(70)], levels(7)).unwrap();
    assert!(report.warnings.is_empty());
    assert_eq!(report.n_computed, 7);
    assert_eq!(world.value(10), "1.00");
}

#[test]
fn a_longer_chain_keeps_what_was_done_and_says_so() {
    let mut world = chain(8);
    let report = climb(&mut world, &[PeriodId(80)], levels(7)).unwrap();
    let warning = report.warnings[&PeriodId(80)].to_string();
    assert_eq!(
        warning,
        "Maximum aggregation depth reached: period 80 below root period 10, limit 7"
    );
    assert_eq!(
        (world.value(20), world.value(10)),
        ("1.00".into(), "∅".into())
    );
}

#[test]
fn a_closed_edge_ends_the_climb_before_the_limit_does() {
    let mut world = chain(8);
    world.projects.get_mut(&2).unwrap().to_parent = false;
    let report = climb(&mut world, &[PeriodId(80)], levels(7)).unwrap();
    assert!(report.warnings.is_empty());
    assert_eq!(top_of(&mut world, PeriodId(80)).unwrap(), PeriodId(20));
}

#[test]
fn a_cycle_is_named_and_what_lies_below_is_computed() {
    let mut world = chain(5);
    world.periods.get_mut(&10).unwrap().parent = Some(30);
    let report = climb(&mut world, &[PeriodId(50)], levels(100)).unwrap();
    let warning = &report.warnings[&PeriodId(50)];
    let expected = Warning::Cycle {
        period: PeriodId(50),
        cycle: [30, 20, 10].map(PeriodId).to_vec(),
    };
    assert_eq!(*warning, expected);
    assert!(
        warning
            .to_string()
            .starts_with("Circular reference detected")
    );
    assert_eq!(
        (world.value(40), world.value(30)),
        ("1.00".into(), "∅".into())
    );
    assert_eq!(top_of(&mut world, PeriodId(50)).unwrap(), PeriodId(10));
}

#[test]
fn its_own_parent_is_a_cycle_of_one() {
    let mut world = chain(1);
    world.periods.get_mut(&10).unwrap().parent = Some(10);
    let report = climb(&mut world, &[PeriodId(10)], levels(100)).unwrap();
    assert!(matches!(
        &report.warnings[&PeriodId(10)],
        Warning::Cycle { cycle, .. } if *cycle == [PeriodId(10)]
    ));
}

#[test]
fn what_lies_above_several_starts_is_computed_once() {
    // A binary tree of 15 projects; its eight leaves have reported.
    let tree: Vec<_> = (1..=15)
        .map(|id| (id, (id > 1).then_some(id / 2)))
        .collect();
    let mut world = World::new(&tree, 1, Measure::Unit, false);
    let leaves: Vec<PeriodId> = (8..=15).map(|id| PeriodId(id * 10)).collect();
    for leaf in &leaves {
        world.report(leaf.0, 1, value("1"), &[]);
    }
    let mut starts = leaves.clone();
    starts.extend([PeriodId(20), PeriodId(999)]);
    let report = climb(&mut world, &starts, levels(100)).unwrap();
    assert_eq!(report.n_computed, 15);
    assert_eq!(report.unknown, [PeriodId(999)]);
    assert_eq!(world.value(10), "8.00");
}
