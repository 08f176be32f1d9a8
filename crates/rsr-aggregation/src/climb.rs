//! Computing periods and everything above them (rules 16–20, 43).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use rsr_base::PeriodId;
use rsr_settings::AggregationSettings;

use crate::compute::{ComputeError, Computed, compute};
use crate::{Contribution, Period, PeriodSource, Sink};

/// Why a climb did not reach the top. The job that asked for it fails with this as its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// More levels than the limit; those within it were computed (rule 17).
    DepthLimited {
        /// Where the climb began.
        period: PeriodId,
        /// The topmost period above it; where links lead in a circle up there, the last before it closes.
        root: PeriodId,
        /// The limit in levels, the first included.
        depth_max: u32,
    },
    /// The links lead in a circle; what lies below it was computed, what lies on it was not, for it has no sum (rule 18).
    Cycle {
        /// Where the climb began.
        period: PeriodId,
        /// The periods of the circle, along the parent links.
        cycle: Vec<PeriodId>,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DepthLimited {
                period,
                root,
                depth_max,
            } => write!(
                f,
                "Maximum aggregation depth reached: period {period} below root period {root}, \
                 limit {depth_max}"
            ),
            Self::Cycle { period, cycle } => {
                write!(
                    f,
                    "Circular reference detected: from period {period} through"
                )?;
                for id in cycle {
                    write!(f, " {id}")?;
                }
                Ok(())
            }
        }
    }
}

/// The bounds of a climb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClimbLimits {
    /// Most levels, the first included: `aggregation.max_depth`.
    pub depth_max: u32,
}

impl Default for ClimbLimits {
    /// 100 levels.
    fn default() -> Self {
        Self { depth_max: 100 }
    }
}

impl From<&AggregationSettings> for ClimbLimits {
    fn from(settings: &AggregationSettings) -> Self {
        Self {
            depth_max: settings.max_depth,
        }
    }
}

/// How a climb went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClimbReport {
    /// By the period it began at: why it did not reach the top. Those not named here are complete.
    pub warnings: BTreeMap<PeriodId, Warning>,
    /// Starts that are not stored (any more); nothing was done for them.
    pub unknown: Vec<PeriodId>,
    /// Periods computed, each once.
    pub n_computed: u64,
    /// Rows written: periods, words, disaggregations, contributions.
    pub n_written: u64,
}

/// Computes these periods and those above them, as far up as both switches of each edge are on and the limit in
/// levels from each start allow. A period above several starts is computed once, after everything below it. Writes only what
/// differs. Run it in one transaction, and undo that on an error.
///
/// Reads each period's direct children, so the cost is that of the fan-out on the way; memory is for the ids on the ways
/// up, and one period with its updates.
///
/// # Errors
///
/// [`ComputeError`]; a depth limit or a circle is no error but a [`Warning`].
pub fn climb<S, E>(
    store: &mut S,
    starts: &[PeriodId],
    limits: ClimbLimits,
) -> Result<ClimbReport, ComputeError<E>>
where
    S: PeriodSource<Error = E> + Sink<Error = E>,
{
    let mut report = ClimbReport::default();
    let mut ways = Ways::default();
    for &start in starts {
        ways.add(store, start, limits.depth_max, &mut report)?;
    }
    for id in ways.lowest_first() {
        if let Some(period) = read(store, id)? {
            let computed = compute(store, &period)?;
            report.n_computed += 1;
            report.n_written += write(store, &period, &computed)
                .map_err(|error| ComputeError::Source { period: id, error })?;
        }
    }
    Ok(report)
}

fn read<S: PeriodSource>(
    source: &mut S,
    id: PeriodId,
) -> Result<Option<Period>, ComputeError<S::Error>> {
    source
        .period(id)
        .map_err(|error| ComputeError::Source { period: id, error })
}

/// The ways up from all starts, joined.
#[derive(Debug, Default)]
struct Ways {
    /// Each period to compute, with the next one to compute after it.
    next: BTreeMap<PeriodId, Option<PeriodId>>,
    /// What is above each period that was read, so that many starts under one root read it once.
    above: HashMap<PeriodId, Above>,
}

/// Where a climb goes on.
#[derive(Clone, Copy, Debug)]
enum Above {
    /// The period itself is not stored.
    Unknown,
    /// At its parent, over an open edge; nowhere where there is none.
    Next(Option<PeriodId>),
}

