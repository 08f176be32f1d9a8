//! When a stack's survivors are a leak.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of epochs and estimates of bytes, far below 2^53"
)]

use std::collections::BTreeSet;

use rsr_base::ByteSize;

use super::live::{LiveSamples, SCALES, Sample, Stack};
use super::{SiteGrowth, SiteRules};
use crate::HeapDump;

/// Marks of a window, and by how much the least growth is larger there: the shorter, the more.
const WINDOWS: [(usize, f64); 4] = [(20, 2.5), (30, 1.75), (40, 1.0), (64, 1.0)];

/// Least rise of what the program holds beyond its caches over a window of minutes, as so many times the rule's growth. A
/// table that is filled and then replaced every few minutes looks like a leak until it falls for the first time, and what
/// the program holds is known exactly, what a stack holds only from samples.
const HEAP_RISE_MIN: f64 = 2.5;

/// Parts of a window, of which each must have left survivors.
const PARTS: usize = 4;

/// Least share of the mean part that the least part has, and that the last one has: what fills up slows down.
const PART_MIN: f64 = 0.3;
const LAST_PART_MIN: f64 = 0.55;

/// Samples without which nothing is said.
const SAMPLES_MIN: usize = 8;

/// Least rise of the stack's total, as a share of what survives out of the window: what turns over does not rise.
const RISE_MIN: f64 = 0.65;

/// Most that the stack's total ever fell back, as a share of the growth.
const FALL_MAX: f64 = 0.4;

/// A total that rises although it turns over (a queue whose reader is too slow): marks of the shortest window, the
/// least rise as a share of what there is now and in deviations of sampling, the least share of each half and of each
/// quarter (two steps look like a line to halves), and the least share of marks that saw more than all before them: what is
/// replaced as a whole by something larger now and then sets few such records.
const RISING_MARKS_MIN: usize = 30;
const RISING_SHARE_MIN: f64 = 0.5;
const RISING_DEVIATIONS_MIN: f64 = 4.0;
const RISING_HALF_MIN: f64 = 0.35;
const RISING_QUARTER_MIN: f64 = 0.06;
const RISING_RECORDS_MIN: f64 = 0.2;

/// Least growth beyond the caches, as a share of the stack's.
const UNACCOUNTED_MIN: f64 = 0.5;

/// Stacks that leak, the fastest first.
#[expect(
    clippy::iter_over_hash_type,
    reason = "sums and counts, in any order the same"
)]
pub(super) fn judge(samples: &LiveSamples, rules: &SiteRules) -> Vec<SiteGrowth> {
    let growth_min = rules.growth_min.bytes() as f64;
    let large: Vec<_> = samples
        .stacks
        .iter()
        .map(|stack| stack.bytes >= growth_min)
        .collect();
    let mut survivors: Vec<Vec<Sample>> = vec![Vec::new(); samples.stacks.len()];
    for sample in samples.samples.values() {
        let place = sample.stack as usize;
        if large.get(place) == Some(&true)
            && let Some(own) = survivors.get_mut(place)
        {
            own.push(*sample);
        }
    }
    let mut grown: Vec<_> = samples
        .stacks
        .iter()
        .zip(&survivors)
        .filter_map(|(stack, own)| judge_stack(samples, stack, own, growth_min))
        .collect();
    grown.sort_by(|a, b| b.growth.cmp(&a.growth).then_with(|| a.id.cmp(&b.id)));
    grown
}

