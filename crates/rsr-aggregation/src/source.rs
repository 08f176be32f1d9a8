//! What a store must be able to answer and to keep, so that everything else here works on it.

use rsr_base::{DimensionValueId, PeriodId, ProjectId};

use crate::{
    ChildDisaggregation, Contribution, Date, Edge, Indicator, Measure, Numbers, Period,
    PeriodTexts, StoredDisaggregation, Total, Update, UpdateText,
};

/// Takes the rows of one answer, one after the other.
pub type Take<'t, R> = &'t mut dyn FnMut(R);

/// Reads one period and what its value is made of. All of one climb or audit is read in one transaction.
pub trait PeriodSource {
    /// Why a read or write failed.
    type Error;

    /// A period; `None` where there is none.
    ///
    /// # Errors
    ///
    /// Where the read fails; so in every method here.
    fn period(&mut self, id: PeriodId) -> Result<Option<Period>, Self::Error>;

    /// Approved updates that may count for the period, in any order: its own; where its indicator
    /// [is cumulative](Indicator::is_cumulative), those of every period of the indicator.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn updates(&mut self, period: &Period, take: Take<'_, Update>) -> Result<(), Self::Error>;

    /// The words of the period's own approved updates, in any order.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn texts(&mut self, period: PeriodId, take: Take<'_, UpdateText>) -> Result<(), Self::Error>;

    /// The words that stand at the period now.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn stored_texts(&mut self, period: PeriodId) -> Result<PeriodTexts, Self::Error>;

    /// The stored numbers of each direct child period whose edge is open.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn children(&mut self, period: PeriodId, take: Take<'_, Numbers>) -> Result<(), Self::Error>;

    /// Every value of the dimension names attached to the period's indicator.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn dimension_values(
        &mut self,
        period: PeriodId,
        take: Take<'_, DimensionValueId>,
    ) -> Result<(), Self::Error>;

    /// The period's disaggregations that are stored, those that are only a manual value included.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn disaggregations(
        &mut self,
        period: PeriodId,
        take: Take<'_, StoredDisaggregation>,
    ) -> Result<(), Self::Error>;

    /// The disaggregations of each direct child period whose edge is open and whose dimension value has a parent; also
    /// those without values.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn child_disaggregations(
        &mut self,
        period: PeriodId,
        take: Take<'_, ChildDisaggregation>,
    ) -> Result<(), Self::Error>;

    /// The contributions to the period's disaggregations that are stored.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn contributions(
        &mut self,
        period: PeriodId,
        take: Take<'_, Contribution>,
    ) -> Result<(), Self::Error>;
}

/// Keeps what was computed. Only called where the stored row differs (rule 20).
pub trait Sink {
    /// Why a write failed.
    type Error;

    /// Stores what stands at a period.
    ///
    /// # Errors
    ///
    /// Where the write fails; so in every method here.
    fn write_period(&mut self, period: PeriodId, total: &Total) -> Result<(), Self::Error>;

    /// Stores the words of a period.
    ///
    /// # Errors
    ///
    /// Where the write fails.
    fn write_texts(&mut self, period: PeriodId, texts: &PeriodTexts) -> Result<(), Self::Error>;

    /// Stores what stands at a period for one dimension value; makes the row where there is none.
    ///
    /// # Errors
    ///
    /// Where the write fails.
    fn write_disaggregation(
        &mut self,
        period: PeriodId,
        dimension_value: DimensionValueId,
        total: &Total,
    ) -> Result<(), Self::Error>;

    /// Stores a contribution; makes the row where there is none. The disaggregation it adds to was written before.
    ///
    /// # Errors
    ///
    /// Where the write fails.
    fn write_contribution(&mut self, contribution: &Contribution) -> Result<(), Self::Error>;

    /// Removes the contribution of a project that no longer has one.
    ///
    /// # Errors
    ///
    /// Where the write fails.
    fn remove_contribution(
        &mut self,
        period: PeriodId,
        dimension_value: DimensionValueId,
        project: ProjectId,
    ) -> Result<(), Self::Error>;
}

/// A period with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodEnd {
    /// The period.
    pub id: PeriodId,
    /// When it ends.
    pub end: Option<Date>,
}

/// An indicator with all of its periods and approved updates.
#[derive(Clone, Copy, Debug)]
pub struct IndicatorUpdates<'b> {
    /// The indicator.
    pub indicator: Indicator,
    /// Its periods, in any order.
    pub periods: &'b [PeriodEnd],
    /// The approved updates of those periods, in any order.
    pub updates: &'b [Update],
}

/// A period as the bulk computation reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkPeriod {
    /// The period.
    pub id: PeriodId,
    /// Its project.
    pub project: ProjectId,
    /// How its numbers add up.
    pub measure: Measure,
    /// Its parent period, if it has one.
    pub edge: Option<Edge>,
    /// Its manual value, as in [`Period::manual`].
    pub manual: Option<Numbers>,
    /// What stands there now.
    pub stored: Total,
}

/// The words of a period as the bulk computation reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkTexts<'b> {
    /// The period.
    pub period: PeriodId,
    /// How its indicator's numbers add up.
    pub measure: Measure,
    /// Whether its indicator defines scores.
    pub has_scores: bool,
    /// The words of its approved updates, in any order.
    pub texts: &'b [UpdateText],
    /// What stands there now.
    pub stored: &'b PeriodTexts,
}

/// Reads everything of some set of periods, in one snapshot. The set holds with every period all below it and, as far
/// as edges are open, all above it: whole trees, as a rule. Each method may be called more than once and then answers the same.
pub trait BulkSource {
    /// Why a read failed.
    type Error;

    /// Every period, in any order; rising ids are read fastest.
    ///
    /// # Errors
    ///
    /// Where the read fails; so in every method here.
    fn each_period(&mut self, take: Take<'_, BulkPeriod>) -> Result<(), Self::Error>;

    /// Every indicator that has approved updates, with all of its periods and updates: one indicator in memory at a time.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn each_indicator(
        &mut self,
        take: &mut dyn FnMut(IndicatorUpdates<'_>),
    ) -> Result<(), Self::Error>;

    /// Every period that has approved updates or stored words.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn each_texts(&mut self, take: &mut dyn FnMut(BulkTexts<'_>)) -> Result<(), Self::Error>;

    /// Every dimension value that a period of the set uses, or whose copy below does, with its parent value.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn each_dimension_value(
        &mut self,
        take: Take<'_, (DimensionValueId, Option<DimensionValueId>)>,
    ) -> Result<(), Self::Error>;

    /// For every period, each value of the dimension names attached to its indicator.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn each_attachment(
        &mut self,
        take: Take<'_, (PeriodId, DimensionValueId)>,
    ) -> Result<(), Self::Error>;

    /// Every stored disaggregation.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn each_disaggregation(
        &mut self,
        take: Take<'_, (PeriodId, StoredDisaggregation)>,
    ) -> Result<(), Self::Error>;

    /// Every stored contribution.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn each_contribution(&mut self, take: Take<'_, Contribution>) -> Result<(), Self::Error>;
}
