//! What a roll-up is made of: indicators, periods, updates, disaggregations.

use std::fmt;

use rsr_base::{DimensionValueId, IndicatorId, PeriodId, ProjectId, UpdateId, UserId};

use crate::Numbers;

/// A day, without a time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// The year.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl Date {
    /// Reads `YYYY-MM-DD`; what follows the day, such as a time, is ignored. `None` where that is not what stands there.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (year, rest) = text.split_once('-')?;
        let (month, rest) = rest.split_once('-')?;
        let day = rest.get(..2)?;
        let date = Self {
            year: year.parse().ok()?,
            month: month.parse().ok()?,
            day: day.parse().ok()?,
        };
        ((1..=12).contains(&date.month) && (1..=31).contains(&date.day)).then_some(date)
    }
}

impl fmt::Display for Date {
    /// `dd-mm-yyyy`, as comments show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}-{:04}", self.day, self.month, self.year)
    }
}

/// A moment: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

/// How the numbers of an indicator add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Values are summed.
    Unit,
    /// Numerators and denominators are summed, percentages follow from them.
    Percentage,
    /// A qualitative indicator: nothing is summed.
    Qualitative,
}

/// What of an indicator decides how its periods are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indicator {
    /// The indicator.
    pub id: IndicatorId,
    /// How its numbers add up.
    pub measure: Measure,
    /// Its flag: every report is a running total. Ask [`Indicator::is_cumulative`] for the effect.
    pub cumulative: bool,
    /// Whether it defines scores, which only a qualitative one shows.
    pub has_scores: bool,
}

impl Indicator {
    /// Whether reports are running totals: the flag has no effect on a percentage.
    #[must_use]
    pub fn is_cumulative(&self) -> bool {
        self.cumulative && self.measure == Measure::Unit
    }
}

/// What stands at a period, or at one of its disaggregations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Total {
    /// The numbers.
    pub numbers: Numbers,
    /// Whether they are the manual ones, because nothing else stands there (rule 7). With it a manual text that is no
    /// number is shown, whose numbers are all missing.
    pub is_manual: bool,
}

impl Total {
    /// Computed numbers.
    #[must_use]
    pub fn computed(numbers: Numbers) -> Self {
        Self {
            numbers,
            is_manual: false,
        }
    }
}

/// A period's link to the period it was copied from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    /// The parent period.
    pub parent: PeriodId,
    /// Whether both switches are on: this project aggregates to its parent, and that one takes its children.
    pub is_open: bool,
}

/// One period as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The period.
    pub id: PeriodId,
    /// Its project.
    pub project: ProjectId,
    /// Its indicator.
    pub indicator: Indicator,
    /// When it ends.
    pub end: Option<Date>,
    /// Its parent period, if it has one.
    pub edge: Option<Edge>,
    /// Its manual value: `None` where there is none, all numbers missing where its text is no number.
    pub manual: Option<Numbers>,
    /// What stands there now.
    pub stored: Total,
}

/// One **approved** update. Sources never hand out others (rule 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The update.
    pub id: UpdateId,
    /// Who reported.
    pub user: UserId,
    /// For which period.
    pub period: PeriodId,
    /// When that period ends.
    pub period_end: Option<Date>,
    /// When it was created.
    pub created: Moment,
    /// What was reported.
    pub numbers: Numbers,
    /// Its parts by dimension value. A value that comes twice is summed.
    pub disaggregations: Vec<(DimensionValueId, Numbers)>,
}

/// The words of one approved update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateText {
    /// The update.
    pub id: UpdateId,
    /// When it was created.
    pub created: Moment,
    /// The day of its last change.
    pub changed: Date,
    /// The comment.
    pub text: String,
    /// The narrative.
    pub narrative: String,
    /// The score.
    pub score: Option<i32>,
    /// The list of scores.
    pub scores: Vec<i32>,
}

/// The words that stand at a period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeriodTexts {
    /// The texts of its approved updates, newest first (rule 15).
    pub comment: String,
    /// The narrative of a qualitative period (rule 14).
    pub narrative: String,
    /// Its score.
    pub score: Option<i32>,
    /// Its list of scores.
    pub scores: Vec<i32>,
}

/// A stored disaggregation of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredDisaggregation {
    /// For which dimension value.
    pub dimension_value: DimensionValueId,
    /// Its manual value, such as an imported actual with this dimension.
    pub manual: Option<Numbers>,
    /// What stands there now.
    pub stored: Total,
}

/// A disaggregation of a child period, seen from the parent period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildDisaggregation {
    /// The child's project.
    pub project: ProjectId,
    /// The parent of the child's dimension value. Rows whose value has none are not handed out.
    pub parent_dimension_value: DimensionValueId,
    /// The child's numbers.
    pub numbers: Numbers,
}

/// What one child project adds to one disaggregation of a period (rule 30).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// The period that receives it.
    pub period: PeriodId,
    /// The dimension value that receives it.
    pub dimension_value: DimensionValueId,
    /// The child project.
    pub project: ProjectId,
    /// What it adds; all missing where the child's row has no values.
    pub numbers: Numbers,
}
