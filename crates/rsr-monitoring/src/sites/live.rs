//! The sampled allocations that live, by call stack and by epoch of birth.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use rsr_base::ByteSize;

use super::SiteSize;
use crate::HeapDump;

/// Samples that are kept.
const SAMPLES_MAX: usize = 131_072;
/// Stacks that are told apart.
const STACKS_MAX: usize = 2_048;
/// Ways of calling that are remembered; all are forgotten when there are more.
const ADDRESSES_MAX: usize = 4_096;
/// Innermost frames that make a stack: where the bytes come from, not by which of many ways one gets there.
const FRAMES: usize = 32;
/// Marks of a stack's total that are kept at each scale.
const MARKS: u32 = 65;
/// Epochs between two marks, from minutes to days.
pub(super) const SCALES: [u32; 4] = [1, 4, 16, 256];

/// One sampled allocation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) stack: u32,
    /// The epoch it was born in.
    pub(super) born: u32,
    /// Bytes and allocations that it stands for.
    pub(super) bytes: f32,
    pub(super) count: f32,
}

/// What is known of one call stack.
#[derive(Clone, Debug, Default)]
pub(super) struct Stack {
    pub(super) id: u64,
    /// The innermost first; in place, so that a new stack takes nothing more.
    addresses: [usize; FRAMES],
    n_addresses: usize,
    pub(super) bytes: f64,
    pub(super) count: f64,
    /// What was ever allocated.
    bytes_ever: f64,
    count_ever: f64,
    /// The epoch in which it was first seen.
    since: u32,
    /// Its bytes at the end of past epochs, at each scale.
    totals: [Marks; SCALES.len()],
    /// Its bytes and allocations when all stacks together held most.
    at_peak: (f64, f64),
    /// The largest fall of its bytes from a height they had, which shrinks as time goes on.
    pub(super) fall: f64,
    pub(super) high: f64,
}

/// What a stack held at the last marks of a scale. Those at which it held nothing take no room: of the many stacks that are
/// ever sampled most hold nothing whenever anyone looks.
#[derive(Clone, Debug, Default)]
struct Marks(VecDeque<(u32, f32)>);

impl Marks {
    /// Notes the bytes at this mark, the latest.
    fn note(&mut self, mark: u32, bytes: f32) {
        let is_old = |(old, _bytes): &(u32, f32)| mark - old >= MARKS;
        while self.0.front().is_some_and(is_old) {
            self.0.pop_front();
        }
        if bytes > 0.0 {
            self.0.push_back((mark, bytes));
        } else if self.0.is_empty() {
            self.0 = VecDeque::new();
        }
    }

    fn at(&self, mark: u32) -> f32 {
        let place = self.0.binary_search_by_key(&mark, |(mark, _bytes)| *mark);
        let found = place.ok().and_then(|place| self.0.get(place));
        found.map_or(0.0, |(_mark, bytes)| *bytes)
    }
}

/// Hashes addresses, and hashes of them: numbers that nobody outside chooses, so nothing is gained by a slower hash that
/// cannot be foreseen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NumberHasher(u64);

