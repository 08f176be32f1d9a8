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

    /// Sets the first of the nodes, one after the other.
    pub(super) fn fill(&mut self, numbers: impl Iterator<Item = Option<Hundredths>>) {
        let nodes = self.sums.iter_mut().zip(&mut self.counts);
        for ((sum, count), number) in nodes.zip(numbers) {
            *sum = number.map_or(0, Hundredths::hundredths);
            *count = u32::from(number.is_some());
        }
    }

    pub(super) fn get(&self, index: u32) -> Option<Hundredths> {
        get(&self.sums, &self.counts, index)
    }

    /// Adds a number from elsewhere.
    pub(super) fn add(&mut self, to: u32, number: Option<Hundredths>) -> Result<(), TooLarge> {
        self.whole().add(to, number)
    }

    /// All of it, to be summed.
    pub(super) fn whole(&mut self) -> ColumnPart<'_> {
        ColumnPart {
            sums: &mut self.sums,
            counts: &mut self.counts,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.counts.capacity() * size_of::<u32>()
    }
}

fn get(sums: &[i128], counts: &[u32], index: u32) -> Option<Hundredths> {
    Part::new(sums[index as usize], u64::from(counts[index as usize])).total()
}

/// Nodes of a column that stand side by side, counted from its first.
#[derive(Debug)]
pub(super) struct ColumnPart<'c> {
    sums: &'c mut [i128],
    counts: &'c mut [u32],
}

impl ColumnPart<'_> {
    /// Adds each node's sum to that of its parent, from the last one on; parents are counted from `first`, `u32::MAX` is none.
    /// Answers the node whose sum does not fit.
    pub(super) fn pass_all(&mut self, first: u32, parents: &[u32]) -> Result<(), u32> {
        // All are of one length: said here once, so that no step has to look.
        let n = parents.len();
        let (sums, counts) = (&mut self.sums[..n], &mut self.counts[..n]);
        for nth in (0..n).rev() {
            if parents[nth] == u32::MAX {
                continue;
            }
            let parent = parents[nth] - first;
            let to = parent as usize;
            assert!(to < n, "a parent stands in the same tree");
            let sum = sums[to].checked_add(sums[nth]).ok_or(parent)?;
            sums[to] = sum;
            // A node without contributors has the sum 0.
            counts[to] += u32::from(counts[nth] > 0);
        }
        Ok(())
    }

    pub(super) fn get(&self, index: u32) -> Option<Hundredths> {
        get(self.sums, self.counts, index)
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

    /// Adds one node's sum to another's, where it has one. The step of the pass. A node without contributors has the sum
    /// 0, so that nothing hangs on a branch that a processor would have to guess.
    #[inline]
    pub(super) fn pass(&mut self, from: u32, to: u32) -> Result<(), TooLarge> {
        let passed = self.sums[from as usize];
        let sum = &mut self.sums[to as usize];
        *sum = sum.checked_add(passed).ok_or(TooLarge)?;
        let counts = self.counts[from as usize] > 0;
        self.counts[to as usize] += u32::from(counts);
        Ok(())
    }
}

#[cfg(feature = "parallel")]
impl<'c> ColumnPart<'c> {
    pub(super) fn split_at(self, len: usize) -> (Self, Self) {
        let (sums, other_sums) = self.sums.split_at_mut(len);
        let (counts, other_counts) = self.counts.split_at_mut(len);
        (
            Self { sums, counts },
            Self {
                sums: other_sums,
                counts: other_counts,
            },
        )
    }
}