fn judge_stack(
    samples: &LiveSamples,
    stack: &Stack,
    own: &[Sample],
    growth_min: f64,
) -> Option<SiteGrowth> {
    SCALES
        .into_iter()
        .enumerate()
        .flat_map(|(scale, every)| WINDOWS.map(|window| (scale, every, window)))
        .find_map(|(scale, every, (marks, factor))| {
            let totals = Totals::of(stack, samples.epoch, scale, marks)?;
            let span = every * marks as u32;
            let growth = survivors(samples.epoch, span, own)
                .filter(|growth| totals.now - totals.then >= RISE_MIN * growth.bytes)
                .or_else(|| {
                    let rise = totals.rise(marks, samples.period, own)?;
                    // The dearest question last: it looks at every mark.
                    let n_records = stack.n_records(samples.epoch, scale, marks as u32);
                    (n_records as f64 >= RISING_RECORDS_MIN * marks as f64).then_some(rise)
                })?;
            let heap_rise_min = if scale == 0 {
                HEAP_RISE_MIN * growth_min
            } else {
                0.0
            };
            let is_leak = growth.bytes >= factor * growth_min
                && stack.fall <= FALL_MAX * growth.bytes
                && unaccounted_rise(samples, scale, marks)?
                    >= heap_rise_min.max(UNACCOUNTED_MIN * growth.bytes);
            is_leak.then(|| SiteGrowth {
                id: stack.id,
                growth: ByteSize::from_bytes(growth.bytes as u64),
                live: ByteSize::from_bytes(stack.bytes as u64),
                n_epochs: span,
                n_generations: growth.n_generations,
                dump: HeapDump::of_stacks([stack.parts()].into_iter()),
            })
        })
}

/// What a stack held at the beginning of a window, and after each of its quarters.
struct Totals {
    after: [f64; 5],
    then: f64,
    now: f64,
}

impl Totals {
    fn of(stack: &Stack, epoch: u32, scale: usize, marks: usize) -> Option<Self> {
        let after = stack.held(epoch, scale, marks as u32)?;
        let [then, .., now] = after;
        Some(Self { after, then, now })
    }

    fn rise(&self, marks: usize, period: f64, own: &[Sample]) -> Option<Growth> {
        let bytes = self.now - self.then;
        let chance = (self.now * period).sqrt();
        let rises = |from: &[f64], to: &[f64], share: f64| {
            from.iter()
                .zip(to)
                .all(|(from, to)| to - from >= share * bytes)
        };
        let [then, first, middle, third, now] = self.after;
        let goes_on = rises(&[then, middle], &[middle, now], RISING_HALF_MIN)
            && rises(
                &[then, first, middle, third],
                &[first, middle, third, now],
                RISING_QUARTER_MIN,
            );
        let is_rising = marks >= RISING_MARKS_MIN
            && goes_on
            && bytes >= RISING_SHARE_MIN * self.now
            && bytes >= RISING_DEVIATIONS_MIN * chance;
        is_rising.then(|| {
            let born: BTreeSet<_> = own.iter().map(|sample| sample.born).collect();
            Growth {
                bytes,
                n_generations: born.len() as u32,
            }
        })
    }
}

struct Growth {
    bytes: f64,
    n_generations: u32,
}

/// What survives out of the window, where every part of it has left enough.
fn survivors(epoch: u32, span: u32, own: &[Sample]) -> Option<Growth> {
    // The youngest have not yet had the time to end.
    let young = span / 10;
    let (from, to) = (epoch.checked_sub(span)?, epoch - young);
    let mut parts = [0.0; PARTS];
    let (mut bytes, mut n) = (0.0, 0);
    let mut generations = BTreeSet::new();
    for sample in own.iter().filter(|sample| sample.born >= from) {
        bytes += f64::from(sample.bytes);
        n += 1;
        if sample.born < to {
            let part = (sample.born - from) as usize * PARTS / (to - from) as usize;
            parts[part.min(PARTS - 1)] += f64::from(sample.bytes);
            generations.insert(sample.born);
        }
    }
    let mean = parts.iter().sum::<f64>() / PARTS as f64;
    // What has just been made as a whole has no part but the youngest.
    let goes_on = mean > 0.0
        && parts.iter().all(|part| *part >= PART_MIN * mean)
        && parts[PARTS - 1] >= LAST_PART_MIN * mean;
    (n >= SAMPLES_MIN && goes_on).then_some(Growth {
        bytes,
        n_generations: generations.len() as u32,
    })
}

/// By how much the program holds more than its caches explain, since the window's beginning.
fn unaccounted_rise(samples: &LiveSamples, scale: usize, marks: usize) -> Option<f64> {
    let totals = &samples.unaccounted[scale];
    let then = totals.get(totals.len().checked_sub(marks + 1)?)?;
    Some(totals.back()? - then)
}
