//! One period and what its value is made of: what a climb reads and keeps, and an audit reads.

use std::collections::HashMap;

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
use crate::sql::roots::Kind;
use crate::sql::{Root, Session, params};

/// The rows of single periods, in the transaction of its session.
#[derive(Debug)]
pub(crate) struct PeriodRows<'t> {
    db: &'t dyn Session,
    keep: Keep<'t>,
    /// The roots of the periods that were read. As many as a climb computes, which holds more of each.
    roots: HashMap<PeriodId, Root>,
    /// Periods whose numbers were written.
    pub(crate) n_periods_written: u64,
    /// Disaggregations whose numbers were written.
    pub(crate) n_disaggregations_written: u64,
}

impl<'t> PeriodRows<'t> {
    pub(crate) fn new(db: &'t dyn Session) -> Self {
        Self {
            db,
            keep: Keep::new(db, Root(0)),
            roots: HashMap::new(),
            n_periods_written: 0,
            n_disaggregations_written: 0,
        }
    }

    /// The root of a period's tree. What is written next is in that tree.
    fn root_of(&mut self, period: PeriodId) -> Result<Root, Error> {
        let root = match self.roots.get(&period) {
            Some(root) => *root,
            None => {
                let root = Root::of(self.db, Kind::Period, period.0)?;
                self.roots.insert(period, root);
                root
            }
        };
        self.keep.root = root;
        Ok(root)
    }

    fn keep_at(&mut self, period: PeriodId) -> Result<&mut Keep<'t>, Error> {
        self.root_of(period)?;
        Ok(&mut self.keep)
    }
}

