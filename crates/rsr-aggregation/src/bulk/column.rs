//! One summed number of every node: 20 bytes a node.

use crate::Hundredths;
use crate::tally::{Part, TooLarge};

/// Sums and, beside each, the number of its contributors, which tells "no value" from zero.
#[derive(Clone, Debug, Default)]
pub(super) struct Column {
    sums: Vec<i128>,
    counts: Vec<u32>,
}

impl Column {
    pub(super) fn zeros(len: usize) -> Self {
        Self {
            sums: vec![0; len],
            counts: vec![0; len],
        }
    }

    #[inline]
    pub(super) fn set(&mut self, index: u32, number: Option<Hundredths>) {
        self.sums[index as usize] = number.map_or(0, Hundredths::hundredths);
        self.counts[index as usize] = u32::from(number.is_some());
    }

    pub(super) fn get(&self, index: u32) -> Option<Hundredths> {
        Part::new(
            self.sums[index as usize],
            u64::from(self.counts[index as usize]),
        )
        .total()
    }

    /// Adds a number from elsewhere.
    pub(super) fn add(&mut self, to: u32, number: Option<Hundredths>) -> Result<(), TooLarge> {
        let Some(number) = number else { return Ok(()) };
        let sum = &mut self.sums[to as usize];
        *sum = sum.checked_add(number.hundredths()).ok_or(TooLarge)?;
        // There are fewer nodes than 2^32, and each adds itself once, besides the own part.
        self.counts[to as usize] = self.counts[to as usize].saturating_add(1);
        Ok(())
    }

    /// Adds one node's sum to another's, where it has one. The step of the pass.
    #[inline]
    pub(super) fn pass(&mut self, from: u32, to: u32) -> Result<(), TooLarge> {
        if self.counts[from as usize] > 0 {
            let passed = self.sums[from as usize];
            let sum = &mut self.sums[to as usize];
            *sum = sum.checked_add(passed).ok_or(TooLarge)?;
            self.counts[to as usize] = self.counts[to as usize].saturating_add(1);
        }
        Ok(())
    }

    pub(super) fn bytes(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.counts.capacity() * size_of::<u32>()
    }
}
