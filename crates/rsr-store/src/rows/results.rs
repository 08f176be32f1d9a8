//! Results, indicators, periods, updates and their parts.

use rsr_aggregation::Numbers;
use rsr_base::{DimensionValueId, IndicatorId, PeriodId, ProjectId, ResultId, UserId};

/// A result to store. The projects below get copies that point at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewResult {
    /// The project it belongs to.
    pub project: ProjectId,
    /// The code of its type: output `1`, outcome `2`, impact `3`, other `9`.
    pub kind: String,
    /// The title.
    pub title: String,
    /// The description.
    pub description: String,
    /// `aggregation-status`.
    pub aggregation_status: Option<bool>,
}

/// An indicator to store. The copies of its result get copies that point at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIndicator {
    /// The result it belongs to.
    pub result: ResultId,
    /// Whether it is qualitative, with scores and narratives in place of numbers.
    pub is_qualitative: bool,
    /// The code of its measure: unit `1`, percentage `2`.
    pub measure: String,
    /// Whether every report is a running total.
    pub is_cumulative: bool,
    /// Whether more is better.
    pub is_ascending: Option<bool>,
    /// Whether it defines scores.
    pub has_scores: bool,
    /// The title.
    pub title: String,
    /// The description.
    pub description: String,
}

/// A period to store. The copies of its indicator get copies that point at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPeriod {
    /// The indicator it belongs to.
    pub indicator: IndicatorId,
    /// The first day.
    pub start: Option<String>,
    /// The last day.
    pub end: Option<String>,
    /// The target, as text.
    pub target_value: String,
}

/// What to change of an indicator; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndicatorEdit {
    /// The title.
    pub title: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// Whether more is better.
    pub is_ascending: Option<bool>,
    /// Whether it is qualitative.
    pub is_qualitative: Option<bool>,
    /// The code of its measure: unit `1`, percentage `2`.
    pub measure: Option<String>,
    /// Whether every report is a running total.
    pub is_cumulative: Option<bool>,
    /// Whether it defines scores.
    pub has_scores: Option<bool>,
}

/// What to change of a result; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultEdit {
    /// The code of its type.
    pub kind: Option<String>,
    /// The title.
    pub title: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// `aggregation-status`.
    pub aggregation_status: Option<bool>,
}

/// What to change of a period; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::option_option,
    reason = "a date can be left as it is, taken away, or set"
)]
pub struct PeriodEdit {
    /// The first day; `Some(None)` takes it away.
    pub start: Option<Option<String>>,
    /// The last day; `Some(None)` takes it away.
    pub end: Option<Option<String>>,
    /// The target, as text.
    pub target_value: Option<String>,
}

/// How far an update is on its way to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpdateStatus {
    /// Being written.
    Draft,
    /// Waiting for approval.
    Pending,
    /// Returned for revision.
    Returned,
    /// Approved: it counts.
    Approved,
}

impl UpdateStatus {
    /// The letter that stands for it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Draft => "D",
            Self::Pending => "P",
            Self::Returned => "R",
            Self::Approved => "A",
        }
    }

    /// The status a letter stands for.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Draft, Self::Pending, Self::Returned, Self::Approved]
            .into_iter()
            .find(|status| status.code() == code)
    }
}

/// A part of an update for one dimension value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disaggregation {
    /// The dimension value.
    pub dimension_value: DimensionValueId,
    /// Its numbers.
    pub numbers: Numbers,
}

/// An update to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUpdate {
    /// The period it reports on.
    pub period: PeriodId,
    /// Who reports.
    pub user: UserId,
    /// How far it is.
    pub status: UpdateStatus,
    /// What it reports.
    pub numbers: Numbers,
    /// The comment.
    pub text: String,
    /// The narrative of a qualitative report.
    pub narrative: String,
    /// The score of a qualitative report.
    pub score: Option<i64>,
    /// Its list of scores.
    pub scores: Vec<i32>,
    /// The parts by dimension value.
    pub disaggregations: Vec<Disaggregation>,
}

/// What to change of an update; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateEdit {
    /// How far it is.
    pub status: Option<UpdateStatus>,
    /// What it reports, all three numbers.
    pub numbers: Option<Numbers>,
    /// The comment.
    pub text: Option<String>,
    /// The narrative.
    pub narrative: Option<String>,
    /// The score.
    pub score: Option<i32>,
    /// The whole list of scores.
    pub scores: Option<Vec<i32>>,
    /// All parts by dimension value.
    pub disaggregations: Option<Vec<Disaggregation>>,
}
