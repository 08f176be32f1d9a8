//! Examples 19 to 29: disaggregations and contributions.

use rsr_aggregation::{Measure, Numbers};
use rsr_base::ProjectId;

use crate::world::{World, number, show_pair, value};

fn world(tree: &[(i64, Option<i64>)]) -> World {
    World::new(tree, 1, Measure::Unit, false)
}

fn report(world: &mut World, period: i64, t1: &str, t2: &str) -> i64 {
    let parts = [value(t1), value(t2)];
    let id = world.report(period, 1, value("1"), &parts);
    world.job(period);
    id
}

fn amend(world: &mut World, update: i64, d: usize, to: &str) {
    let update = &mut world.reports.get_mut(&update).unwrap().update;
    update.disaggregations[d].1 = value(to);
    let period = update.period.0;
    world.job(period);
}

fn delete(world: &mut World, update: i64) {
    let period = world.reports.remove(&update).unwrap().update.period.0;
    world.job(period);
}

#[track_caller]
fn check(world: &World, period: i64, parts: [&str; 2]) {
    assert_eq!(world.parts(period), parts, "parts of {period}");
}

#[test]
fn example_19_parts_are_summed_and_so_are_pairs() {
    let mut one = world(&[(1, None)]);
    report(&mut one, 10, "20", "30");
    report(&mut one, 10, "15", "15");
    check(&one, 10, ["35.00", "45.00"]);

    let mut one = world(&[(1, None)]);
    let over_50 = |numerator: &str| Numbers {
        value: None,
        numerator: number(numerator),
        denominator: number("50"),
    };
    one.report(10, 1, value("1"), &[over_50("20"), over_50("30")]);
    one.report(10, 1, value("1"), &[over_50("15"), over_50("15")]);
    one.job(10);
    let shown = [0, 1].map(|d| show_pair(&one.row(10, d).unwrap()));
    assert_eq!(shown, ["35.00/100.00 ∅", "45.00/100.00 ∅"]);
}

#[test]
fn example_20_children_are_summed_into_their_parent() {
    let mut three = world(&[(1, None), (2, Some(1)), (3, Some(1))]);
    report(&mut three, 20, "20", "30");
    report(&mut three, 30, "15", "15");
    check(&three, 10, ["35.00", "45.00"]);
}

#[test]
fn example_21_a_grandchild_shows_at_every_level() {
    let mut chain = world(&[(1, None), (2, Some(1)), (3, Some(2))]);
    report(&mut chain, 30, "20", "30");
    report(&mut chain, 30, "15", "15");
    for period in [10, 20, 30] {
        check(&chain, period, ["35.00", "45.00"]);
    }
}

#[test]
fn example_22_own_parts_add_to_the_childrens() {
    let mut chain = world(&[(1, None), (2, Some(1)), (3, Some(2))]);
    report(&mut chain, 30, "20", "30");
    report(&mut chain, 20, "15", "15");
    check(&chain, 30, ["20.00", "30.00"]);
    check(&chain, 20, ["35.00", "45.00"]);
    check(&chain, 10, ["35.00", "45.00"]);
}

#[test]
fn example_23_an_amendment_reaches_the_top() {
    let mut tree = world(&[(1, None), (2, Some(1)), (3, Some(2)), (4, Some(2))]);
    report(&mut tree, 30, "20", "30");
    let amended = report(&mut tree, 30, "15", "15");
    report(&mut tree, 40, "30", "30");
    amend(&mut tree, amended, 0, "20");
    check(&tree, 20, ["70.00", "75.00"]);
    check(&tree, 10, ["70.00", "75.00"]);
}

/// Two children of the top, 2 and 3, with a grandchild each, 4 and 5; gives the update that is 15/15.
fn two_branches() -> (World, i64) {
    let mut tree = world(&[
        (1, None),
        (2, Some(1)),
        (3, Some(1)),
        (4, Some(2)),
        (5, Some(3)),
    ]);
    report(&mut tree, 40, "20", "30");
    let update = report(&mut tree, 40, "15", "15");
    report(&mut tree, 50, "30", "30");
    (tree, update)
}

#[test]
fn example_24_branches_meet_at_the_top() {
    let (mut tree, amended) = two_branches();
    amend(&mut tree, amended, 0, "20");
    check(&tree, 20, ["40.00", "45.00"]);
    check(&tree, 30, ["30.00", "30.00"]);
    check(&tree, 10, ["70.00", "75.00"]);
}