impl Ways {
    fn above<S: PeriodSource>(
        &mut self,
        source: &mut S,
        id: PeriodId,
    ) -> Result<Above, ComputeError<S::Error>> {
        if let Some(above) = self.above.get(&id) {
            return Ok(*above);
        }
        let above = match read(source, id)? {
            None => Above::Unknown,
            Some(period) => {
                let edge = period.edge.filter(|edge| edge.is_open);
                Above::Next(edge.map(|edge| edge.parent))
            }
        };
        self.above.insert(id, above);
        Ok(above)
    }

    /// Follows the open edges up from a start.
    fn add<S: PeriodSource>(
        &mut self,
        source: &mut S,
        start: PeriodId,
        depth_max: u32,
        report: &mut ClimbReport,
    ) -> Result<(), ComputeError<S::Error>> {
        let mut way: Vec<PeriodId> = Vec::new();
        let mut levels: HashMap<PeriodId, u32> = HashMap::new();
        let mut level = 0_u32;
        let mut at = Some(start);
        while let Some(id) = at {
            if let Some(&level) = levels.get(&id) {
                let cycle = way.split_off(level as usize);
                report.warnings.insert(
                    start,
                    Warning::Cycle {
                        period: start,
                        cycle,
                    },
                );
                break;
            }
            let Above::Next(above) = self.above(source, id)? else {
                if id == start {
                    report.unknown.push(start);
                }
                break;
            };
            if level == depth_max {
                let root = top_of(source, id)?;
                let warning = Warning::DepthLimited {
                    period: start,
                    root,
                    depth_max,
                };
                report.warnings.insert(start, warning);
                break;
            }
            levels.insert(id, level);
            way.push(id);
            level += 1;
            at = above;
        }
        let above = way.iter().skip(1).map(|&id| Some(id)).chain([None]);
        for (&id, above) in way.iter().zip(above) {
            let next = self.next.entry(id).or_default();
            *next = next.or(above);
        }
        Ok(())
    }

    /// Every period after all those below it. O(n log n).
    fn lowest_first(&self) -> Vec<PeriodId> {
        let mut n_waited_for: BTreeMap<PeriodId, usize> = BTreeMap::new();
        for above in self.next.values().flatten() {
            *n_waited_for.entry(*above).or_default() += 1;
        }
        let mut ready: Vec<PeriodId> = self
            .next
            .keys()
            .filter(|id| !n_waited_for.contains_key(id))
            .copied()
            .collect();
        let mut order = Vec::with_capacity(self.next.len());
        while let Some(id) = ready.pop() {
            order.push(id);
            if let Some(above) = self.next.get(&id).copied().flatten()
                && let Some(n) = n_waited_for.get_mut(&above)
            {
                *n -= 1;
                if *n == 0 {
                    ready.push(above);
                }
            }
        }
        order
    }
}

/// The topmost period above one over open edges: of a job's periods, their root (rule 36). A way that leads in a circle
/// ends at the last period before it closes, and a link to a period that is not stored leads nowhere.
///
/// # Errors
///
/// [`ComputeError::Source`].
pub fn top_of<S: PeriodSource>(
    source: &mut S,
    from: PeriodId,
) -> Result<PeriodId, ComputeError<S::Error>> {
    let mut seen = HashSet::new();
    let mut top = from;
    let mut at = Some(from);
    while let Some(id) = at
        && seen.insert(id)
        && let Some(period) = read(source, id)?
    {
        top = id;
        at = period
            .edge
            .filter(|edge| edge.is_open)
            .map(|edge| edge.parent);
    }
    Ok(top)
}

/// Writes what differs from what is stored; gives how many rows that were.
fn write<S, E>(store: &mut S, period: &Period, computed: &Computed) -> Result<u64, E>
where
    S: PeriodSource<Error = E> + Sink<Error = E>,
{
    let mut n_written = 0;
    if computed.total != period.stored {
        store.write_period(period.id, &computed.total)?;
        n_written += 1;
    }
    if computed.texts != store.stored_texts(period.id)? {
        store.write_texts(period.id, &computed.texts)?;
        n_written += 1;
    }
    for (&value, (total, stored)) in &computed.disaggregations {
        if stored.as_ref() != Some(total) {
            store.write_disaggregation(period.id, value, total)?;
            n_written += 1;
        }
    }
    for (&(dimension_value, project), (expected, stored)) in &computed.contributions {
        if expected == stored {
            continue;
        }
        match expected {
            Some(numbers) => store.write_contribution(&Contribution {
                period: period.id,
                dimension_value,
                project,
                numbers: *numbers,
            })?,
            None => store.remove_contribution(period.id, dimension_value, project)?,
        }
        n_written += 1;
    }
    Ok(n_written)
}
