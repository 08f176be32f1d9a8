//! The bulk computation: shapes, sizes, broken data.

use rsr_aggregation::{Hundredths, Measure, Numbers, PeriodTooLarge, Rollup};
use rsr_base::PeriodId;

use crate::world::{World, value};

fn one() -> Numbers {
    Numbers::of_value(Hundredths::from_hundredths(100))
}

fn total(rollup: &Rollup, id: i64) -> String {
    let total = rollup.total(PeriodId(id)).unwrap().unwrap();
    crate::world::show(total.numbers.value)
}

fn rollup(links: impl Iterator<Item = (i64, Option<i64>)>) -> Rollup {
    let links = links.map(|(id, parent)| (PeriodId(id), parent.map(PeriodId)));
    Rollup::new(links).unwrap().0
}

#[test]
fn a_chain_and_a_fan_of_a_million_pass() {
    const N: i64 = 1_000_000;
    let mut chain = rollup((0..N).map(|id| (id, (id > 0).then(|| id - 1))));
    let mut fan = rollup((0..N).map(|id| (id, (id > 0).then_some(0))));
    for shape in [&mut chain, &mut fan] {
        for id in 0..N {
            shape.set_own(PeriodId(id), true, &one());
        }
        shape.run().unwrap();
        assert_eq!(total(shape, 0), "1000000.00");
        let (structure, columns) = shape.bytes();
        assert!(
            structure <= 20 * 1_000_000,
            "{structure} bytes of structure"
        );
        assert!(columns <= 20 * 1_000_000, "{columns} bytes of columns");
    }
    assert_eq!(total(&chain, N - 2), "2.00");
    assert_eq!(total(&fan, N - 2), "1.00");
}

#[test]
fn a_sum_that_does_not_fit_is_an_error_that_names_the_period() {
    let mut two = rollup([(1, None), (2, Some(1)), (3, Some(1))].into_iter());
    for id in [2, 3] {
        let most = Numbers::of_value(Hundredths::from_hundredths(i128::MAX));
        two.set_own(PeriodId(id), true, &most);
    }
    assert_eq!(two.run(), Err(PeriodTooLarge(PeriodId(1))));
}

#[test]
fn a_cycle_is_reported_and_the_rest_is_computed() {
    let tree: Vec<_> = (1..=6).map(|id| (id, None)).collect();
    let mut world = World::new(&tree, 1, Measure::Unit, false);
    for (child, parent) in [(10, 20), (20, 10), (30, 10), (50, 40)] {
        world.periods.get_mut(&child).unwrap().parent = Some(parent);
    }
    for period in [10, 30, 50, 60] {
        world.report(period, 1, value("3"), &[value("1")]);
    }
    let report = world.aggregate();
    let cycle = [10, 20].map(PeriodId).to_vec();
    assert_eq!(report.broken.cycles, [cycle]);
    assert_eq!(report.broken.below_cycles, [PeriodId(30)]);
    assert_eq!(
        (world.value(40), world.value(60)),
        ("3.00".into(), "3.00".into())
    );
    assert_eq!((world.value(10), world.value(30)), ("∅".into(), "∅".into()));
    assert!(world.rows.keys().all(|&(period, _)| period >= 40));
}

#[test]
fn mixed_measures_follow_what_the_parent_sums() {
    let tree = [(1, None), (2, Some(1)), (3, Some(1)), (4, Some(1))];
    let mut world = World::new(&tree, 1, Measure::Unit, false);
    let measure = |world: &mut World, id, measure| {
        world.projects.get_mut(&id).unwrap().indicator.measure = measure;
    };
    measure(&mut world, 2, Measure::Percentage);
    measure(&mut world, 3, Measure::Qualitative);
    world.report(20, 1, crate::world::pair("1", "4"), &[]);
    world.report(30, 1, value("9"), &[]);
    world.report(40, 1, value("1"), &[]);
    world.aggregate();
    assert_eq!(world.value(10), "26.00", "25.00 and 1.00");
    let before = world.n_writes;
    world.job(20);
    world.job(30);
    assert_eq!(world.n_writes, before, "a climb agrees");
}
