//! One period and what its value is made of: what a climb reads and keeps, and an audit reads.

use rsr_aggregation::{
    ChildDisaggregation, Contribution, Edge, Indicator, Numbers, Period, PeriodSource, PeriodTexts,
    Sink, StoredDisaggregation, Take, Total, Update, UpdateText,
};
use rsr_base::{DimensionValueId, IndicatorId, PeriodId, ProjectId};

use super::columns::{date, measure, optional, score, total};
use super::keep::Keep;
use super::texts::scores_from_text;
use super::updates;
use crate::error::Error;
use crate::numbers;
use crate::sql::{Session, params};

/// The rows of single periods, in the transaction of its session.
#[derive(Debug)]
pub(crate) struct PeriodRows<'t> {
    db: &'t dyn Session,
    keep: Keep<'t>,
    /// Periods whose numbers were written.
    pub(crate) n_periods_written: u64,
    /// Disaggregations whose numbers were written.
    pub(crate) n_disaggregations_written: u64,
}

impl<'t> PeriodRows<'t> {
    pub(crate) fn new(db: &'t dyn Session) -> Self {
        Self {
            db,
            keep: Keep::new(db),
            n_periods_written: 0,
            n_disaggregations_written: 0,
        }
    }
}

impl PeriodSource for PeriodRows<'_> {
    type Error = Error;

    fn period(&mut self, id: PeriodId) -> Result<Option<Period>, Error> {
        self.db.row(
            "SELECT p.project_id, i.id, i.kind, i.measure, i.is_cumulative, i.has_scores, p.end_date, p.parent_period_id,
                 o.aggregate_to_parent = 1 AND coalesce(ao.aggregate_children, 0) = 1, p.manual_text IS NOT NULL,
                 p.manual_value, p.manual_numerator, p.manual_denominator, p.value, p.numerator, p.denominator, p.is_manual
             FROM periods p JOIN indicators i ON i.id = p.indicator_id JOIN projects o ON o.id = p.project_id
             LEFT JOIN periods a ON a.id = p.parent_period_id LEFT JOIN projects ao ON ao.id = a.project_id
             WHERE p.id = ?1",
            params![id],
            |row| {
                let is_open = row.flag(8)?;
                Ok(Period {
                    id,
                    project: ProjectId(row.int(0)?),
                    indicator: Indicator {
                        id: IndicatorId(row.int(1)?),
                        measure: measure(row, 2)?,
                        cumulative: row.flag(4)?,
                        has_scores: row.flag(5)?,
                    },
                    end: date(row, 6)?,
                    edge: row.opt_int(7)?.map(|parent| Edge {
                        parent: PeriodId(parent),
                        is_open,
                    }),
                    manual: optional(row.flag(9)?, row, 10)?,
                    stored: total(row, 13)?,
                })
            },
        )
    }

    fn updates(&mut self, period: &Period, take: Take<'_, Update>) -> Result<(), Error> {
        let updates = if period.indicator.is_cumulative() {
            updates::of_indicator(self.db, period.indicator.id)?
        } else {
            updates::of_period(self.db, period.id)?
        };
        updates.into_iter().for_each(take);
        Ok(())
    }

    fn texts(&mut self, period: PeriodId, take: Take<'_, UpdateText>) -> Result<(), Error> {
        updates::texts(self.db, period)?.into_iter().for_each(take);
        Ok(())
    }

    fn stored_texts(&mut self, period: PeriodId) -> Result<PeriodTexts, Error> {
        let texts = self.db.row(
            "SELECT comment, narrative, score, scores FROM periods WHERE id = ?1",
            params![period],
            |row| {
                Ok(PeriodTexts {
                    comment: row.string(0)?,
                    narrative: row.string(1)?,
                    score: score(row, 2)?,
                    scores: scores_from_text(row.text(3)?),
                })
            },
        )?;
        Ok(texts.unwrap_or_default())
    }

    fn children(&mut self, period: PeriodId, take: Take<'_, Numbers>) -> Result<(), Error> {
        self.db.query(
            "SELECT c.value, c.numerator, c.denominator FROM periods a JOIN projects ao ON ao.id = a.project_id
                 JOIN periods c ON c.parent_period_id = a.id JOIN projects o ON o.id = c.project_id
             WHERE a.id = ?1 AND ao.aggregate_children = 1 AND o.aggregate_to_parent = 1",
            params![period],
            &mut |row| {
                take(numbers::read(row, 0)?);
                Ok(())
            },
        )
    }

    fn dimension_values(
        &mut self,
        period: PeriodId,
        take: Take<'_, DimensionValueId>,
    ) -> Result<(), Error> {
        self.db.query(
            "SELECT v.id FROM periods p JOIN indicator_dimension_names a ON a.indicator_id = p.indicator_id
             JOIN dimension_values v ON v.name_id = a.name_id WHERE p.id = ?1",
            params![period],
            &mut |row| {
                take(DimensionValueId(row.int(0)?));
                Ok(())
            },
        )
    }

    fn disaggregations(
        &mut self,
        period: PeriodId,
        take: Take<'_, StoredDisaggregation>,
    ) -> Result<(), Error> {
        // Rows that were computed, with the manual value beside them; then manual values that have none.
        self.db.query(
            "SELECT d.dimension_value_id, m.period_id IS NOT NULL, m.value, m.numerator, m.denominator,
                 d.value, d.numerator, d.denominator, d.is_manual
             FROM period_disaggregations d
             LEFT JOIN manual_disaggregations m ON m.period_id = d.period_id AND m.dimension_value_id = d.dimension_value_id
             WHERE d.period_id = ?1
             UNION ALL
             SELECT m.dimension_value_id, true, m.value, m.numerator, m.denominator, NULL, NULL, NULL, 0
             FROM manual_disaggregations m
             WHERE m.period_id = ?1 AND NOT EXISTS (SELECT 1 FROM period_disaggregations d
                 WHERE d.period_id = m.period_id AND d.dimension_value_id = m.dimension_value_id)",
            params![period],
            &mut |row| {
                take(StoredDisaggregation {
                    dimension_value: DimensionValueId(row.int(0)?),
                    manual: optional(row.flag(1)?, row, 2)?,
                    stored: total(row, 5)?,
                });
                Ok(())
            },
        )
    }

    fn child_disaggregations(
        &mut self,
        period: PeriodId,
        take: Take<'_, ChildDisaggregation>,
    ) -> Result<(), Error> {
        self.db.query(
            "SELECT c.project_id, v.parent_value_id, d.value, d.numerator, d.denominator
             FROM periods a JOIN projects ao ON ao.id = a.project_id JOIN periods c ON c.parent_period_id = a.id
                 JOIN projects o ON o.id = c.project_id JOIN period_disaggregations d ON d.period_id = c.id
                 JOIN dimension_values v ON v.id = d.dimension_value_id
             WHERE a.id = ?1 AND ao.aggregate_children = 1 AND o.aggregate_to_parent = 1
                 AND v.parent_value_id IS NOT NULL",
            params![period],
            &mut |row| {
                take(ChildDisaggregation {
                    project: ProjectId(row.int(0)?),
                    parent_dimension_value: DimensionValueId(row.int(1)?),
                    numbers: numbers::read(row, 2)?,
                });
                Ok(())
            },
        )
    }

    fn contributions(
        &mut self,
        period: PeriodId,
        take: Take<'_, Contribution>,
    ) -> Result<(), Error> {
        self.db.query(
            "SELECT d.dimension_value_id, c.project_id, c.value, c.numerator, c.denominator
             FROM period_disaggregations d JOIN contributions c ON c.period_disaggregation_id = d.id
             WHERE d.period_id = ?1",
            params![period],
            &mut |row| {
                take(Contribution {
                    period,
                    dimension_value: DimensionValueId(row.int(0)?),
                    project: ProjectId(row.int(1)?),
                    numbers: numbers::read(row, 2)?,
                });
                Ok(())
            },
        )
    }
}

impl Sink for PeriodRows<'_> {
    type Error = Error;

    fn write_period(&mut self, period: PeriodId, total: &Total) -> Result<(), Error> {
        self.n_periods_written += 1;
        self.keep.write_period(period, total)
    }

    fn write_texts(&mut self, period: PeriodId, texts: &PeriodTexts) -> Result<(), Error> {
        self.keep.write_texts(period, texts)
    }

    fn write_disaggregation(
        &mut self,
        period: PeriodId,
        dimension_value: DimensionValueId,
        total: &Total,
    ) -> Result<(), Error> {
        self.n_disaggregations_written += 1;
        self.keep
            .write_disaggregation(period, dimension_value, total)
    }

    fn write_contribution(&mut self, contribution: &Contribution) -> Result<(), Error> {
        self.keep.write_contribution(contribution)
    }

    fn remove_contribution(
        &mut self,
        period: PeriodId,
        dimension_value: DimensionValueId,
        project: ProjectId,
    ) -> Result<(), Error> {
        self.keep
            .remove_contribution(period, dimension_value, project)
    }
}
