//! The sampled allocations that live, by call stack and by epoch of birth.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};

use rsr_base::ByteSize;

use super::SiteSize;
use crate::HeapDump;

/// Samples that are kept.
const SAMPLES_MAX: usize = 131_072;
/// Stacks that are told apart.
const STACKS_MAX: usize = 2_048;
/// Ways of calling that are remembered; all are forgotten when there are more.
const ADDRESSES_MAX: usize = 16_384;
/// Innermost frames that make a stack: where the bytes come from, not by which of many ways one gets there.
const FRAMES: usize = 32;
/// Marks of a stack's total that are kept at each scale.
pub(super) const MARKS: usize = 65;
/// Epochs between two marks, from minutes to days.
pub(super) const SCALES: [u32; 3] = [1, 16, 256];

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
    pub(super) addresses: Box<[usize]>,
    pub(super) bytes: f64,
    pub(super) count: f64,
    /// What was ever allocated.
    bytes_ever: f64,
    count_ever: f64,
    /// Its bytes at the end of past epochs, at each scale, oldest first.
    pub(super) totals: [VecDeque<f32>; SCALES.len()],
    /// The largest fall of its bytes from a height they had, which shrinks as time goes on.
    pub(super) fall: f64,
    pub(super) high: f64,
}

#[derive(Debug)]
pub(super) struct LiveSamples {
    pub(super) period: f64,
    pub(super) epoch: u32,
    pub(super) samples: HashMap<usize, Sample>,
    /// Stacks by their return addresses, and by the functions those lie in: a loop that was unrolled calls from many
    /// addresses of one function.
    by_addresses: HashMap<u64, u32>,
    by_functions: HashMap<u64, u32>,
    function_at: fn(usize) -> usize,
    pub(super) stacks: Vec<Stack>,
    /// What the program held beyond its caches at the end of past epochs, as the totals of a stack.
    pub(super) unaccounted: [VecDeque<f64>; SCALES.len()],
    pub(super) n_left_out: u64,
    hashing: RandomState,
}

impl LiveSamples {
    #[expect(clippy::cast_precision_loss, reason = "a period far below 2^53 bytes")]
    pub(super) fn new(period: u64, function_at: fn(usize) -> usize) -> Self {
        Self {
            period: period as f64,
            epoch: 0,
            samples: HashMap::new(),
            by_addresses: HashMap::new(),
            by_functions: HashMap::new(),
            function_at,
            stacks: Vec::new(),
            unaccounted: Default::default(),
            n_left_out: 0,
            hashing: RandomState::new(),
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
        }
    }

    fn place_of(&mut self, addresses: &[usize]) -> Option<u32> {
        let exact = self.hash(addresses.iter().copied());
        if let Some(place) = self.by_addresses.get(&exact) {
            return Some(*place);
        }
        let id = self.hash(addresses.iter().map(|address| (self.function_at)(*address)));
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
        let stack = Stack {
            id,
            addresses: addresses.into(),
            ..Stack::default()
        };
        let place = if self.stacks.len() < STACKS_MAX {
            self.stacks.push(stack);
            self.stacks.len() - 1
        } else {
            // One that holds nothing makes room.
            let place = self.stacks.iter().position(|stack| stack.count < 0.5)?;
            let old = std::mem::replace(self.stacks.get_mut(place)?, stack);
            self.by_functions.remove(&old.id);
            self.by_addresses.clear();
            place
        };
        let place = u32::try_from(place).ok()?;
        self.by_functions.insert(id, place);
        Some(place)
    }

    fn hash(&self, numbers: impl Iterator<Item = usize>) -> u64 {
        let mut hasher: DefaultHasher = self.hashing.build_hasher();
        numbers.for_each(|number| hasher.write_usize(number));
        hasher.finish()
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
                    note(totals, stack.bytes as f32);
                }
            }
            if let Some(totals) = self.unaccounted.get_mut(scale) {
                note(totals, unaccounted as f64);
            }
        }
    }

    /// Every stack that holds something.
    pub(super) fn dump(&self) -> HeapDump {
        let held = self.stacks.iter().filter(|stack| stack.count > 0.5);
        HeapDump::of_stacks(held.map(Stack::parts))
    }

    /// The stacks that hold most, the largest first.
    pub(super) fn largest(&self, n: usize) -> Vec<SiteSize> {
        let mut held: Vec<_> = self
            .stacks
            .iter()
            .filter(|stack| stack.count > 0.5)
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
        let addresses = self.addresses.iter().map(|address| *address as u64);
        (
            addresses.collect(),
            bytes.max(0.0) as u64,
            count.max(0.0) as u64,
        )
    }
}

fn note<T>(totals: &mut VecDeque<T>, value: T) {
    if totals.len() == MARKS {
        totals.pop_front();
    }
    totals.push_back(value);
}