type ByNumber = BuildHasherDefault<NumberHasher>;

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the two halves are what is wanted"
    )]
    fn write_u64(&mut self, number: u64) {
        const ODD: u128 = 0x9e37_79b9_7f4a_7c15;
        // Both halves of the product, since the lower bits of an address are all zero.
        let product = u128::from(self.0.rotate_left(23) ^ number) * ODD;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn hash(numbers: impl Iterator<Item = usize>) -> u64 {
    let mut hasher = NumberHasher::default();
    // So that a chain of zeros is not the same at any length.
    hasher.write_u64(1);
    numbers.for_each(|number| hasher.write_usize(number));
    hasher.finish()
}

#[derive(Debug)]
pub(super) struct LiveSamples {
    pub(super) period: f64,
    pub(super) epoch: u32,
    pub(super) samples: HashMap<usize, Sample, ByNumber>,
    /// Stacks by their return addresses, and by the functions those lie in: a loop that was unrolled calls from many
    /// addresses of one function.
    by_addresses: HashMap<u64, u32, ByNumber>,
    by_functions: HashMap<u64, u32, ByNumber>,
    function_at: fn(usize) -> usize,
    pub(super) stacks: Vec<Stack>,
    /// What the program held beyond its caches at the end of past epochs, as the totals of a stack.
    pub(super) unaccounted: [VecDeque<f64>; SCALES.len()],
    /// Most that all stacks together held at the end of an epoch.
    peak: f64,
    pub(super) n_left_out: u64,
}

impl LiveSamples {
    #[expect(clippy::cast_precision_loss, reason = "a period far below 2^53 bytes")]
    pub(super) fn new(period: u64, function_at: fn(usize) -> usize) -> Self {
        Self {
            period: period as f64,
            epoch: 0,
            samples: HashMap::default(),
            // All that it may take is taken at once: the watch's own bytes are not to look like growth.
            by_addresses: HashMap::with_capacity_and_hasher(ADDRESSES_MAX, ByNumber::default()),
            by_functions: HashMap::with_capacity_and_hasher(STACKS_MAX, ByNumber::default()),
            function_at,
            stacks: Vec::with_capacity(STACKS_MAX),
            unaccounted: Default::default(),
            peak: 0.0,
            n_left_out: 0,
        }
    }

    /// A sampled allocation begins.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "an estimate"
    )]
    pub(super) fn begin(&mut self, address: usize, size: usize, stack: &[usize]) {
        let Some(place) = self.place_of(stack.get(..FRAMES).unwrap_or(stack)) else {
            self.n_left_out += 1;
            return;
        };
        if self.samples.len() >= SAMPLES_MAX {
            self.n_left_out += 1;
            return;
        }
        // One of `size` bytes is sampled with the probability 1 − e^(−size ÷ period).
        let count = 1.0 / -(-(size as f64) / self.period).exp_m1();
        let sample = Sample {
            stack: place,
            born: self.epoch,
            bytes: (count * size as f64) as f32,
            count: count as f32,
        };
        // An address that is still known was freed unheard, while no one listened.
        self.end(address);
        self.add(&sample, 1.0);
        if let Some(stack) = self.stacks.get_mut(place as usize) {
            stack.bytes_ever += f64::from(sample.bytes);
            stack.count_ever += f64::from(sample.count);
        }
        self.samples.insert(address, sample);
    }

    /// It ends.
    pub(super) fn end(&mut self, address: usize) {
        if let Some(sample) = self.samples.remove(&address) {
            self.add(&sample, -1.0);
        }
    }

    fn add(&mut self, sample: &Sample, sign: f64) {
        if let Some(stack) = self.stacks.get_mut(sample.stack as usize) {
            stack.bytes += sign * f64::from(sample.bytes);
            stack.count += sign * f64::from(sample.count);
            if stack.is_empty() {
                // Sums of roundings leave a little behind.
                (stack.bytes, stack.count) = (0.0, 0.0);
            }
        }
    }

    fn place_of(&mut self, addresses: &[usize]) -> Option<u32> {
        let exact = hash(addresses.iter().copied());
        if let Some(place) = self.by_addresses.get(&exact) {
            return Some(*place);
        }
        let id = hash(addresses.iter().map(|address| (self.function_at)(*address)));
        let place = match self.by_functions.get(&id) {
            Some(place) => *place,
            None => self.new_stack(id, addresses)?,
        };
        if self.by_addresses.len() >= ADDRESSES_MAX {
            self.by_addresses.clear();
        }
        self.by_addresses.insert(exact, place);
        Some(place)
    }

    fn new_stack(&mut self, id: u64, addresses: &[usize]) -> Option<u32> {
        let mut in_place = [0; FRAMES];
        let n_addresses = addresses.len().min(FRAMES);
        for (own, address) in in_place.iter_mut().zip(addresses) {
            *own = *address;
        }
        let stack = Stack {
            id,
            addresses: in_place,
            n_addresses,
            since: self.epoch,
            ..Stack::default()
        };
        let place = if self.stacks.len() < STACKS_MAX {
            self.stacks.push(stack);
            self.stacks.len() - 1
        } else {
            // One that holds nothing makes room.
            let place = self.stacks.iter().position(Stack::is_empty)?;
            let old = std::mem::replace(self.stacks.get_mut(place)?, stack);
            self.by_functions.remove(&old.id);
            self.by_addresses.clear();
            place
        };
        let place = u32::try_from(place).ok()?;
        self.by_functions.insert(id, place);
        Some(place)
    }

    /// Ends an epoch: totals are noted at each scale.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "an estimate"
    )]
    pub(super) fn end_epoch(&mut self, unaccounted: u64) {
        /// A fall is forgotten within some hundred epochs.
        const FORGETS: f64 = 0.995;
        self.epoch += 1;
        let held: f64 = self.stacks.iter().map(|stack| stack.bytes).sum();
        if held > self.peak {
            self.peak = held;
            for stack in &mut self.stacks {
                stack.at_peak = (stack.bytes, stack.count);
            }
        }
        for stack in &mut self.stacks {
            stack.high = stack.high.max(stack.bytes);
            stack.fall = (stack.fall * FORGETS).max(stack.high - stack.bytes);
            stack.high -= (stack.high - stack.bytes) * (1.0 - FORGETS);
        }
        for (scale, every) in SCALES.into_iter().enumerate() {
            if !self.epoch.is_multiple_of(every) {
                continue;
            }
            for stack in &mut self.stacks {
                if let Some(totals) = stack.totals.get_mut(scale) {
                    totals.note(self.epoch / every, stack.bytes as f32);
                }
            }
            if let Some(totals) = self.unaccounted.get_mut(scale) {
                if totals.len() == MARKS as usize {
                    totals.pop_front();
                }
                totals.push_back(unaccounted as f64);
            }
        }
    }

    /// Every stack that holds something.
    pub(super) fn dump(&self) -> HeapDump {
        let held = self.stacks.iter().filter(|stack| !stack.is_empty());
        HeapDump::of_stacks(held.map(Stack::parts))
    }

    /// Every stack with what it held when all together held most, as far as its place was not needed since.
    pub(super) fn dump_peak(&self) -> HeapDump {
        let held = self.stacks.iter().filter(|stack| stack.at_peak.1 > 0.5);
        HeapDump::of_stacks(held.map(|stack| stack.with(stack.at_peak.0, stack.at_peak.1)))
    }

    /// The stacks that hold most, the largest first.
    pub(super) fn largest(&self, n: usize) -> Vec<SiteSize> {
        let mut held: Vec<_> = self
            .stacks
            .iter()
            .filter(|stack| !stack.is_empty())
            .collect();
        held.sort_by(|a, b| b.bytes.total_cmp(&a.bytes));
        held.truncate(n);
        held.into_iter()
            .map(|stack| {
                let parts = stack.parts();
                SiteSize {
                    id: stack.id,
                    live: ByteSize::from_bytes(parts.1),
                    dump: HeapDump::of_stacks([parts].into_iter()),
                }
            })
            .collect()
    }

    /// Every stack, with what it ever allocated.
    pub(super) fn dump_ever(&self) -> HeapDump {
        let parts = |stack: &Stack| stack.with(stack.bytes_ever, stack.count_ever);
        HeapDump::of_stacks(self.stacks.iter().map(parts))
    }
}

