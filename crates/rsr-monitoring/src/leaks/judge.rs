//! The rule: when a history of troughs is a leak.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of blocks and hours between them, above zero and far below 2^53"
)]

use super::history::{BLOCK_HOURS, Block};
use super::trend;

/// A trend that looks like a leak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trend {
    /// MiB an hour.
    pub(super) slope: f64,
    /// MiB over the window.
    pub(super) growth: f64,
    /// MiB at the window's start.
    pub(super) base: f64,
    /// Hours.
    pub(super) span: f64,
    /// Times larger than chance would bring about.
    pub(super) drift: f64,
}

/// Sizes and times of the rule. They were chosen on the training seeds of the labelled series (`benches/leaks`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Bars {
    /// MiB, and a share of the base: growth below both is none.
    pub(super) growth_min: f64,
    pub(super) growth_share_min: f64,
    /// Hours of growth before a verdict, and hours of history before them, in which memory moved by no more than this
    /// share of the growth.
    pub(super) span_min: f64,
    pub(super) before_min: f64,
    pub(super) before_range_max: f64,
    /// Hours that both together last where it grew as fast before, that is by this share of the slope: the first flank of
    /// a long saw-tooth or of a day looks like a leak to all who have seen nothing else.
    pub(super) same_flank_min: f64,
    pub(super) same_flank_slope: f64,
    /// Hours of growth before a verdict without such a history, where the growth is this share of the base.
    pub(super) span_if_huge_min: f64,
    pub(super) huge_share: f64,
    pub(super) mann_kendall_min: f64,
    pub(super) drift_min: f64,
    /// Most that the troughs lie off a line, as a share of the growth.
    pub(super) off_line_max: f64,
    /// Least slope of the second half and of the last third, as a share of the whole window's.
    pub(super) second_half_min: f64,
    pub(super) last_third_min: f64,
    /// Least slope of the last third, as a share of the steepest third's: what fills up slows down.
    pub(super) steepest_share_min: f64,
    /// Hours from which a window is long enough that the steepest third says nothing.
    pub(super) steepest_until: f64,
    /// Least that a few flat levels leave unexplained, as a share of what a line leaves.
    pub(super) stair_error_min: f64,
    /// Least growth, as a share of what the load is held to explain in the same time.
    pub(super) load_share_min: f64,
    /// Most that one block may grow, as a share of the growth.
    pub(super) jump_max: f64,
    /// Most that the troughs may have fallen back, as a share of the growth.
    pub(super) fall_max: f64,
    /// Most that the newest trough may lie below the highest there was, as a share of the growth: what comes back to where
    /// it was before does not leak.
    pub(super) below_top_max: f64,
}

impl Default for Bars {
    fn default() -> Self {
        Self {
            growth_min: 4.0,
            growth_share_min: 0.02,
            span_min: 2.9,
            before_min: 2.5,
            before_range_max: 0.46,
            same_flank_min: 10.5,
            same_flank_slope: 0.5,
            span_if_huge_min: 5.0,
            huge_share: 0.5,
            mann_kendall_min: 2.6,
            drift_min: 3.0,
            off_line_max: 0.2,
            second_half_min: 0.33,
            last_third_min: 0.7,
            steepest_share_min: 0.65,
            steepest_until: 16.0,
            stair_error_min: 1.7,
            load_share_min: 0.13,
            jump_max: 0.55,
            fall_max: 0.47,
            below_top_max: 0.02,
        }
    }
}

/// Blocks that a window has at least, at any scale.
const BLOCKS_MIN: usize = 7;

/// Blocks of which the lowest counts: half an hour to four hours, each half a length after the one before. Saw-teeth and
/// bursts shorter than a scale do not show in its troughs.
const SCALES: [usize; 4] = [1, 2, 4, 8];

/// The clearest leak that ends now, if any window shows one.
pub(super) fn judge(blocks: &[Block], bars: &Bars) -> Option<Trend> {
    let [by_changes, by_level] = bytes_per_load(blocks);
    let trend = judge_adjusted(blocks, by_changes, bars)?;
    // While load and memory have only risen, no one can say which part is the load's: both answers must agree.
    let is_settled = (by_level - by_changes).abs() <= 0.1 * by_changes.abs();
    (is_settled || judge_adjusted(blocks, by_level, bars).is_some()).then_some(trend)
}

