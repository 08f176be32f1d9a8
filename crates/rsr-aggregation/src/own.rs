//! The own part of a period: what its approved updates add up to (rules 1–4, 23).

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use rsr_base::{DimensionValueId, PeriodId, UpdateId, UserId};

use crate::tally::Tally;
use crate::{
    Date, Indicator, IndicatorUpdates, Measure, Moment, Numbers, PeriodEnd, TooLarge, Update,
};

/// What the approved updates of a period add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnPart {
    /// Whether any update counts; one without numbers does, and ends a manual value's standing.
    pub has_updates: bool,
    /// The sums.
    pub numbers: Numbers,
    /// The sums by dimension value, for every value that an update uses, in order of their ids.
    pub disaggregations: Vec<(DimensionValueId, Numbers)>,
}

/// Sums of updates, by dimension value too.
#[derive(Clone, Debug, Default)]
struct Sums {
    n_updates: u64,
    total: Tally,
    by_value: BTreeMap<DimensionValueId, (u64, Tally)>,
}

impl Sums {
    fn add(&mut self, update: &Update) -> Result<(), TooLarge> {
        self.n_updates += 1;
        self.total.add(&update.numbers)?;
        for (value, numbers) in &update.disaggregations {
            let (n, tally) = self.by_value.entry(*value).or_default();
            *n += 1;
            tally.add(numbers)?;
        }
        Ok(())
    }

    /// Takes away an update that was added before.
    fn remove(&mut self, update: &Update) -> Result<(), TooLarge> {
        self.n_updates -= 1;
        self.total.remove(&update.numbers)?;
        for (value, numbers) in &update.disaggregations {
            if let Some((n, tally)) = self.by_value.get_mut(value) {
                tally.remove(numbers)?;
                *n -= 1;
                if *n == 0 {
                    self.by_value.remove(value);
                }
            }
        }
        Ok(())
    }

    fn own_part(&self) -> OwnPart {
        OwnPart {
            has_updates: self.n_updates > 0,
            numbers: self.total.numbers(),
            disaggregations: self
                .by_value
                .iter()
                .map(|(&value, (_, tally))| (value, tally.numbers()))
                .collect(),
        }
    }
}

/// The order of one user's candidates; the last one counts. A period without an end comes last of all, since its
/// updates are candidates for itself alone.
type Rank = (bool, Option<Date>, Moment, UpdateId);

fn rank(update: &Update) -> Rank {
    let end = update.period_end;
    (end.is_none(), end, update.created, update.id)
}

/// Whether reports for a period that ends at `earlier` are carried into one that ends at `end` (rules 3, 4).
fn is_carried(earlier: Option<Date>, end: Option<Date>) -> bool {
    match (earlier, end) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(earlier), Some(end)) => earlier < end,
    }
}

/// The own part of one period from the updates that may count for it: those of the period, and of a cumulative indicator
/// all of them. Takes O(updates) time, and memory for one update a user.
///
/// # Errors
///
/// [`TooLarge`] where a sum leaves the range of 128 bits.
pub fn own_part<'u>(
    indicator: &Indicator,
    period: &PeriodEnd,
    updates: impl IntoIterator<Item = &'u Update>,
) -> Result<OwnPart, TooLarge> {
    let mut sums = Sums::default();
    if !indicator.is_cumulative() {
        for update in updates {
            if update.period == period.id {
                sums.add(update)?;
            }
        }
        return Ok(only_what_counts(indicator, sums.own_part()));
    }
    let mut chosen: BTreeMap<UserId, &Update> = BTreeMap::new();
    for update in updates {
        if update.period == period.id || is_carried(update.period_end, period.end) {
            chosen
                .entry(update.user)
                .and_modify(|best| {
                    if rank(update) > rank(best) {
                        *best = update;
                    }
                })
                .or_insert(update);
        }
    }
    for update in chosen.into_values() {
        sums.add(update)?;
    }
    Ok(sums.own_part())
}

fn only_what_counts(indicator: &Indicator, own: OwnPart) -> OwnPart {
    if indicator.measure == Measure::Qualitative {
        OwnPart {
            has_updates: own.has_updates,
            ..OwnPart::default()
        }
    } else {
        own
    }
}

/// The own parts of all periods of an indicator that have one. A single sweep in order of period ends: O(n log n) for n
/// updates and periods, besides what is handed out.
///
/// # Errors
///
/// [`TooLarge`] where a sum leaves the range of 128 bits.
pub fn own_parts(
    of: &IndicatorUpdates<'_>,
    mut take: impl FnMut(PeriodId, OwnPart),
) -> Result<(), TooLarge> {
    let mut by_period: HashMap<PeriodId, Vec<&Update>> = HashMap::new();
    for update in of.updates {
        by_period.entry(update.period).or_default().push(update);
    }
    if !of.indicator.is_cumulative() {
        for period in of.periods {
            let Some(updates) = by_period.get(&period.id) else {
                continue;
            };
            let mut sums = Sums::default();
            for update in updates {
                sums.add(update)?;
            }
            take(period.id, only_what_counts(&of.indicator, sums.own_part()));
        }
        return Ok(());
    }
    let mut carried: Vec<&Update> = of.updates.iter().collect();
    carried.retain(|update| update.period_end.is_some());
    // Falling, so that the next one is at the end.
    carried.sort_unstable_by_key(|update| Reverse(rank(update)));
    let mut periods: Vec<&PeriodEnd> = of.periods.iter().collect();
    periods.sort_unstable_by_key(|period| (period.end.is_none(), period.end));
    let mut sums = Sums::default();
    let mut chosen: HashMap<UserId, &Update> = HashMap::new();
    for period in periods {
        while let Some(update) = carried.pop_if(|next| is_carried(next.period_end, period.end)) {
            if let Some(earlier) = chosen.insert(update.user, update) {
                sums.remove(earlier)?;
            }
            sums.add(update)?;
        }
        // The period's own updates come before whatever was carried into it.
        let mut latest: BTreeMap<UserId, &Update> = BTreeMap::new();
        for &update in by_period.get(&period.id).map_or(&[][..], Vec::as_slice) {
            latest
                .entry(update.user)
                .and_modify(|best| {
                    if rank(update) > rank(best) {
                        *best = update;
                    }
                })
                .or_insert(update);
        }
        for (user, update) in &latest {
            if let Some(earlier) = chosen.get(user) {
                sums.remove(earlier)?;
            }
            sums.add(update)?;
        }
        if sums.n_updates > 0 {
            take(period.id, sums.own_part());
        }
        for (user, update) in &latest {
            sums.remove(update)?;
            if let Some(earlier) = chosen.get(user) {
                sums.add(earlier)?;
            }
        }
    }
    Ok(())
}
