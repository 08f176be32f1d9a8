//! Sums that tell "no value" from zero, and what stands at a period once they are made.

use crate::{Hundredths, Measure, Numbers, Total};

/// A sum left the range of 128 bits. Reached only by numbers that no person typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sum is too large")]
pub struct TooLarge;

/// A sum and how many numbers it is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    sum: i128,
    n: u64,
}

impl Part {
    pub(crate) fn new(sum: i128, n: u64) -> Self {
        Self { sum, n }
    }

    fn add(&mut self, number: Option<Hundredths>) -> Result<(), TooLarge> {
        if let Some(number) = number {
            self.sum = self.sum.checked_add(number.hundredths()).ok_or(TooLarge)?;
            self.n += 1;
        }
        Ok(())
    }

    /// Takes away a number that was added before.
    fn remove(&mut self, number: Option<Hundredths>) -> Result<(), TooLarge> {
        if let Some(number) = number {
            self.sum = self.sum.checked_sub(number.hundredths()).ok_or(TooLarge)?;
            self.n -= 1;
        }
        Ok(())
    }

    pub(crate) fn total(self) -> Option<Hundredths> {
        (self.n > 0).then(|| Hundredths::from_hundredths(self.sum))
    }
}

/// Values, numerators and denominators summed side by side; a missing one is skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) value: Part,
    pub(crate) numerator: Part,
    pub(crate) denominator: Part,
}

impl Tally {
    pub(crate) fn add(&mut self, numbers: &Numbers) -> Result<(), TooLarge> {
        self.value.add(numbers.value)?;
        self.numerator.add(numbers.numerator)?;
        self.denominator.add(numbers.denominator)
    }

    pub(crate) fn remove(&mut self, numbers: &Numbers) -> Result<(), TooLarge> {
        self.value.remove(numbers.value)?;
        self.numerator.remove(numbers.numerator)?;
        self.denominator.remove(numbers.denominator)
    }

    pub(crate) fn numbers(&self) -> Numbers {
        Numbers {
            value: self.value.total(),
            numerator: self.numerator.total(),
            denominator: self.denominator.total(),
        }
    }
}

/// Whether a child that holds these numbers contributes to a parent of this measure, its edge being open (rule 8).
pub(crate) fn contributes(parent: Measure, child: &Numbers) -> bool {
    match parent {
        Measure::Unit => child.value.is_some(),
        Measure::Percentage => child.numerator.is_some() || child.denominator.is_some(),
        Measure::Qualitative => false,
    }
}

/// What makes up a period, or one of its disaggregations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing<'n> {
    /// Its own part and its contributing children's, summed.
    pub(crate) sum: Numbers,
    /// Whether an approved update counts for the period, with or without numbers.
    pub(crate) has_updates: bool,
    /// Whether a child contributes.
    pub(crate) has_contributors: bool,
    /// Its manual value.
    pub(crate) manual: Option<&'n Numbers>,
}

impl Standing<'_> {
    fn manual(&self) -> Option<&Numbers> {
        self.manual
            .filter(|_| !self.has_updates && !self.has_contributors)
    }

    /// What stands at a period (rules 7, 12, 14).
    pub(crate) fn period(&self, measure: Measure) -> Result<Total, TooLarge> {
        let (numbers, is_manual) = match self.manual() {
            Some(manual) => (*manual, true),
            None => (self.sum, false),
        };
        let numbers = match measure {
            Measure::Qualitative => Numbers::NONE,
            Measure::Unit => Numbers {
                value: numbers.value,
                ..Numbers::NONE
            },
            Measure::Percentage => {
                let derived = Numbers::of_pair(numbers.numerator, numbers.denominator);
                let has_pair = numbers.numerator.is_some() && numbers.denominator.is_some();
                let is_over_zero = numbers.denominator == Some(Hundredths::ZERO);
                if has_pair && !is_over_zero && derived.value.is_none() {
                    return Err(TooLarge);
                }
                // A typed percentage without its pair keeps its value.
                if is_manual && !has_pair {
                    numbers
                } else {
                    derived
                }
            }
        };
        Ok(Total { numbers, is_manual })
    }

    /// What stands at a disaggregation: the three sums side by side, whatever the measure (rule 25).
    pub(crate) fn disaggregation(&self) -> Total {
        match self.manual() {
            Some(manual) => Total {
                numbers: *manual,
                is_manual: true,
            },
            None => Total::computed(self.sum),
        }
    }
}
