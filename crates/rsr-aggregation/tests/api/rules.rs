//! Examples 13 and 31, and the other small rules.

use rsr_aggregation::{Measure, Numbers, Refusal, admit_manual, admit_update, is_incomplete};

use crate::world::{number, pair, value};

#[test]
fn example_13_a_second_percentage_update_is_refused() {
    assert_eq!(admit_update(Measure::Percentage, 0, 0), Ok(()));
    let refused = admit_update(Measure::Percentage, 1, 0).unwrap_err();
    assert_eq!(refused.to_string(), "one update per period");
    assert_eq!(
        admit_update(Measure::Percentage, 0, 1),
        Err(Refusal::ComputedFromChildren)
    );
    assert_eq!(admit_update(Measure::Unit, 5, 5), Ok(()));
}

#[test]
fn a_period_with_updates_takes_no_manual_value() {
    assert_eq!(admit_manual(0), Ok(()));
    assert_eq!(admit_manual(1), Err(Refusal::HasUpdates));
}

#[test]
fn example_31_what_does_not_add_up_is_incomplete() {
    let unit = |total: &str, parts: &[&str]| {
        let parts: Vec<Numbers> = parts.iter().map(|part| value(part)).collect();
        is_incomplete(Measure::Unit, &value(total), &parts)
    };
    assert!(unit("17.11", &["8", "9"]));
    assert!(!unit("18", &["9", "9"]));
    assert!(unit("20", &["9", "9"]));
    assert!(!unit("9", &["9", ""]), "a missing part counts 0");
    assert!(unit("", &["", ""]), "a missing total never matches");
}

#[test]
fn of_a_percentage_both_sides_must_add_up() {
    let parts = [pair("1", "4"), pair("2", "4")];
    let is_incomplete = |total| is_incomplete(Measure::Percentage, &total, &parts);
    assert!(!is_incomplete(pair("3", "8")));
    assert!(is_incomplete(pair("3", "9")));
    assert!(is_incomplete(pair("4", "8")));
}

#[test]
fn qualitative_indicators_have_no_mark() {
    assert!(!is_incomplete(Measure::Qualitative, &value("1"), &[]));
}

#[test]
fn a_pair_with_a_denominator_of_zero_leaves_the_value_typed() {
    let typed = Numbers {
        value: number("7"),
        numerator: number("5"),
        denominator: number("0"),
    };
    assert_eq!(typed.with_percentage(), typed);
}
