//! The pass itself: every period's total, from the end of a depth-first order to its start.

use std::collections::HashMap;

use rsr_base::PeriodId;
use rsr_hierarchy::{BrokenLinks, Forest, Order, TooManyNodes};

use super::column::Column;
use crate::tally::{Standing, contributes};
use crate::{Measure, Numbers, Total};

/// What is known of a node besides its sums; one byte.
#[derive(Clone, Copy, Debug, Default)]
struct Flags(u8);

impl Flags {
    const PERCENTAGE: u8 = 1;
    const QUALITATIVE: u8 = 2;
    const HAS_UPDATES: u8 = 4;
    const HAS_MANUAL: u8 = 8;
    /// Its total goes on to a parent that sums values.
    const PASSES_VALUE: u8 = 16;
    /// Its total goes on to a parent that sums pairs.
    const PASSES_PAIR: u8 = 32;

    fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    fn measure(self) -> Measure {
        if self.has(Self::PERCENTAGE) {
            Measure::Percentage
        } else if self.has(Self::QUALITATIVE) {
            Measure::Qualitative
        } else {
            Measure::Unit
        }
    }
}

/// A sum left the range of 128 bits, at this period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sum of period {0} is too large")]
pub struct PeriodTooLarge(pub PeriodId);

/// All periods of some trees, with their own parts, and after [`Rollup::run`] with their totals.
///
/// 17 bytes a period, 20 for the column of values, and twice 20 more once a percentage is among them. A chain of a
/// million passes as well as a fan.
///
/// ```
/// use rsr_aggregation::{Hundredths, Measure, Numbers, Rollup};
/// use rsr_base::PeriodId;
///
/// // 2 and 3 roll up into 1.
/// let links = [(1, None), (2, Some(1)), (3, Some(1))];
/// let links = links.map(|(id, parent)| (PeriodId(id), parent.map(PeriodId)));
/// let (mut rollup, _) = Rollup::new(links)?;
/// for id in [2, 3] {
///     let own = Numbers::of_value(Hundredths::from_hundredths(500));
///     rollup.set_own(PeriodId(id), true, &own);
/// }
/// rollup.run()?;
/// let total = rollup.total(PeriodId(1))?.unwrap();
/// assert_eq!(total.numbers.value.unwrap().to_string(), "10.00");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rollup {
    order: Order<PeriodId>,
    flags: Vec<Flags>,
    value: Column,
    pair: Option<Box<Pair>>,
    manual: HashMap<u32, Numbers>,
}

#[derive(Clone, Debug)]
struct Pair {
    numerator: Column,
    denominator: Column,
}

impl Rollup {
    /// Periods with the parent that each goes up into: `None` where it has none, and where the edge's switches are not
    /// both on. All are of measure unit until they are said to be otherwise. Also says which links lead in a circle; the
    /// periods on and below a circle are not in the roll-up.
    ///
    /// # Errors
    ///
    /// [`TooManyNodes`] past 2^32 - 3.
    pub fn new(
        links: impl IntoIterator<Item = (PeriodId, Option<PeriodId>)>,
    ) -> Result<(Self, BrokenLinks<PeriodId>), TooManyNodes> {
        let (forest, broken) = Forest::build(links)?;
        let order = forest.into_order();
        let flags = order
            .raw_parents()
            .iter()
            .map(|&parent| match parent {
                u32::MAX => Flags::default(),
                _ => Flags(Flags::PASSES_VALUE),
            })
            .collect();
        let rollup = Self {
            flags,
            value: Column::zeros(order.len()),
            pair: None,
            manual: HashMap::new(),
            order,
        };
        Ok((rollup, broken))
    }

    /// The periods in the roll-up, parents before children.
    #[must_use]
    pub fn order(&self) -> &Order<PeriodId> {
        &self.order
    }

    /// Says how periods add up, in any order of ids; those not named stay at unit, those not in the roll-up do not matter.
    pub fn set_measures(&mut self, measures: impl IntoIterator<Item = (PeriodId, Measure)>) {
        let mut finder = self.order.finder();
        let mut has_percentages = false;
        for (period, measure) in measures {
            let flag = match measure {
                Measure::Unit => continue,
                Measure::Percentage => Flags::PERCENTAGE,
                Measure::Qualitative => Flags::QUALITATIVE,
            };
            has_percentages |= measure == Measure::Percentage;
            if let Some(index) = finder.find(period) {
                let flags = &mut self.flags[index as usize];
                flags.0 &= !(Flags::PERCENTAGE | Flags::QUALITATIVE);
                flags.0 |= flag;
            }
        }
        for index in 0..self.flags.len() {
            let parent = self.order.raw_parents()[index];
            if parent == u32::MAX {
                continue;
            }
            let passes = match self.flags[parent as usize].measure() {
                Measure::Unit => Flags::PASSES_VALUE,
                Measure::Percentage => Flags::PASSES_PAIR,
                Measure::Qualitative => 0,
            };
            let flags = &mut self.flags[index];
            flags.0 &= !(Flags::PASSES_VALUE | Flags::PASSES_PAIR);
            flags.0 |= passes;
        }
        if has_percentages && self.pair.is_none() {
            self.pair = Some(Box::new(Pair {
                numerator: Column::zeros(self.order.len()),
                denominator: Column::zeros(self.order.len()),
            }));
        }
    }

