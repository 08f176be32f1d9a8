//! Statistics of short series that outliers and their own memory do not mislead.
#![expect(
    clippy::cast_precision_loss,
    reason = "counts of blocks, far below 2^53"
)]

/// The middle value; of an even number, the mean of the two. `None` of nothing.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let is_even = values.len().is_multiple_of(2);
    let (below, at, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let at = *at;
    if !is_even {
        return Some(at);
    }
    below
        .iter()
        .copied()
        .max_by(f64::total_cmp)
        .map(|highest| f64::midpoint(highest, at))
}

/// The value at which half of the weight lies below. `None` of nothing.
pub(super) fn weighted_median(mut values: Vec<(f64, f64)>) -> Option<f64> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = values.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut sum = 0.0;
    values
        .iter()
        .find(|(_, weight)| {
            sum += weight;
            sum >= half
        })
        .map(|(value, _)| *value)
}

/// The Theil–Sen slope: the median of the slopes between all pairs, per step. O(n²).
pub(super) fn slope(values: &[f64]) -> Option<f64> {
    let mut slopes = Vec::with_capacity(values.len() * values.len() / 2);
    for (from, first) in values.iter().enumerate() {
        for (steps, second) in values.iter().skip(from).enumerate().skip(1) {
            slopes.push((second - first) / steps as f64);
        }
    }
    median(&mut slopes)
}

/// The Mann–Kendall statistic, in standard deviations, for a series whose neighbours resemble each other.
///
/// **Source:** Hamed and Rao, "A modified Mann-Kendall trend test for autocorrelated data", Journal of Hydrology 204
/// (1998): the variance grows by the autocorrelation of the ranks of what is left without the trend.
pub(super) fn mann_kendall(values: &[f64], slope: f64) -> f64 {
    let n = values.len() as f64;
    if values.len() < 4 {
        return 0.0;
    }
    let mut s = 0.0_f64;
    for (from, first) in values.iter().enumerate() {
        for second in values.iter().skip(from + 1) {
            s += match second.partial_cmp(first) {
                Some(std::cmp::Ordering::Greater) => 1.0,
                Some(std::cmp::Ordering::Less) => -1.0,
                _ => 0.0,
            };
        }
    }
    let variance = n * (n - 1.0) * (2.0 * n + 5.0) / 18.0;
    let ranks = ranks(&detrended(values, slope));
    // Autocorrelations inside this band are what chance gives.
    let band = 1.96 / n.sqrt();
    let correction: f64 = (1..values.len() / 2)
        .map(|lag| (lag, autocorrelation(&ranks, lag)))
        .filter(|(_, correlation)| correlation.abs() > band)
        .map(|(lag, correlation)| {
            let left = n - lag as f64;
            left * (left - 1.0) * (left - 2.0) * correlation
        })
        .sum();
    let factor = 1.0 + 2.0 / (n * (n - 1.0) * (n - 2.0)) * correction;
    // A factor below one would make chance look like a trend.
    (s - s.signum()) / (variance * factor.max(1.0)).sqrt()
}

/// How many times larger the growth is than what wandering alone would bring about in the same time.
///
/// A series that wanders (each value is the last one and a random change) has trends by chance, the larger the longer
/// it goes on. Its mean change over several steps, without the trend, says how far.
pub(super) fn drift(values: &[f64], slope: f64) -> f64 {
    let left = detrended(values, slope);
    let n = values.len();
    let span = n.saturating_sub(1) as f64;
    let largest = [1, 2, 4]
        .into_iter()
        .filter(|lag| lag * 3 <= n)
        .map(|lag| {
            let changes = left.iter().zip(left.iter().skip(lag));
            let squares: f64 = changes.map(|(a, b)| (b - a) * (b - a)).sum();
            // Half of it is the noise of the two ends, which does not grow with the time between.
            squares / (n - lag) as f64 / lag as f64
        })
        .fold(f64::INFINITY, f64::min);
    let wandering = (largest * span).sqrt();
    if wandering <= f64::EPSILON {
        return if slope > 0.0 { f64::MAX } else { 0.0 };
    }
    slope * span / wandering
}

fn detrended(values: &[f64], slope: f64) -> Vec<f64> {
    values
        .iter()
        .enumerate()
        .map(|(place, value)| value - slope * place as f64)
        .collect()
}

fn ranks(values: &[f64]) -> Vec<f64> {
    values
        .iter()
        .map(|value| {
            let below = values.iter().filter(|other| *other < value).count();
            let equal = values.iter().filter(|other| *other == value).count();
            below as f64 + (equal as f64 - 1.0) / 2.0
        })
        .collect()
}

fn autocorrelation(values: &[f64], lag: usize) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    if variance <= 0.0 {
        return 0.0;
    }
    let pairs = values.iter().zip(values.iter().skip(lag));
    pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / variance
}

/// The largest fall from a height that was reached before.
pub(super) fn drawdown(values: &[f64]) -> f64 {
    let mut top = f64::NEG_INFINITY;
    values.iter().fold(0.0_f64, |deepest, value| {
        top = top.max(*value);
        deepest.max(top - value)
    })
}

/// The difference between the largest and the smallest.
pub(super) fn range(values: &[f64]) -> f64 {
    let (low, high) = values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(*value), high.max(*value))
        });
    (high - low).max(0.0)
}

/// The sum of squares that the best line leaves.
pub(super) fn error_of_line(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / n;
    let (mut across, mut both, mut along) = (0.0, 0.0, 0.0);
    for (place, value) in values.iter().enumerate() {
        let (x, y) = (place as f64 - middle, value - mean);
        across += x * x;
        both += x * y;
        along += y * y;
    }
    (along - both * both / across.max(f64::MIN_POSITIVE)).max(0.0)
}

/// The sum of squares that the best `levels` flat levels, one after the other, leave. O(levels · n²).
pub(super) fn error_of_levels(values: &[f64], levels: usize) -> f64 {
    // Sums up to each place, so that the error of one level between any two places costs O(1).
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let mut sums = vec![(0.0, 0.0)];
    let (mut sum, mut squares) = (0.0, 0.0);
    for value in values {
        sum += value - mean;
        squares += (value - mean).powi(2);
        sums.push((sum, squares));
    }
    let level = |from: usize, to: usize| {
        let ((a, a2), (b, b2)) = (sums[from], sums[to]);
        (b2 - a2 - (b - a).powi(2) / (to - from) as f64).max(0.0)
    };
    let n = values.len();
    let mut best: Vec<f64> = (0..=n)
        .map(|to| if to == 0 { 0.0 } else { level(0, to) })
        .collect();
    for _ in 1..levels {
        for to in (1..=n).rev() {
            let split = (1..to)
                .map(|from| best[from] + level(from, to))
                .fold(f64::INFINITY, f64::min);
            best[to] = best[to].min(split);
        }
    }
    best[n]
}