#[test]
fn example_25_a_deleted_update_leaves_every_level() {
    let (mut tree, deleted) = two_branches();
    delete(&mut tree, deleted);
    check(&tree, 20, ["20.00", "30.00"]);
    check(&tree, 10, ["50.00", "60.00"]);
}

#[test]
fn example_26_pending_updates_leave_rows_without_values() {
    let mut two = world(&[(1, None), (2, Some(1))]);
    let pending = two.report(20, 1, value("1"), &[value("20"), value("30")]);
    two.reports.get_mut(&pending).unwrap().is_approved = false;
    two.job(20);
    check(&two, 20, ["∅", "∅"]);
    check(&two, 10, ["∅", "∅"]);
}

#[test]
fn example_27_a_closed_edge_leaves_the_parent_without_rows() {
    for closes_below in [true, false] {
        let mut two = world(&[(1, None), (2, Some(1))]);
        two.projects.get_mut(&2).unwrap().to_parent = !closes_below;
        two.projects.get_mut(&1).unwrap().takes_children = closes_below;
        report(&mut two, 20, "20", "30");
        check(&two, 20, ["20.00", "30.00"]);
        check(&two, 10, ["-", "-"]);
    }
}

#[test]
fn example_28_periods_are_kept_apart() {
    let mut two = World::new(&[(1, None), (2, Some(1))], 2, Measure::Unit, false);
    report(&mut two, 20, "20", "30");
    report(&mut two, 21, "15", "15");
    check(&two, 10, ["20.00", "30.00"]);
    check(&two, 11, ["15.00", "15.00"]);
    assert_eq!(two.given(10, 0), [(2, "20.00".to_owned())]);
    assert_eq!(two.given(11, 0), [(2, "15.00".to_owned())]);
}

#[test]
fn example_29_contributions_follow_and_stay_without_values() {
    let mut three = world(&[(1, None), (2, Some(1)), (3, Some(1))]);
    report(&mut three, 20, "20", "1");
    let second = report(&mut three, 30, "15", "1");
    let given = |world: &World| world.given(10, 0);
    let two = |first: &str, second: &str| [(2, first.to_owned()), (3, second.to_owned())];
    assert_eq!(given(&three), two("20.00", "15.00"));
    amend(&mut three, second, 0, "30");
    assert_eq!(given(&three), two("20.00", "30.00"));
    delete(&mut three, second);
    assert_eq!(given(&three), two("20.00", "∅"));

    three.projects.get_mut(&3).unwrap().to_parent = false;
    three.job(10);
    assert_eq!(given(&three), [(2, "20.00".to_owned())], "shut out: no row");
}

#[test]
fn the_climb_ends_where_the_dimension_value_has_no_parent() {
    let mut chain = world(&[(1, None), (2, Some(1)), (3, Some(2))]);
    chain.values.insert(20, None);
    report(&mut chain, 30, "20", "30");
    check(&chain, 20, ["20.00", "30.00"]);
    check(&chain, 10, ["∅", "30.00"]);
}

#[test]
fn a_value_that_only_a_child_uses_gets_its_row_above() {
    let mut chain = world(&[(1, None), (2, Some(1))]);
    for project in [1, 2] {
        chain.n_attached.insert(project, 0);
    }
    report(&mut chain, 20, "20", "");
    check(&chain, 20, ["20.00", "-"]);
    check(&chain, 10, ["20.00", "-"]);
}

#[test]
fn a_manual_disaggregation_stands_while_nothing_else_does() {
    let mut two = world(&[(1, None), (2, Some(1))]);
    let row = rsr_aggregation::StoredDisaggregation {
        dimension_value: rsr_base::DimensionValueId(10),
        manual: Some(value("7")),
        stored: rsr_aggregation::Total::default(),
    };
    two.rows.insert((10, 10), row);
    two.job(10);
    check(&two, 10, ["7.00", "∅"]);
    report(&mut two, 20, "20", "30");
    check(&two, 10, ["20.00", "30.00"]);
    two.projects.get_mut(&2).unwrap().to_parent = false;
    two.job(10);
    check(&two, 10, ["7.00", "∅"]);
    report(&mut two, 10, "", "1");
    check(&two, 10, ["∅", "1.00"]);
    assert!(
        two.given
            .keys()
            .all(|&(_, _, project)| ProjectId(project) != ProjectId(2))
    );
}
