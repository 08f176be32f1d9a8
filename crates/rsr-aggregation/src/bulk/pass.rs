//! The pass from the end of a depth-first order to its start: over all of it, or over some whole trees of it.

use std::collections::HashMap;

use rsr_base::PeriodId;

use super::column::ColumnPart;
use super::rollup::{Flags, PeriodTooLarge, total};
use crate::tally::contributes;
use crate::{Measure, Numbers};

/// Whole trees that stand side by side in the order, with their sums.
#[derive(Debug)]
pub(super) struct Piece<'r> {
    /// The index of its first period; inside, periods are counted from there.
    pub(super) first: u32,
    pub(super) ids: &'r [PeriodId],
    pub(super) parents: &'r [u32],
    pub(super) flags: &'r [Flags],
    pub(super) value: ColumnPart<'r>,
    /// Numerators and denominators, where any period has them.
    pub(super) pair: Option<[ColumnPart<'r>; 2]>,
    /// Manual values by index in the order.
    pub(super) manual: &'r HashMap<u32, Numbers>,
    /// Whether all are of measure unit, and nothing is manual.
    pub(super) is_plain: bool,
}

impl Piece<'_> {
    /// Adds each period to its parent, once.
    pub(super) fn pass(mut self) -> Result<(), PeriodTooLarge> {
        // All but these pass their column's sum on as it is.
        const SPECIAL: u8 =
            Flags::PERCENTAGE | Flags::QUALITATIVE | Flags::HAS_MANUAL | Flags::PASSES_PAIR;
        if self.is_plain {
            let passed = self.value.pass_all(self.first, self.parents);
            return passed.map_err(|parent| self.too_large(parent));
        }
        let len = u32::try_from(self.flags.len()).unwrap_or(u32::MAX);
        let periods = (0..len).zip(self.flags.iter().zip(self.parents));
        for (index, (&flags, &parent)) in periods.rev() {
            if flags.is(SPECIAL | Flags::PASSES_VALUE, Flags::PASSES_VALUE) {
                let parent = parent - self.first;
                self.value
                    .pass(index, parent)
                    .map_err(|_too_large| self.too_large(parent))?;
            } else if flags.has(Flags::PASSES_VALUE | Flags::PASSES_PAIR) {
                self.pass_special(index)?;
            }
        }
        Ok(())
    }

    #[cold]
    fn pass_special(&mut self, index: u32) -> Result<(), PeriodTooLarge> {
        let parent = self.parents[index as usize] - self.first;
        let sum = Numbers {
            value: self.value.get(index),
            numerator: self.pair.as_ref().and_then(|[n, _]| n.get(index)),
            denominator: self.pair.as_ref().and_then(|[_, d]| d.get(index)),
        };
        let manual = || self.manual.get(&(self.first + index));
        let numbers = total(self.flags[index as usize], sum, manual)
            .map_err(|_too_large| self.too_large(index))?
            .numbers;
        let measure = self.flags[parent as usize].measure();
        if !contributes(measure, &numbers) {
            return Ok(());
        }
        let added = match (measure, &mut self.pair) {
            (Measure::Unit, _) => self.value.add(parent, numbers.value),
            (Measure::Percentage, Some([numerators, denominators])) => numerators
                .add(parent, numbers.numerator)
                .and_then(|()| denominators.add(parent, numbers.denominator)),
            (Measure::Percentage, None) | (Measure::Qualitative, _) => Ok(()),
        };
        added.map_err(|_too_large| self.too_large(parent))
    }

    #[cold]
    fn too_large(&self, index: u32) -> PeriodTooLarge {
        PeriodTooLarge(self.ids[index as usize])
    }
}

#[cfg(feature = "parallel")]
impl<'r> Piece<'r> {
    /// Cuts between trees into some pieces of about the same length; fewer, where trees are longer than that.
    pub(super) fn cut(self, n: usize) -> Vec<Self> {
        let length = (self.flags.len() / n.max(1)).max(PIECE_MIN);
        let mut pieces = Vec::new();
        let mut rest = self;
        while let Some(after) = rest.parents.get(length..) {
            let Some(to_root) = after.iter().position(|&parent| parent == u32::MAX) else {
                break;
            };
            let (piece, others) = rest.split_at(length + to_root);
            pieces.push(piece);
            rest = others;
        }
        pieces.push(rest);
        pieces
    }

    fn split_at(self, len: usize) -> (Self, Self) {
        let (ids, other_ids) = self.ids.split_at(len);
        let (parents, other_parents) = self.parents.split_at(len);
        let (flags, other_flags) = self.flags.split_at(len);
        let (value, other_value) = self.value.split_at(len);
        let (pair, other_pair) = match self.pair {
            None => (None, None),
            Some([numerators, denominators]) => {
                let (numerators, other_numerators) = numerators.split_at(len);
                let (denominators, other_denominators) = denominators.split_at(len);
                (
                    Some([numerators, denominators]),
                    Some([other_numerators, other_denominators]),
                )
            }
        };
        let first = self.first;
        let other_first = first + u32::try_from(len).unwrap_or(u32::MAX);
        let (manual, is_plain) = (self.manual, self.is_plain);
        (
            Self {
                first,
                ids,
                parents,
                flags,
                value,
                pair,
                manual,
                is_plain,
            },
            Self {
                first: other_first,
                ids: other_ids,
                parents: other_parents,
                flags: other_flags,
                value: other_value,
                pair: other_pair,
                manual,
                is_plain,
            },
        )
    }
}

/// Periods below which handing a piece to another thread costs more than it saves.
#[cfg(feature = "parallel")]
const PIECE_MIN: usize = 16_384;
