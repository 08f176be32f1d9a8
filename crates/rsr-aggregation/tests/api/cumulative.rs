//! Examples 14 to 18 and 36: running totals.

use rsr_aggregation::{Date, Indicator, Measure, PeriodDates, affected_periods};
use rsr_base::{IndicatorId, PeriodId};

use crate::world::{World, pair, value, year_end};

const P1: i64 = 10;
const P2: i64 = 11;
const P3: i64 = 12;

#[track_caller]
fn check(world: &World, period: i64, total: &str, parts: [&str; 2]) {
    assert_eq!(world.value(period), total, "value of {period}");
    assert_eq!(world.parts(period), parts, "parts of {period}");
}

fn one_user() -> World {
    let mut world = World::new(&[(1, None)], 3, Measure::Unit, true);
    world.report(P1, 1, value("1"), &[]);
    world.report(P1, 1, value("2"), &[value("1"), value("1")]);
    world.report(P2, 1, value("3"), &[]);
    world.report(P2, 1, value("5"), &[value("3"), value("2")]);
    world
}

#[test]
fn example_14_the_last_total_is_carried_over_in_any_order_of_jobs() {
    for order in [[P1, P2, P3], [P3, P2, P1], [P2, P1, P3]] {
        let mut world = one_user();
        for period in order {
            world.climb(&[PeriodId(period)]);
        }
        check(&world, P1, "2.00", ["1.00", "1.00"]);
        check(&world, P2, "5.00", ["3.00", "2.00"]);
        check(&world, P3, "5.00", ["3.00", "2.00"]);
    }
}

#[test]
fn example_15_a_late_report_changes_its_own_period_alone() {
    let mut world = one_user();
    world.job(P1);
    world.report(P1, 1, value("3"), &[value("2"), value("1")]);
    world.job(P1);
    check(&world, P1, "3.00", ["2.00", "1.00"]);
    check(&world, P2, "5.00", ["3.00", "2.00"]);
    check(&world, P3, "5.00", ["3.00", "2.00"]);
}

#[test]
fn example_16_each_user_has_a_running_total() {
    let mut world = World::new(&[(1, None)], 2, Measure::Unit, true);
    let none = value("");
    world.report(P1, 1, value("1"), &[]);
    world.report(P1, 1, value("2"), &[value("1"), value("1")]);
    world.report(P1, 2, value("2"), &[none, value("2")]);
    world.report(P2, 2, value("3"), &[]);
    world.report(P2, 2, value("4"), &[value("2"), value("2")]);
    world.job(P1);
    check(&world, P1, "4.00", ["1.00", "3.00"]);
    check(&world, P2, "6.00", ["3.00", "3.00"]);
}

#[test]
fn example_17_percentages_carry_nothing_over() {
    let mut world = World::new(&[(1, None)], 3, Measure::Percentage, true);
    world.report(P1, 1, pair("1", "4"), &[]);
    world.report(P2, 1, pair("2", "4"), &[]);
    for period in [P1, P2, P3] {
        world.job(period);
    }
    assert_eq!(world.value(P1), "25.00");
    assert_eq!(world.value(P2), "50.00");
    assert_eq!(world.value(P3), "∅");
}

#[test]
fn example_18_children_carry_over_before_they_are_summed() {
    let tree = [(1, None), (2, Some(1)), (3, Some(1))];
    let mut world = World::new(&tree, 2, Measure::Unit, true);
    let parts = |m: &str, f: &str| [value(m), value(f)];
    world.report(20, 1, value("1"), &parts("1", "0"));
    world.report(21, 2, value("1"), &parts("0", "1"));
    world.report(30, 1, value("1"), &parts("0", "1"));
    world.report(31, 1, value("2"), &parts("1", "1"));
    for period in [20, 21, 30, 31] {
        world.job(period);
    }
    check(&world, 10, "2.00", ["1.00", "1.00"]);
    check(&world, 11, "4.00", ["2.00", "2.00"]);
}

#[test]
fn a_chosen_update_without_a_value_hides_the_earlier_ones() {
    let mut world = World::new(&[(1, None)], 1, Measure::Unit, true);
    world.report(P1, 1, value("7"), &[]);
    world.report(P1, 1, value(""), &[]);
    world.job(P1);
    assert_eq!(world.value(P1), "∅");
}

#[test]
fn a_period_without_an_end_takes_everything_and_gives_nothing() {
    let mut world = World::new(&[(1, None)], 3, Measure::Unit, true);
    world.periods.get_mut(&P2).unwrap().end = None;
    world.report(P1, 1, value("1"), &[]);
    world.report(P2, 2, value("10"), &[]);
    world.report(P3, 3, value("100"), &[]);
    for period in [P1, P2, P3] {
        world.job(period);
    }
    assert_eq!(world.value(P1), "1.00");
    assert_eq!(world.value(P2), "111.00");
    assert_eq!(world.value(P3), "101.00");
}

#[test]
fn example_36_a_change_affects_the_periods_after_it() {
    let period = |id: i64, year: i32| PeriodDates {
        id: PeriodId(id),
        start: Some(Date {
            month: 1,
            day: 1,
            ..year_end(year)
        }),
        end: Some(year_end(year)),
    };
    let open_ended = PeriodDates {
        end: None,
        ..period(4, 2019)
    };
    let undated = PeriodDates {
        id: PeriodId(5),
        start: None,
        end: None,
    };
    let all = [
        period(2, 2021),
        period(1, 2020),
        period(3, 2018),
        open_ended,
        undated,
    ];
    let mut indicator = Indicator {
        id: IndicatorId(1),
        measure: Measure::Unit,
        cumulative: true,
        has_scores: false,
    };
    let ids = |indicator: &Indicator, of: usize| -> Vec<i64> {
        let found = affected_periods(indicator, &all[of], &all);
        found.into_iter().map(|id| id.0).collect()
    };
    assert_eq!(ids(&indicator, 1), [5, 4, 1, 2]);
    assert_eq!(ids(&indicator, 0), [5, 4, 2]);
    indicator.cumulative = false;
    assert_eq!(ids(&indicator, 1), [1]);
    indicator.cumulative = true;
    indicator.measure = Measure::Percentage;
    assert_eq!(ids(&indicator, 1), [1]);
}
