//! What is kept of the samples.

use std::collections::VecDeque;
use std::time::Duration;

use super::LeakSample;

/// Samples are taken together in blocks of half an hour.
pub(super) const BLOCK_HOURS: f64 = 0.5;
const BLOCK: Duration = Duration::from_secs(1800);

/// Three days of blocks.
const BLOCKS_MAX: usize = 144;

pub(super) const MIB: f64 = 1_048_576.0;

/// The lowest moment of half an hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Block {
    /// Allocated and not accounted for, MiB.
    pub(super) trough: f64,
    /// Requests a second at that moment.
    pub(super) load: Option<f64>,
    /// Allocated at that moment, MiB.
    pub(super) held: f64,
    /// Lowest resident memory of the block, MiB.
    pub(super) resident: Option<f64>,
}

impl Block {
    /// The block at this share of the way to another one.
    fn towards(&self, other: &Self, share: f64) -> Self {
        let between = |from: f64, to: f64| from + (to - from) * share;
        let both = |from: Option<f64>, to: Option<f64>| Some(between(from?, to?));
        Self {
            trough: between(self.trough, other.trough),
            load: both(self.load, other.load),
            held: between(self.held, other.held),
            resident: both(self.resident, other.resident),
        }
    }
}

/// The blocks of the last days, oldest first, and the one that is being filled. Bounded, whatever the samples' number.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    blocks: VecDeque<Block>,
    current: Option<(Duration, Block)>,
}

impl History {
    /// Takes a sample; `true` where it is the first after a block that is complete now.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a few blocks, and sizes far below 2^53 bytes"
    )]
    pub(super) fn push(&mut self, sample: &LeakSample) -> bool {
        let number = |size: rsr_base::ByteSize| {
            let bytes = size.bytes() as f64;
            bytes / MIB
        };
        let block = Block {
            trough: number(sample.allocated) - number(sample.accounted),
            held: number(sample.allocated),
            load: sample.load.filter(|load| load.is_finite()),
            resident: sample.resident.map(number),
        };
        let Some((began, current)) = &mut self.current else {
            self.current = Some((sample.at, block));
            return false;
        };
        if sample.at.saturating_sub(*began) < BLOCK {
            // A sample out of order falls into the block as well.
            let resident = match (current.resident, block.resident) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            if block.trough < current.trough {
                *current = block;
            }
            current.resident = resident;
            return false;
        }
        let (whole, began) = (*current, *began);
        self.current = Some((sample.at, block));
        self.keep(whole);
        // Where samples are further apart than a block is long, what lies between is taken for even.
        let n_blocks = (sample.at.saturating_sub(began).as_secs() / BLOCK.as_secs()) as usize;
        for missing in 1..n_blocks.min(BLOCKS_MAX) {
            self.keep(whole.towards(&block, missing as f64 / n_blocks as f64));
        }
        true
    }

    fn keep(&mut self, block: Block) {
        if self.blocks.len() == BLOCKS_MAX {
            self.blocks.pop_front();
        }
        self.blocks.push_back(block);
    }

    /// Complete blocks, oldest first.
    pub(super) fn blocks(&mut self) -> &[Block] {
        self.blocks.make_contiguous()
    }

    /// Complete blocks.
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }
}
