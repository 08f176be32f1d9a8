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

#[test]
fn own_values_at_once_are_those_set_one_by_one() {
    use rsr_aggregation::Total;

    for mixed in [false, true] {
        let links = (0..200).map(|id| (id, (id > 0).then_some(id / 3)));
        let mut at_once = rollup(links);
        if mixed {
            at_once.set_measures([(PeriodId(5), Measure::Qualitative)]);
        }
        let mut one_by_one = at_once.clone();
        let value =
            |nth: u32| (!nth.is_multiple_of(4)).then(|| Hundredths::from_hundredths(nth.into()));
        at_once.set_own_values((0..150).map(value));
        for nth in 0..150 {
            let numbers = value(nth).map_or(Numbers::NONE, Numbers::of_value);
            one_by_one.set_own_at(nth, value(nth).is_some(), &numbers);
        }
        let totals = |rollup: &mut Rollup| -> Vec<(PeriodId, Total)> {
            rollup.run().unwrap();
            rollup.totals().map(Result::unwrap).collect()
        };
        assert_eq!(totals(&mut at_once), totals(&mut one_by_one), "{mixed}");
    }
}

#[cfg(feature = "parallel")]
#[test]
fn parallel_totals_are_those_of_one_thread() {
    use rayon::iter::ParallelIterator as _;
    use rsr_aggregation::Total;
    use rsr_testkit::Seeded;

    const N: i64 = 150_000;
    for seed in 0..4 {
        let mut seeded = Seeded::new(seed);
        let mut root = 0;
        // Trees of all sizes, one of them of half of all periods.
        let links: Vec<(i64, Option<i64>)> = (0..N)
            .map(|id| {
                if id == 0 || (id > N / 2 && seeded.below(50) == 0) {
                    root = id;
                    return (id, None);
                }
                let span = (id - root).unsigned_abs();
                (id, Some(root + i64::try_from(seeded.below(span)).unwrap()))
            })
            .collect();
        let mut serial = rollup(links.into_iter());
        if seed > 0 {
            let measures = (0..N).map(|id| {
                let measure = match seeded.below(20) {
                    0 => Measure::Qualitative,
                    1..=5 => Measure::Percentage,
                    _ => Measure::Unit,
                };
                (PeriodId(id), measure)
            });
            serial.set_measures(measures.collect::<Vec<_>>());
        }
        for id in 0..N {
            let mut number = || {
                let number = seeded.below(100);
                (number < 60).then(|| Hundredths::from_hundredths(i128::from(number) - 20))
            };
            let own = Numbers {
                value: number(),
                numerator: number(),
                denominator: number(),
            };
            serial.set_own(PeriodId(id), !own.is_none(), &own);
            if seed > 1 && id % 100 == 0 {
                serial.set_manual(PeriodId(id), &one());
            }
        }
        let mut parallel = serial.clone();
        serial.run().unwrap();
        parallel.run_parallel().unwrap();
        let serial: Vec<(PeriodId, Total)> = serial.totals().map(Result::unwrap).collect();
        let parallel: Vec<_> = parallel.par_totals().map(Result::unwrap).collect();
        assert!(serial == parallel, "seed {seed}");
    }
}

#[cfg(feature = "parallel")]
#[test]
fn parallel_errors_are_those_of_one_thread() {
    const TREE: i64 = 20_000;
    // Two trees, in each a sum that does not fit.
    let links = (0..2 * TREE).map(|id| (id, (id % TREE > 0).then_some(id / TREE * TREE)));
    let mut serial = rollup(links);
    for id in [1, 2, TREE + 1, TREE + 2] {
        let most = Numbers::of_value(Hundredths::from_hundredths(i128::MAX));
        serial.set_own(PeriodId(id), true, &most);
    }
    let mut parallel = serial.clone();
    assert_eq!(parallel.run_parallel(), serial.run());
}
