//! The statistics, against slower and simpler ones.

#![expect(clippy::cast_precision_loss, reason = "short series")]

use proptest::prelude::*;

use super::trend::{
    drawdown, drift, error_of_levels, error_of_line, mann_kendall, median, slope, weighted_median,
};

fn naive_median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    match n {
        0 => None,
        n if n % 2 == 1 => Some(sorted[n / 2]),
        _ => Some(f64::midpoint(sorted[n / 2 - 1], sorted[n / 2])),
    }
}

fn sum_of_squares(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

/// Every way to cut into levels, one by one.
fn naive_levels(values: &[f64], levels: usize) -> f64 {
    if levels == 1 || values.len() <= 1 {
        return sum_of_squares(values);
    }
    (1..values.len())
        .map(|cut| sum_of_squares(&values[..cut]) + naive_levels(&values[cut..], levels - 1))
        .fold(sum_of_squares(values), f64::min)
}

fn line(n: u32, rise: f64) -> Vec<f64> {
    (0..n)
        .map(|place| 100.0 + rise * f64::from(place))
        .collect()
}

/// Values that jump about by a rule, the same in each run.
fn jagged(n: u32, size: f64) -> Vec<f64> {
    let jump = |place: u32| f64::from(place.wrapping_mul(2_654_435_761) >> 16) / 65_536.0 - 0.5;
    (0..n).map(|place| 100.0 + size * jump(place)).collect()
}

#[test]
fn a_line_is_a_trend_and_noise_is_none() {
    let rising = line(24, 2.0);
    assert_eq!(slope(&rising), Some(2.0));
    assert!(mann_kendall(&rising, 2.0) > 5.0);
    let noise = jagged(24, 5.0);
    let level = slope(&noise).unwrap();
    assert!(mann_kendall(&noise, level).abs() < 2.0);
    assert!(drift(&noise, level) < 2.0);
    assert!(mann_kendall(&line(24, -2.0), -2.0) < -5.0);
}

#[test]
fn wandering_brings_no_drift() {
    // Each value is the sum of all jumps before it.
    let mut sum = 0.0;
    let walk: Vec<f64> = jagged(48, 2.0)
        .into_iter()
        .map(|jump| {
            sum += jump - 100.0;
            sum
        })
        .collect();
    assert!(drift(&walk, slope(&walk).unwrap()).abs() < 4.0);
    let steady: Vec<f64> = walk.iter().zip(line(48, 3.0)).map(|(a, b)| a + b).collect();
    assert!(drift(&steady, slope(&steady).unwrap()) > 4.0);
}

#[test]
fn a_stair_is_told_from_a_line() {
    let stair: Vec<f64> = (0..36).map(|place| f64::from(place / 9)).collect();
    assert!(error_of_levels(&stair, 4) < 0.1 * error_of_line(&stair));
    let rising = line(36, 1.0);
    assert!(error_of_line(&rising) < 1e-6);
    assert!(error_of_levels(&rising, 4) > 1.0);
}

#[test]
fn the_deepest_fall_counts() {
    assert!((drawdown(&[1.0, 5.0, 3.0, 6.0, 2.0, 4.0]) - 4.0).abs() < 1e-9);
    assert!(drawdown(&[1.0, 2.0, 2.0]).abs() < 1e-9);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn the_median_is_the_middle_of_the_sorted(values in prop::collection::vec(-1e6..1e6_f64, 0..40)) {
        prop_assert_eq!(median(&mut values.clone()), naive_median(&values));
        // Equal weights make it the lower middle.
        let weighted = weighted_median(values.iter().map(|value| (*value, 1.0)).collect());
        let mut sorted = values;
        sorted.sort_by(f64::total_cmp);
        let lower = sorted.get(sorted.len().saturating_sub(1) / 2).copied();
        prop_assert_eq!(weighted, lower);
    }

    #[test]
    fn levels_are_the_best_of_all_cuts(values in prop::collection::vec(-100.0..100.0_f64, 1..9), levels in 1..4_usize) {
        let (fast, slow) = (error_of_levels(&values, levels), naive_levels(&values, levels));
        prop_assert!((fast - slow).abs() < 1e-6 * (1.0 + slow), "{} and {}", fast, slow);
    }

    #[test]
    fn one_outlier_does_not_turn_a_slope(place in 0..20_usize, size in -1e6..1e6_f64, rise in 0.5..5.0_f64) {
        let mut values = line(20, rise);
        values[place] += size;
        let found = slope(&values).unwrap();
        prop_assert!((found - rise).abs() < 0.5 * rise, "{}", found);
    }
}