impl PeriodSource for PeriodRows<'_> {
    type Error = Error;

    fn period(&mut self, id: PeriodId) -> Result<Option<Period>, Error> {
        let root = self.root_of(id)?;
        let found = self.db.row(
            "SELECT p.project_id, i.id, i.kind, i.measure, i.is_cumulative, i.has_scores, p.end_date, p.parent_period_id,
                 o.aggregate_to_parent = 1 AND coalesce(ao.aggregate_children, 0) = 1, p.manual_text IS NOT NULL,
                 p.manual_value, p.manual_numerator, p.manual_denominator, p.value, p.numerator, p.denominator, p.is_manual
             FROM periods p JOIN indicators i ON i.id = p.indicator_id /*! AND i.root_id = p.root_id */
             JOIN projects o ON o.id = p.project_id /*! AND o.root_id = p.root_id */
             LEFT JOIN periods a ON a.id = p.parent_period_id /*! AND a.root_id = p.root_id */
             LEFT JOIN projects ao ON ao.id = a.project_id /*! AND ao.root_id = a.root_id */
             WHERE p.id = ?1 /*! AND p.root_id = ?root */",
            params![id, root],
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
        )?;
        // What it counts in is asked for next, and lies in the same tree.
        if let Some(edge) = found.as_ref().and_then(|period| period.edge) {
            self.roots.insert(edge.parent, root);
        }
        Ok(found)
    }

    fn updates(&mut self, period: &Period, take: Take<'_, Update>) -> Result<(), Error> {
        let root = self.root_of(period.id)?;
        let updates = if period.indicator.is_cumulative() {
            updates::of_indicator(self.db, root, period.indicator.id)?
        } else {
            updates::of_period(self.db, root, period.id)?
        };
        updates.into_iter().for_each(take);
        Ok(())
    }

    fn texts(&mut self, period: PeriodId, take: Take<'_, UpdateText>) -> Result<(), Error> {
        let root = self.root_of(period)?;
        updates::texts(self.db, root, period)?
            .into_iter()
            .for_each(take);
        Ok(())
    }

    fn stored_texts(&mut self, period: PeriodId) -> Result<PeriodTexts, Error> {
        let root = self.root_of(period)?;
        let texts = self.db.row(
            "SELECT comment, narrative, score, scores FROM periods WHERE id = ?1 /*! AND root_id = ?root */",
            params![period, root],
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
        let root = self.root_of(period)?;
        self.db.query(
            "SELECT c.value, c.numerator, c.denominator
             FROM periods a JOIN projects ao ON ao.id = a.project_id /*! AND ao.root_id = a.root_id */
                 JOIN periods c ON c.parent_period_id = a.id /*! AND c.root_id = a.root_id */
                 JOIN projects o ON o.id = c.project_id /*! AND o.root_id = c.root_id */
             WHERE a.id = ?1 /*! AND a.root_id = ?root */ AND ao.aggregate_children = 1 AND o.aggregate_to_parent = 1",
            params![period, root],
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
        let root = self.root_of(period)?;
        self.db.query(
            "SELECT v.id FROM periods p
             JOIN indicator_dimension_names a ON a.indicator_id = p.indicator_id /*! AND a.root_id = p.root_id */
             JOIN dimension_values v ON v.name_id = a.name_id /*! AND v.root_id = a.root_id */
             WHERE p.id = ?1 /*! AND p.root_id = ?root */",
            params![period, root],
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
        let root = self.root_of(period)?;
        // Rows that were computed, with the manual value beside them; then manual values that have none.
        self.db.query(
            "SELECT d.dimension_value_id, m.period_id IS NOT NULL, m.value, m.numerator, m.denominator,
                 d.value, d.numerator, d.denominator, d.is_manual
             FROM period_disaggregations d
             LEFT JOIN manual_disaggregations m ON m.period_id = d.period_id AND m.dimension_value_id = d.dimension_value_id
                 /*! AND m.root_id = d.root_id */
             WHERE d.period_id = ?1 /*! AND d.root_id = ?root */
             UNION ALL
             SELECT m.dimension_value_id, true, m.value, m.numerator, m.denominator, NULL, NULL, NULL, 0
             FROM manual_disaggregations m
             WHERE m.period_id = ?1 /*! AND m.root_id = ?root */ AND NOT EXISTS (SELECT 1 FROM period_disaggregations d
                 WHERE d.period_id = m.period_id AND d.dimension_value_id = m.dimension_value_id
                 /*! AND d.root_id = m.root_id */)",
            params![period, root],
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
        let root = self.root_of(period)?;
        self.db.query(
            "SELECT c.project_id, v.parent_value_id, d.value, d.numerator, d.denominator
             FROM periods a JOIN projects ao ON ao.id = a.project_id /*! AND ao.root_id = a.root_id */
                 JOIN periods c ON c.parent_period_id = a.id /*! AND c.root_id = a.root_id */
                 JOIN projects o ON o.id = c.project_id /*! AND o.root_id = c.root_id */
                 JOIN period_disaggregations d ON d.period_id = c.id /*! AND d.root_id = c.root_id */
                 JOIN dimension_values v ON v.id = d.dimension_value_id /*! AND v.root_id = d.root_id */
             WHERE a.id = ?1 /*! AND a.root_id = ?root */ AND ao.aggregate_children = 1 AND o.aggregate_to_parent = 1
                 AND v.parent_value_id IS NOT NULL",
            params![period, root],
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
        let root = self.root_of(period)?;
        self.db.query(
            "SELECT d.dimension_value_id, c.project_id, c.value, c.numerator, c.denominator
             FROM period_disaggregations d
             JOIN contributions c ON c.period_disaggregation_id = d.id /*! AND c.root_id = d.root_id */
             WHERE d.period_id = ?1 /*! AND d.root_id = ?root */",
            params![period, root],
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
        self.keep_at(period)?.write_period(period, total)
    }

    fn write_texts(&mut self, period: PeriodId, texts: &PeriodTexts) -> Result<(), Error> {
        self.keep_at(period)?.write_texts(period, texts)
    }

    fn write_disaggregation(
        &mut self,
        period: PeriodId,
        dimension_value: DimensionValueId,
        total: &Total,
    ) -> Result<(), Error> {
        self.n_disaggregations_written += 1;
        self.keep_at(period)?
            .write_disaggregation(period, dimension_value, total)
    }

    fn write_contribution(&mut self, contribution: &Contribution) -> Result<(), Error> {
        self.keep_at(contribution.period)?
            .write_contribution(contribution)
    }

    fn remove_contribution(
        &mut self,
        period: PeriodId,
        dimension_value: DimensionValueId,
        project: ProjectId,
    ) -> Result<(), Error> {
        self.keep_at(period)?
            .remove_contribution(period, dimension_value, project)
    }
}
