//! The worked examples of aggregation.md section 10 about totals, by their numbers. Those about cumulative indicators
//! and disaggregations have modules of their own.

use rsr_aggregation::{Column, Finding, Measure, Numbers, Warning, audit};
use rsr_base::PeriodId;

use crate::world::{World, number, pair, show_pair, value};

const LEAD: i64 = 10;
const L1: i64 = 20;
const L2A: i64 = 30;
const L2B: i64 = 40;

/// lead ← L1 ← {L2a, L2b}, both leaves reported; nothing computed.
fn example_1() -> World {
    let tree = [(1, None), (2, Some(1)), (3, Some(2)), (4, Some(2))];
    let mut world = World::new(&tree, 1, Measure::Unit, false);
    world.report(L2A, 1, value("2"), &[value("1"), value("1")]);
    world.report(L2B, 1, value("3"), &[value("2"), value("1")]);
    world
}

#[track_caller]
fn check(world: &World, period: i64, total: &str, parts: [&str; 2]) {
    assert_eq!(world.value(period), total, "value of {period}");
    assert_eq!(world.parts(period), parts, "parts of {period}");
}

#[test]
fn example_1_nothing_stands_before_a_job_ran() {
    for period in [LEAD, L1, L2A, L2B] {
        check(&example_1(), period, "∅", ["-", "-"]);
    }
}

#[test]
fn example_2_jobs_climb_to_the_top() {
    let mut world = example_1();
    world.job(L2A);
    world.job(L2B);
    check(&world, L2A, "2.00", ["1.00", "1.00"]);
    check(&world, L2B, "3.00", ["2.00", "1.00"]);
    check(&world, L1, "5.00", ["3.00", "2.00"]);
    check(&world, LEAD, "5.00", ["3.00", "2.00"]);
}

#[test]
fn example_3_what_waits_is_not_counted() {
    let mut world = example_1();
    world.report(L1, 1, value("3"), &[value("2"), value("1")]);
    world.job(L2A);
    world.job(L1);
    check(&world, L2A, "2.00", ["1.00", "1.00"]);
    check(&world, L2B, "∅", ["-", "-"]);
    check(&world, L1, "5.00", ["3.00", "2.00"]);
    check(&world, LEAD, "5.00", ["3.00", "2.00"]);
}

#[test]
fn example_4_a_deleted_update_leaves_the_sums() {
    let mut world = example_1();
    world.job(L2A);
    world.job(L2B);
    world.reports.remove(&2);
    world.job(L2B);
    check(&world, L2B, "∅", ["∅", "∅"]);
    check(&world, L1, "2.00", ["1.00", "1.00"]);
    check(&world, LEAD, "2.00", ["1.00", "1.00"]);
}

fn one_period(values: &[&str]) -> String {
    let mut world = World::new(&[(1, None)], 1, Measure::Unit, false);
    for text in values {
        world.report(10, 1, value(text), &[]);
    }
    world.job(10);
    world.value(10)
}

#[test]
fn example_5_updates_of_one_period_are_summed() {
    assert_eq!(one_period(&["2", "2"]), "4.00");
    assert_eq!(one_period(&["5", "-2"]), "3.00");
}

#[test]
fn example_6_a_manual_value_stands_while_nothing_else_does() {
    let mut world = World::new(&[(1, None), (2, Some(1))], 1, Measure::Unit, false);
    world.periods.get_mut(&10).unwrap().manual = Some(value("5"));
    world.job(10);
    assert_eq!(world.value(10), "5.00");
    world.report(20, 1, value("10"), &[]);
    world.job(20);
    assert_eq!(
        (world.value(10), world.value(20)),
        ("10.00".into(), "10.00".into())
    );
    assert!(!world.periods[&10].stored.is_manual);

    world.projects.get_mut(&1).unwrap().takes_children = false;
    world.job(10);
    assert_eq!(
        (world.value(10), world.value(20)),
        ("5.00".into(), "10.00".into())
    );
    assert!(world.periods[&10].stored.is_manual);
}

#[test]
fn a_manual_value_counts_above_and_a_text_shows_without_counting() {
    let mut world = World::new(&[(1, None), (2, Some(1))], 1, Measure::Unit, false);
    world.periods.get_mut(&20).unwrap().manual = Some(value("5"));
    world.job(20);
    assert_eq!(world.value(10), "5.00");
    // "n/a"
    world.periods.get_mut(&20).unwrap().manual = Some(Numbers::NONE);
    world.job(20);
    assert_eq!((world.value(10), world.value(20)), ("∅".into(), "∅".into()));
    assert!(world.periods[&20].stored.is_manual, "so the text is shown");
    // An update without a number ends its standing all the same.
    world.report(20, 1, Numbers::NONE, &[]);
    world.job(20);
    assert!(!world.periods[&20].stored.is_manual);
}

#[test]
fn example_7_a_switched_off_child_is_out_whatever_is_computed_next() {
    for order in [[10, 20, 30], [20, 10, 30], [30, 20, 10], [20, 30, 10]] {
        let tree = [(1, None), (2, Some(1)), (3, Some(1))];
        let mut world = World::new(&tree, 1, Measure::Unit, false);
        world.report(20, 1, value("5"), &[]);
        world.report(30, 1, value("5"), &[]);
        world.job(20);
        world.job(30);
        assert_eq!(world.value(10), "10.00");
        world.projects.get_mut(&3).unwrap().to_parent = false;
        for period in order {
            world.job(period);
        }
        assert_eq!(world.value(10), "5.00", "{order:?}");
    }
}

#[test]
fn example_8_a_pair_replaces_the_value_typed_beside_it() {
    let mut world = World::new(&[(1, None)], 1, Measure::Percentage, false);
    world.periods.get_mut(&10).unwrap().manual = Some(Numbers {
        value: number("8000"),
        numerator: number("40"),
        denominator: number("100"),
    });
    world.job(10);
    assert_eq!(world.pair(10), "40.00/100.00 40.00");
}