    /// Sets a period's own part: the sums of its updates, and whether there are any. Gives whether the period is in the
    /// roll-up. Measures are set before.
    pub fn set_own(&mut self, period: PeriodId, has_updates: bool, numbers: &Numbers) -> bool {
        let index = self.order.find(period);
        if let Some(index) = index {
            self.set_own_at(index, has_updates, numbers);
        }
        index.is_some()
    }

    /// As [`Rollup::set_own`], by the period's index in the order.
    ///
    /// # Panics
    ///
    /// Where there is no such index.
    #[inline]
    pub fn set_own_at(&mut self, index: u32, has_updates: bool, numbers: &Numbers) {
        let flags = &mut self.flags[index as usize];
        flags.0 &= !Flags::HAS_UPDATES;
        flags.0 |= if has_updates { Flags::HAS_UPDATES } else { 0 };
        match (flags.measure(), &mut self.pair) {
            (Measure::Unit, _) => self.value.set(index, numbers.value),
            (Measure::Percentage, Some(pair)) => {
                pair.numerator.set(index, numbers.numerator);
                pair.denominator.set(index, numbers.denominator);
            }
            (Measure::Percentage, None) | (Measure::Qualitative, _) => {}
        }
    }

    /// Sets a period's manual value; all numbers missing where its text is no number.
    pub fn set_manual(&mut self, period: PeriodId, numbers: &Numbers) {
        if let Some(index) = self.order.find(period) {
            self.flags[index as usize].0 |= Flags::HAS_MANUAL;
            self.manual.insert(index, *numbers);
        }
    }

    /// How the period adds up.
    pub(super) fn measure(&self, index: u32) -> Measure {
        self.flags[index as usize].measure()
    }

    /// Whether any update counts for the period.
    pub(super) fn has_updates(&self, index: u32) -> bool {
        self.flags[index as usize].has(Flags::HAS_UPDATES)
    }

    /// Adds each period to its parent, once: O(n).
    ///
    /// # Errors
    ///
    /// [`PeriodTooLarge`] where a sum leaves the range of 128 bits; the totals are then of no use.
    pub fn run(&mut self) -> Result<(), PeriodTooLarge> {
        // All but these pass their column's sum on as it is.
        const SPECIAL: u8 =
            Flags::PERCENTAGE | Flags::QUALITATIVE | Flags::HAS_MANUAL | Flags::PASSES_PAIR;
        let len = u32::try_from(self.flags.len()).unwrap_or(u32::MAX);
        for index in (0..len).rev() {
            let flags = self.flags[index as usize];
            if flags.0 & (SPECIAL | Flags::PASSES_VALUE) == Flags::PASSES_VALUE {
                let parent = self.order.raw_parents()[index as usize];
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
        let parent = self.order.raw_parents()[index as usize];
        let numbers = self.total_at(index)?.numbers;
        let measure = self.flags[parent as usize].measure();
        if !contributes(measure, &numbers) {
            return Ok(());
        }
        let added = match (measure, &mut self.pair) {
            (Measure::Unit, _) => self.value.add(parent, numbers.value),
            (Measure::Percentage, Some(pair)) => pair
                .numerator
                .add(parent, numbers.numerator)
                .and_then(|()| pair.denominator.add(parent, numbers.denominator)),
            (Measure::Percentage, None) | (Measure::Qualitative, _) => Ok(()),
        };
        added.map_err(|_too_large| self.too_large(parent))
    }

    /// What stands at a period, after the pass; `None` where it is not in the roll-up.
    ///
    /// # Errors
    ///
    /// [`PeriodTooLarge`] where its percentage cannot be held.
    pub fn total(&self, period: PeriodId) -> Result<Option<Total>, PeriodTooLarge> {
        self.order
            .find(period)
            .map(|index| self.total_at(index))
            .transpose()
    }

    /// What stands at each period, after the pass, parents before children. O(1) each.
    ///
    /// # Errors
    ///
    /// [`PeriodTooLarge`] in place of a period whose percentage cannot be held.
    pub fn totals(&self) -> impl Iterator<Item = Result<(PeriodId, Total), PeriodTooLarge>> {
        (0..)
            .zip(self.order.ids())
            .map(|(index, &period)| Ok((period, self.total_at(index)?)))
    }

    pub(super) fn total_at(&self, index: u32) -> Result<Total, PeriodTooLarge> {
        let flags = self.flags[index as usize];
        let pair = self.pair.as_deref();
        let sum = Numbers {
            value: self.value.get(index),
            numerator: pair.and_then(|pair| pair.numerator.get(index)),
            denominator: pair.and_then(|pair| pair.denominator.get(index)),
        };
        let manual = if flags.has(Flags::HAS_MANUAL) {
            self.manual.get(&index)
        } else {
            None
        };
        Standing {
            sum,
            has_updates: flags.has(Flags::HAS_UPDATES),
            // Asked only where no update counts, so that what is there came from children.
            has_contributors: !sum.is_none(),
            manual,
        }
        .period(flags.measure())
        .map_err(|_too_large| self.too_large(index))
    }

    /// Heap bytes it holds: of the structure, and of the summed columns. Manual values come on top, some 100 bytes each.
    #[must_use]
    pub fn bytes(&self) -> (usize, usize) {
        let pair = self.pair.as_ref();
        (
            self.order.bytes() + self.flags.capacity(),
            self.value.bytes()
                + pair.map_or(0, |pair| pair.numerator.bytes() + pair.denominator.bytes()),
        )
    }

    #[cold]
    fn too_large(&self, index: u32) -> PeriodTooLarge {
        PeriodTooLarge(self.order.ids()[index as usize])
    }
}