impl Stack {
    /// Whether nothing of it lives: every sample stands for one allocation at least.
    fn is_empty(&self) -> bool {
        self.count < 0.5
    }

    /// What it held at the beginning, after each quarter and so at the end of so many marks of a scale up to this epoch;
    /// `None` where it is not known for so long.
    pub(super) fn held(&self, epoch: u32, scale: usize, marks: u32) -> Option<[f64; 5]> {
        let every = SCALES.get(scale)?;
        let last = epoch / every;
        let first = last.checked_sub(marks)?;
        if first <= self.since / every || marks >= MARKS {
            return None;
        }
        let totals = self.totals.get(scale)?;
        Some([0, 1, 2, 3, 4].map(|quarters| f64::from(totals.at(first + marks * quarters / 4))))
    }

    /// How many of the last marks of a scale saw more than all before them among these.
    pub(super) fn n_records(&self, epoch: u32, scale: usize, marks: u32) -> usize {
        let (Some(every), Some(totals)) = (SCALES.get(scale), self.totals.get(scale)) else {
            return 0;
        };
        let last = epoch / every;
        let mut highest = totals.at(last.saturating_sub(marks));
        let mut n = 0;
        for mark in last.saturating_sub(marks) + 1..=last {
            let total = totals.at(mark);
            if total > highest {
                highest = total;
                n += 1;
            }
        }
        n
    }

    /// Addresses, bytes, allocations: what lives.
    pub(super) fn parts(&self) -> (Vec<u64>, u64, u64) {
        self.with(self.bytes, self.count)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "estimates, far below 2^53"
    )]
    fn with(&self, bytes: f64, count: f64) -> (Vec<u64>, u64, u64) {
        let known = self.addresses.iter().take(self.n_addresses);
        let addresses = known.map(|address| *address as u64);
        (
            addresses.collect(),
            bytes.max(0.0) as u64,
            count.max(0.0) as u64,
        )
    }
}
