//! Computed totals into their rows.

use rsr_aggregation::{Contribution, PeriodTexts, Sink, Total};
use rsr_base::{DimensionValueId, PeriodId, ProjectId};

use super::texts::scores_to_text;
use crate::error::Error;
use crate::sql::{Root, Session, params};

/// Writes totals in the transaction of its session.
#[derive(Debug)]
pub(super) struct Keep<'t> {
    db: &'t dyn Session,
    /// The tree of what is written.
    pub(super) root: Root,
}

impl<'t> Keep<'t> {
    pub(super) fn new(db: &'t dyn Session, root: Root) -> Self {
        Self { db, root }
    }
}

impl Sink for Keep<'_> {
    type Error = Error;

    fn write_period(&mut self, period: PeriodId, total: &Total) -> Result<(), Error> {
        let Total { numbers, is_manual } = *total;
        self.db.execute(
            "UPDATE periods SET value = ?2, numerator = ?3, denominator = ?4, is_manual = ?5
             WHERE id = ?1 /*! AND root_id = ?root */",
            params![
                period,
                numbers.value,
                numbers.numerator,
                numbers.denominator,
                is_manual,
                self.root
            ],
        )?;
        Ok(())
    }

    fn write_texts(&mut self, period: PeriodId, texts: &PeriodTexts) -> Result<(), Error> {
        self.db.execute(
            "UPDATE periods SET comment = ?2, narrative = ?3, score = ?4, scores = ?5
             WHERE id = ?1 /*! AND root_id = ?root */",
            params![
                period,
                &texts.comment,
                &texts.narrative,
                texts.score.map(i64::from),
                &scores_to_text(&texts.scores),
                self.root,
            ],
        )?;
        Ok(())
    }

    fn write_disaggregation(
        &mut self,
        period: PeriodId,
        dimension_value: DimensionValueId,
        total: &Total,
    ) -> Result<(), Error> {
        let Total { numbers, is_manual } = *total;
        self.db.execute(
            "INSERT INTO period_disaggregations (period_id, dimension_value_id, value, numerator, denominator, is_manual
                 /*!, root_id */)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6 /*!, ?root */)
             ON CONFLICT (period_id, dimension_value_id /*!, root_id */) DO UPDATE SET value = excluded.value,
                 numerator = excluded.numerator, denominator = excluded.denominator, is_manual = excluded.is_manual",
            params![
                period,
                dimension_value,
                numbers.value,
                numbers.numerator,
                numbers.denominator,
                is_manual,
                self.root
            ],
        )?;
        Ok(())
    }

    fn write_contribution(&mut self, contribution: &Contribution) -> Result<(), Error> {
        let Contribution {
            period,
            dimension_value,
            project,
            numbers,
        } = *contribution;
        self.db.execute(
            "INSERT INTO contributions (period_disaggregation_id, project_id, value, numerator, denominator /*!, root_id */)
             SELECT id, ?3, ?4, ?5, ?6 /*!, root_id */ FROM period_disaggregations
             WHERE period_id = ?1 AND dimension_value_id = ?2 /*! AND root_id = ?root */
             ON CONFLICT (period_disaggregation_id, project_id /*!, root_id */) DO UPDATE SET value = excluded.value,
                 numerator = excluded.numerator, denominator = excluded.denominator",
            params![
                period,
                dimension_value,
                project,
                numbers.value,
                numbers.numerator,
                numbers.denominator,
                self.root
            ],
        )?;
        Ok(())
    }

    fn remove_contribution(
        &mut self,
        period: PeriodId,
        dimension_value: DimensionValueId,
        project: ProjectId,
    ) -> Result<(), Error> {
        self.db.execute(
            "DELETE FROM contributions WHERE project_id = ?3 /*! AND root_id = ?root */ AND period_disaggregation_id IN
                 (SELECT d.id FROM period_disaggregations d
                  WHERE d.period_id = ?1 AND d.dimension_value_id = ?2 /*! AND d.root_id = ?root */)",
            params![period, dimension_value, project, self.root],
        )?;
        Ok(())
    }
}