fn judge_adjusted(blocks: &[Block], per_load: f64, bars: &Bars) -> Option<Trend> {
    let by_load: Vec<f64> = blocks
        .iter()
        .map(|block| per_load * block.load.unwrap_or(0.0))
        .collect();
    let troughs: Vec<f64> = blocks
        .iter()
        .zip(&by_load)
        .map(|(block, part)| block.trough - part)
        .collect();
    SCALES
        .iter()
        .filter_map(|scale| judge_at(&troughs, &by_load, *scale, bars))
        .max_by(|a, b| a.drift.total_cmp(&b.drift))
}

fn judge_at(fine: &[f64], by_load: &[f64], scale: usize, bars: &Bars) -> Option<Trend> {
    let stride = (scale / 2).max(1);
    // Counted from the newest back, so that no window ends before now.
    let mut troughs: Vec<f64> = fine
        .windows(scale)
        .rev()
        .step_by(stride)
        .map(|blocks| blocks.iter().copied().fold(f64::INFINITY, f64::min))
        .collect();
    troughs.reverse();
    let pace = Pace {
        hours: stride as f64 * BLOCK_HOURS,
        reach: (scale - 1) as f64 * BLOCK_HOURS,
    };
    let last_start = troughs.len().checked_sub(BLOCKS_MIN)?;
    // Every start in the last twelve hours, every fourth before: growth that began yesterday is long since known.
    let recent = last_start.saturating_sub((12.0 / pace.hours) as usize);
    let mut found: Vec<Trend> = (0..=last_start)
        .filter(|start| *start >= recent || start.is_multiple_of(4))
        .filter_map(|start| judge_window(&troughs, start, pace, bars))
        // The load's part is never known exactly: a trend that is small beside it may be what is left of it.
        .filter(|trend| {
            trend.growth >= bars.load_share_min * trend::range(newest(by_load, trend.span))
        })
        .collect();
    // The dearest question last, and of the clearest first: where a leak is clear, it is asked once.
    found.sort_by(|a, b| b.drift.total_cmp(&a.drift));
    found.into_iter().find(|trend| !is_stair(fine, trend, bars))
}

/// Hours between two troughs, and beyond one block that each looks back.
#[derive(Clone, Copy, Debug)]
struct Pace {
    hours: f64,
    reach: f64,
}

fn judge_window(troughs: &[f64], start: usize, pace: Pace, bars: &Bars) -> Option<Trend> {
    let hours = pace.hours;
    let (before, window) = troughs.split_at(start);
    let steps = (window.len() - 1) as f64;
    let span = steps * hours;
    // Cheap questions first: most windows of a healthy service end here.
    let rough = window.last()? - window.first()?;
    let base = trend::median(&mut window.iter().take(3).copied().collect::<Vec<_>>())?;
    let growth_min = bars.growth_min.max(bars.growth_share_min * base);
    if rough < 0.7 * growth_min {
        return None;
    }
    let slope = trend::slope(window)?;
    let growth = slope * steps;
    // One fall makes troughs flat for as long as they look back.
    let before_blocks = ((bars.before_min + pace.reach) / hours).ceil() as usize;
    let calm = before
        .len()
        .checked_sub(before_blocks.max(2))
        .and_then(|from| before.get(from..))
        .filter(|before| trend::range(before) <= bars.before_range_max * growth);
    let was_calm = calm.is_some_and(|before| {
        let is_same = trend::slope(before).is_some_and(|rise| rise > bars.same_flank_slope * slope);
        !is_same || span + before_blocks as f64 * hours >= bars.same_flank_min
    });
    let is_huge = growth >= bars.huge_share * base;
    let span_min = match (was_calm, is_huge) {
        (true, _) => bars.span_min,
        (false, true) => bars.span_if_huge_min,
        (false, false) => return None,
    };
    if growth < growth_min || span < span_min {
        return None;
    }
    // It goes on: in the second half, and in the last third.
    let goes_on = [(2, bars.second_half_min), (3, bars.last_third_min)]
        .into_iter()
        .all(|(part, least)| {
            let (early, late) = window.split_at(window.len() - window.len().div_ceil(part));
            let bar = least * trend::slope(early).unwrap_or(0.0).max(slope);
            trend::slope(late).is_some_and(|late| late >= bar)
        });
    // It does not slow down, as what fills a cache does.
    if span < bars.steepest_until {
        let third = window.len().div_ceil(3).max(3);
        let mut slopes = window.windows(third).filter_map(trend::slope);
        let steepest = slopes.clone().fold(0.0, f64::max);
        if slopes.next_back()? < bars.steepest_share_min * steepest {
            return None;
        }
    }
    // It is spread over the window, and does not fall back, now or earlier.
    let jump = window
        .iter()
        .zip(window.iter().skip(1))
        .map(|(a, b)| b - a)
        .fold(0.0, f64::max);
    if !goes_on
        || jump > bars.jump_max * growth
        || trend::drawdown(troughs) > bars.fall_max * growth
    {
        return None;
    }
    let top = troughs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top - window.last()? > bars.below_top_max * growth {
        return None;
    }
    let off_line = (trend::error_of_line(window) / window.len() as f64).sqrt();
    let drift = trend::drift(window, slope);
    if off_line > bars.off_line_max * growth
        || drift < bars.drift_min
        || trend::mann_kendall(window, slope) < bars.mann_kendall_min
    {
        return None;
    }
    Some(Trend {
        slope: slope / hours,
        growth,
        base,
        span,
        drift,
    })
}

