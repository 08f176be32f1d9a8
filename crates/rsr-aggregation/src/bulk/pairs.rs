//! The pass over disaggregations: pairs of a period and a dimension value, up both trees in step.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use rsr_base::{DimensionValueId, PeriodId, ProjectId};

use super::column::Column;
use super::rollup::{PeriodTooLarge, Rollup};
use crate::tally::{Standing, Tally};
use crate::{Contribution, Measure, Numbers, Total};

/// Marks a pair that goes up into none.
const NONE: u32 = u32::MAX;

/// Every disaggregation of the periods of a roll-up that has been run.
#[derive(Debug)]
pub(super) struct Pairs<'r> {
    rollup: &'r Rollup,
    parents_of_values: HashMap<DimensionValueId, DimensionValueId>,
    indices: HashMap<(u32, DimensionValueId), u32>,
    /// By index: the period's index in the roll-up, and the dimension value.
    pairs: Vec<(u32, DimensionValueId)>,
    parents: Vec<u32>,
    columns: [Column; 3],
    manual: HashMap<u32, Numbers>,
}

impl<'r> Pairs<'r> {
    pub(super) fn new(
        rollup: &'r Rollup,
        parents_of_values: HashMap<DimensionValueId, DimensionValueId>,
    ) -> Self {
        Self {
            rollup,
            parents_of_values,
            indices: HashMap::new(),
            pairs: Vec::new(),
            parents: Vec::new(),
            columns: Default::default(),
            manual: HashMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Takes in a pair and all above it that are not there yet: a row at a child asks for one at its parent (rule 27).
    /// `None` where the period is not in the roll-up, or is qualitative.
    pub(super) fn insert(&mut self, period: PeriodId, value: DimensionValueId) -> Option<u32> {
        let mut period = self.rollup.order().find(period)?;
        let mut value = value;
        let mut first = None;
        let mut below = NONE;
        loop {
            if self.rollup.measure(period) == Measure::Qualitative {
                return first;
            }
            let next = u32::try_from(self.pairs.len()).ok().filter(|&n| n < NONE)?;
            let (index, is_new) = match self.indices.entry((period, value)) {
                Entry::Occupied(known) => (*known.get(), false),
                Entry::Vacant(room) => (*room.insert(next), true),
            };
            if below != NONE {
                self.parents[below as usize] = index;
            }
            first = first.or(Some(index));
            if !is_new {
                return first;
            }
            self.pairs.push((period, value));
            self.parents.push(NONE);
            below = index;
            let above = self.rollup.order().parent(period);
            match (above, self.parents_of_values.get(&value)) {
                (Some(above), Some(&parent_value)) => {
                    period = above;
                    value = parent_value;
                }
                _ => return first,
            }
        }
    }

    pub(super) fn find(&self, period: PeriodId, value: DimensionValueId) -> Option<u32> {
        let period = self.rollup.order().find(period)?;
        self.indices.get(&(period, value)).copied()
    }

    pub(super) fn set_manual(&mut self, index: u32, numbers: Numbers) {
        self.manual.insert(index, numbers);
    }

    /// Sums all pairs, given the own part of each; later pairs cannot be put in.
    pub(super) fn run(
        &mut self,
        own: impl IntoIterator<Item = (u32, Numbers)>,
    ) -> Result<(), PeriodTooLarge> {
        self.columns = std::array::from_fn(|_| Column::zeros(self.len()));
        for (index, numbers) in own {
            for (column, number) in self.columns.iter_mut().zip(in_columns(&numbers)) {
                column.set(index, number);
            }
        }
        // A parent's period always has the smaller index.
        let mut deepest_first: Vec<u32> = (0..NONE).take(self.len()).collect();
        deepest_first.sort_unstable_by_key(|&index| std::cmp::Reverse(self.pairs[index as usize]));
        for index in deepest_first {
            let parent = self.parents[index as usize];
            if parent == NONE {
                continue;
            }
            let numbers = self.total(index).numbers;
            for (column, number) in self.columns.iter_mut().zip(in_columns(&numbers)) {
                column.add(parent, number).map_err(|_too_large| {
                    let period = self.pairs[parent as usize].0;
                    PeriodTooLarge(self.rollup.order().ids()[period as usize])
                })?;
            }
        }
        Ok(())
    }

    pub(super) fn total(&self, index: u32) -> Total {
        let [value, numerator, denominator] = &self.columns;
        let sum = Numbers {
            value: value.get(index),
            numerator: numerator.get(index),
            denominator: denominator.get(index),
        };
        Standing {
            sum,
            has_updates: self.rollup.has_updates(self.pairs[index as usize].0),
            has_contributors: !sum.is_none(),
            manual: self.manual.get(&index),
        }
        .disaggregation()
    }

    /// Period and dimension value of each pair, by index.
    pub(super) fn ids(&self) -> impl Iterator<Item = (u32, PeriodId, DimensionValueId)> {
        let ids = self.rollup.order().ids();
        (0..NONE)
            .zip(&self.pairs)
            .map(|(index, &(period, value))| (index, ids[period as usize], value))
    }

    /// What each child project adds to each pair (rule 30), given the project of each period by its index.
    pub(super) fn contributions(
        &self,
        projects: &[ProjectId],
    ) -> Result<BTreeMap<(PeriodId, DimensionValueId, ProjectId), Numbers>, PeriodTooLarge> {
        let ids = self.rollup.order().ids();
        let mut sums: BTreeMap<_, Tally> = BTreeMap::new();
        for (index, &parent) in (0..NONE).zip(&self.parents) {
            if parent == NONE {
                continue;
            }
            let (period, value) = self.pairs[parent as usize];
            let period = ids[period as usize];
            let project = projects[self.pairs[index as usize].0 as usize];
            sums.entry((period, value, project))
                .or_default()
                .add(&self.total(index).numbers)
                .map_err(|_too_large| PeriodTooLarge(period))?;
        }
        Ok(sums
            .into_iter()
            .map(|(key, tally)| (key, tally.numbers()))
            .collect())
    }
}

fn in_columns(numbers: &Numbers) -> [Option<crate::Hundredths>; 3] {
    [numbers.value, numbers.numerator, numbers.denominator]
}

/// A contribution from its key.
pub(super) fn contribution(
    (period, dimension_value, project): (PeriodId, DimensionValueId, ProjectId),
    numbers: Numbers,
) -> Contribution {
    Contribution {
        period,
        dimension_value,
        project,
        numbers,
    }
}