#[test]
fn example_9_a_childs_pair_replaces_a_manual_one() {
    let tree = [(1, None), (2, Some(1))];
    let mut world = World::new(&tree, 1, Measure::Percentage, false);
    world.periods.get_mut(&10).unwrap().manual = Some(pair("5", "10"));
    world.report(20, 1, pair("6", "10"), &[]);
    world.job(20);
    assert_eq!(world.pair(10), "6.00/10.00 60.00");
}

#[test]
fn example_10_pairs_are_summed_and_percentages_derived() {
    let tree = [(1, None), (2, Some(1)), (3, Some(1))];
    let mut world = World::new(&tree, 1, Measure::Percentage, false);
    world.report(20, 1, pair("6", "10"), &[]);
    world.report(30, 1, pair("6", "10"), &[]);
    world.job(20);
    world.job(30);
    assert_eq!(world.pair(10), "12.00/20.00 60.00");
    world.projects.get_mut(&3).unwrap().to_parent = false;
    world.job(10);
    assert_eq!(world.pair(10), "6.00/10.00 60.00");
}

#[test]
fn example_11_through_a_period() {
    let cases = [
        ("101", "200", "101.00/200.00 50.50"),
        ("1", "800", "1.00/800.00 0.12"),
        ("3", "800", "3.00/800.00 0.38"),
        ("0", "5", "0.00/5.00 0.00"),
        ("5", "0", "5.00/0.00 ∅"),
    ];
    for (numerator, denominator, expected) in cases {
        let mut world = World::new(&[(1, None), (2, Some(1))], 1, Measure::Percentage, false);
        world.report(20, 1, pair(numerator, denominator), &[]);
        world.job(20);
        assert_eq!(world.pair(20), expected);
        assert_eq!(world.pair(10), expected, "also where the value is missing");
    }
}

#[test]
fn example_12_zero_is_a_value_and_contributes() {
    assert_eq!(one_period(&["0"]), "0.00");
    assert_eq!(one_period(&["5", "-5"]), "0.00");
    let mut world = World::new(&[(1, None), (2, Some(1))], 1, Measure::Unit, false);
    world.periods.get_mut(&10).unwrap().manual = Some(value("7"));
    world.report(20, 1, value("0"), &[]);
    world.job(20);
    assert_eq!(world.value(10), "0.00");
}

#[test]
fn a_percentage_without_its_pair_keeps_its_value_and_gives_nothing() {
    let tree = [(1, None), (2, Some(1))];
    let mut world = World::new(&tree, 1, Measure::Percentage, false);
    world.periods.get_mut(&20).unwrap().manual = Some(value("55"));
    world.job(20);
    assert_eq!(world.pair(20), "∅/∅ 55.00");
    assert_eq!(world.pair(10), "∅/∅ ∅");
    // With a pair over zero there is no percentage, whatever was typed beside it.
    world.periods.get_mut(&20).unwrap().manual = Some(Numbers {
        value: number("55"),
        ..pair("5", "0")
    });
    world.job(20);
    assert_eq!(world.pair(20), "5.00/0.00 ∅");
    assert_eq!(world.pair(10), "5.00/0.00 ∅");
}

#[test]
fn example_30_hundredths_are_exact() {
    assert_eq!(one_period(&["17.10", "4711.20"]), "4728.30");
    let tree = [(1, None), (2, Some(1)), (3, Some(1))];
    let mut world = World::new(&tree, 1, Measure::Percentage, false);
    world.report(20, 1, pair("3.14", "17"), &[]);
    world.report(30, 1, pair("47.11", "4711"), &[]);
    world.job(20);
    world.job(30);
    let total = show_pair(&world.periods[&10].stored.numbers);
    assert!(total.starts_with("50.25/4728.00 "), "{total}");
}

#[test]
fn example_32_the_audit_finds_the_wrong_number_alone() {
    let mut world = World::new(&[(1, None), (2, Some(1))], 1, Measure::Unit, false);
    world.report(20, 1, value("1"), &[]);
    world.job(20);
    let findings = |world: &mut World| {
        let mut found = Vec::new();
        for period in [10, 20] {
            let n = audit(world, PeriodId(period), |finding| found.push(finding)).unwrap();
            assert!(n.is_some());
        }
        found
    };
    assert_eq!(findings(&mut world), []);
    world.periods.get_mut(&10).unwrap().stored.numbers = value("2");
    let expected = Finding {
        period: PeriodId(10),
        dimension_value: None,
        column: Column::Value,
        stored: number("2"),
        expected: number("1"),
    };
    assert_eq!(findings(&mut world), [expected]);
    // A wrong leaf is one finding, its parents being right about what is stored.
    world.periods.get_mut(&10).unwrap().stored.numbers = value("1");
    world.periods.get_mut(&20).unwrap().stored.numbers = Numbers::NONE;
    let found = findings(&mut world);
    assert_eq!(
        found.len(),
        2,
        "the leaf, and the parent that no longer sums its children"
    );
    assert_eq!(audit(&mut world, PeriodId(99), |_| ()).unwrap(), None);
}

#[test]
fn a_run_that_changes_nothing_writes_nothing() {
    let mut world = example_1();
    world.job(L2A);
    world.job(L2B);
    let before = world.n_writes;
    for period in [L2A, L2B, L1, LEAD] {
        let report = world.job(period);
        assert_eq!(report.n_written, 0);
        assert!(
            report
                .warnings
                .values()
                .all(|w: &Warning| w.to_string().is_empty())
        );
    }
    assert_eq!(world.n_writes, before);
}
