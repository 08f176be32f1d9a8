//! The pass itself: every period's total, from the end of a depth-first order to its start.

use std::collections::HashMap;

use rsr_base::PeriodId;
use rsr_hierarchy::{BrokenLinks, Forest, Order, TooManyNodes};

use super::column::Column;
use super::pass::Piece;
use crate::tally::{Standing, TooLarge};
use crate::{Hundredths, Measure, Numbers, Total};

/// What is known of a node besides its sums; one byte.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags(u8);

impl Flags {
    pub(super) const PERCENTAGE: u8 = 1;
    pub(super) const QUALITATIVE: u8 = 2;
    const HAS_UPDATES: u8 = 4;
    pub(super) const HAS_MANUAL: u8 = 8;
    /// Its total goes on to a parent that sums values.
    pub(super) const PASSES_VALUE: u8 = 16;
    /// Its total goes on to a parent that sums pairs.
    pub(super) const PASSES_PAIR: u8 = 32;

    pub(super) fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// Whether of some flags exactly these are set.
    pub(super) fn is(self, of: u8, these: u8) -> bool {
        self.0 & of == these
    }

    pub(super) fn measure(self) -> Measure {
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
    /// Whether all are of measure unit, as they are until they are said to be otherwise.
    is_all_unit: bool,
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
            is_all_unit: true,
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
            self.is_all_unit = false;
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

    /// Sets the own parts of the first periods of the order, one after the other: what is there is the sum of updates,
    /// `None` means that there are none. For periods of measure unit; others are left as they are. Faster than one by one.
    pub fn set_own_values(&mut self, values: impl IntoIterator<Item = Option<Hundredths>>) {
        if self.is_all_unit {
            let flagged = self.flags.iter_mut().zip(values);
            self.value.fill(flagged.map(|(flags, value)| {
                flags.0 &= !Flags::HAS_UPDATES;
                flags.0 |= Flags::HAS_UPDATES * u8::from(value.is_some());
                value
            }));
            return;
        }
        let n = u32::try_from(self.flags.len()).unwrap_or(u32::MAX);
        for (index, value) in (0..n).zip(values) {
            if self.measure(index) == Measure::Unit {
                let numbers = value.map_or(Numbers::NONE, Numbers::of_value);
                self.set_own_at(index, value.is_some(), &numbers);
            }
        }
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
        self.whole().pass()
    }

    /// As [`Rollup::run`], on all threads of rayon's pool: each takes whole trees, so a single tree gains nothing. The totals
    /// are the same.
    ///
    /// # Errors
    ///
    /// [`PeriodTooLarge`], as [`Rollup::run`].
    #[cfg(feature = "parallel")]
    pub fn run_parallel(&mut self) -> Result<(), PeriodTooLarge> {
        use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

        // More pieces than threads: who is done early takes over from others.
        let pieces = self.whole().cut(rayon::current_num_threads() * 4);
        let passed: Vec<Result<(), PeriodTooLarge>> =
            pieces.into_par_iter().map(Piece::pass).collect();
        // The last piece is what comes first on the way from the end.
        passed.into_iter().rev().collect()
    }

    fn whole(&mut self) -> Piece<'_> {
        Piece {
            first: 0,
            ids: self.order.ids(),
            parents: self.order.raw_parents(),
            flags: &self.flags,
            value: self.value.whole(),
            pair: self
                .pair
                .as_deref_mut()
                .map(|pair| [pair.numerator.whole(), pair.denominator.whole()]),
            manual: &self.manual,
            is_plain: self.is_all_unit && self.manual.is_empty(),
        }
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

    /// As [`Rollup::totals`], on all threads of rayon's pool.
    ///
    /// # Errors
    ///
    /// [`PeriodTooLarge`] in place of a period whose percentage cannot be held.
    #[cfg(feature = "parallel")]
    #[must_use]
    pub fn par_totals(
        &self,
    ) -> impl rayon::iter::IndexedParallelIterator<Item = Result<(PeriodId, Total), PeriodTooLarge>>
    {
        use rayon::iter::{
            IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _,
        };

        let ids = self.order.ids().par_iter().enumerate();
        ids.map(|(index, &period)| {
            // Indices of the order are of 32 bits.
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            Ok((period, self.total_at(index)?))
        })
    }

    pub(super) fn total_at(&self, index: u32) -> Result<Total, PeriodTooLarge> {
        let pair = self.pair.as_deref();
        let sum = Numbers {
            value: self.value.get(index),
            numerator: pair.and_then(|pair| pair.numerator.get(index)),
            denominator: pair.and_then(|pair| pair.denominator.get(index)),
        };
        total(self.flags[index as usize], sum, || self.manual.get(&index))
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

/// What stands at a period of which these are the sums. `manual` is asked only where there is such a value.
pub(super) fn total<'m>(
    flags: Flags,
    sum: Numbers,
    manual: impl FnOnce() -> Option<&'m Numbers>,
) -> Result<Total, TooLarge> {
    let manual = if flags.has(Flags::HAS_MANUAL) {
        manual()
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
}