/// Whether a few flat treads describe the window better than a line does.
fn is_stair(fine: &[f64], trend: &Trend, bars: &Bars) -> bool {
    const BLOCKS_A_LEVEL: usize = 6;
    const LEVELS_MAX: usize = 6;
    let window = newest(fine, trend.span);
    // Teeth of a saw are no steps: what they hide is seen at a coarser scale alone.
    if trend::drawdown(window) > bars.fall_max * trend.growth {
        return false;
    }
    let levels = (window.len() / BLOCKS_A_LEVEL).clamp(2, LEVELS_MAX);
    trend::error_of_levels(window, levels) < bars.stair_error_min * trend::error_of_line(window)
}

/// The blocks of the last `hours`.
fn newest(blocks: &[f64], hours: f64) -> &[f64] {
    let n = ((hours / BLOCK_HOURS) as usize + 1).min(blocks.len());
    blocks.split_at(blocks.len() - n).1
}

/// MiB for each request a second, estimated in two ways: from how changes of memory follow changes of load beside the
/// trend of both, and from the changes as they are, which takes a trend of both for the load's.
///
/// Each is a weighted median over pairs of near blocks. 0 where load is not known or asks for nothing.
fn bytes_per_load(blocks: &[Block]) -> [f64; 2] {
    const PAIRS_MIN: usize = 12;
    let mut changes = Vec::new();
    for lag in [1, 2, 4] {
        let pairs = blocks.iter().zip(blocks.iter().skip(lag));
        let known = pairs.filter_map(|(earlier, later)| {
            Some((
                later.load? - earlier.load?,
                later.trough - earlier.trough,
                lag as f64,
            ))
        });
        changes.extend(known);
    }
    if changes.len() < PAIRS_MIN {
        return [0.0; 2];
    }
    let per_block = |part: fn(&(f64, f64, f64)) -> f64| {
        trend::median(&mut changes.iter().map(part).collect::<Vec<_>>()).unwrap_or(0.0)
    };
    let load_trend = per_block(|(load, _, lag)| load / lag);
    let memory_trend = per_block(|(_, memory, lag)| memory / lag);
    let estimate = |load_trend: f64, memory_trend: f64| {
        let ratios = changes
            .iter()
            .map(|(load, memory, lag)| (load - load_trend * lag, memory - memory_trend * lag))
            .filter(|(load, _)| load.abs() > 1e-9)
            .map(|(load, memory)| (memory / load, load.abs()));
        trend::weighted_median(ratios.collect())
            .unwrap_or(0.0)
            .max(0.0)
    };
    [estimate(load_trend, memory_trend), estimate(0.0, 0.0)]
}
