//! The world as a store: what the crate reads of it and writes into it.

use std::convert::Infallible;

use rsr_aggregation::{
    BulkPeriod, BulkSource, BulkTexts, ChildDisaggregation, Contribution, IndicatorUpdates,
    Numbers, Period, PeriodEnd, PeriodSource, PeriodTexts, Sink, StoredDisaggregation, Take, Total,
    Update, UpdateText,
};
use rsr_base::{DimensionValueId, PeriodId, ProjectId};

use super::World;

impl PeriodSource for World {
    type Error = Infallible;

    fn period(&mut self, id: PeriodId) -> Result<Option<Period>, Infallible> {
        Ok(self.periods.get(&id.0).map(|row| Period {
            id,
            project: ProjectId(row.project),
            indicator: self.projects[&row.project].indicator,
            end: row.end,
            edge: self.edge(row),
            manual: row.manual,
            stored: row.stored,
        }))
    }

    fn updates(&mut self, period: &Period, take: Take<'_, Update>) -> Result<(), Infallible> {
        for report in self.reports.values().filter(|report| report.is_approved) {
            let of_indicator =
                self.periods[&report.update.period.0].project == period.indicator.id.0;
            let may_count = report.update.period == period.id
                || (period.indicator.is_cumulative() && of_indicator);
            if may_count {
                take(report.update.clone());
            }
        }
        Ok(())
    }

    fn texts(&mut self, period: PeriodId, take: Take<'_, UpdateText>) -> Result<(), Infallible> {
        let of_period = self
            .reports
            .values()
            .filter(|report| report.is_approved && report.update.period == period);
        of_period.map(Self::text_of).for_each(take);
        Ok(())
    }

    fn stored_texts(&mut self, period: PeriodId) -> Result<PeriodTexts, Infallible> {
        Ok(self.periods[&period.0].texts.clone())
    }

    fn children(&mut self, period: PeriodId, take: Take<'_, Numbers>) -> Result<(), Infallible> {
        self.open_children(period)
            .map(|(_, row)| row.stored.numbers)
            .for_each(take);
        Ok(())
    }

    fn dimension_values(
        &mut self,
        period: PeriodId,
        take: Take<'_, DimensionValueId>,
    ) -> Result<(), Infallible> {
        let project = self.periods[&period.0].project;
        (0..self.n_attached[&project])
            .map(|d| DimensionValueId(project * 10 + d))
            .for_each(take);
        Ok(())
    }

    fn disaggregations(
        &mut self,
        period: PeriodId,
        take: Take<'_, StoredDisaggregation>,
    ) -> Result<(), Infallible> {
        self.rows
            .range((period.0, i64::MIN)..=(period.0, i64::MAX))
            .map(|(_, row)| *row)
            .for_each(take);
        Ok(())
    }

    fn child_disaggregations(
        &mut self,
        period: PeriodId,
        take: Take<'_, ChildDisaggregation>,
    ) -> Result<(), Infallible> {
        for (id, child) in self.open_children(period) {
            for (&(_, value), row) in self.rows.range((id, i64::MIN)..=(id, i64::MAX)) {
                if let Some(parent) = self.values[&value] {
                    take(ChildDisaggregation {
                        project: ProjectId(child.project),
                        parent_dimension_value: DimensionValueId(parent),
                        numbers: row.stored.numbers,
                    });
                }
            }
        }
        Ok(())
    }

    fn contributions(
        &mut self,
        period: PeriodId,
        take: Take<'_, Contribution>,
    ) -> Result<(), Infallible> {
        self.given
            .range((period.0, i64::MIN, i64::MIN)..=(period.0, i64::MAX, i64::MAX))
            .map(contribution)
            .for_each(take);
        Ok(())
    }
}

fn contribution(
    (&(period, value, project), &numbers): (&(i64, i64, i64), &Numbers),
) -> Contribution {
    Contribution {
        period: PeriodId(period),
        dimension_value: DimensionValueId(value),
        project: ProjectId(project),
        numbers,
    }
}

impl Sink for World {
    type Error = Infallible;

    fn write_period(&mut self, period: PeriodId, total: &Total) -> Result<(), Infallible> {
        self.n_writes += 1;
        self.periods.get_mut(&period.0).unwrap().stored = *total;
        Ok(())
    }

    fn write_texts(&mut self, period: PeriodId, texts: &PeriodTexts) -> Result<(), Infallible> {
        self.n_writes += 1;
        self.periods.get_mut(&period.0).unwrap().texts = texts.clone();
        Ok(())
    }

    fn write_disaggregation(
        &mut self,
        period: PeriodId,
        dimension_value: DimensionValueId,
        total: &Total,
    ) -> Result<(), Infallible> {
        self.n_writes += 1;
        self.rows
            .entry((period.0, dimension_value.0))
            .or_insert(StoredDisaggregation {
                dimension_value,
                manual: None,
                stored: *total,
            })
            .stored = *total;
        Ok(())
    }

    fn write_contribution(&mut self, given: &Contribution) -> Result<(), Infallible> {
        self.n_writes += 1;
        let key = (given.period.0, given.dimension_value.0, given.project.0);
        assert!(
            self.rows.contains_key(&(key.0, key.1)),
            "its row comes first"
        );
        self.given.insert(key, given.numbers);
        Ok(())
    }

    fn remove_contribution(
        &mut self,
        period: PeriodId,
        dimension_value: DimensionValueId,
        project: ProjectId,
    ) -> Result<(), Infallible> {
        self.n_writes += 1;
        let removed = self.given.remove(&(period.0, dimension_value.0, project.0));
        assert!(removed.is_some(), "removes what is there");
        Ok(())
    }
}

impl BulkSource for World {
    type Error = Infallible;

    fn each_period(&mut self, take: Take<'_, BulkPeriod>) -> Result<(), Infallible> {
        for (&id, row) in self.periods.iter().rev() {
            take(BulkPeriod {
                id: PeriodId(id),
                project: ProjectId(row.project),
                measure: self.projects[&row.project].indicator.measure,
                edge: self.edge(row),
                manual: row.manual,
                stored: row.stored,
            });
        }
        Ok(())
    }

    fn each_indicator(
        &mut self,
        take: &mut dyn FnMut(IndicatorUpdates<'_>),
    ) -> Result<(), Infallible> {
        for (&id, project) in &self.projects {
            let periods: Vec<PeriodEnd> = self
                .periods
                .iter()
                .filter(|(_, row)| row.project == id)
                .map(|(&id, row)| PeriodEnd {
                    id: PeriodId(id),
                    end: row.end,
                })
                .collect();
            let updates: Vec<Update> = self
                .reports
                .values()
                .filter(|report| report.is_approved)
                .filter(|report| periods.iter().any(|p| p.id == report.update.period))
                .map(|report| report.update.clone())
                .collect();
            take(IndicatorUpdates {
                indicator: project.indicator,
                periods: &periods,
                updates: &updates,
            });
        }
        Ok(())
    }

    fn each_texts(&mut self, take: &mut dyn FnMut(BulkTexts<'_>)) -> Result<(), Infallible> {
        for (&id, row) in &self.periods {
            let indicator = &self.projects[&row.project].indicator;
            let texts: Vec<UpdateText> = self
                .reports
                .values()
                .filter(|report| report.is_approved && report.update.period.0 == id)
                .map(Self::text_of)
                .collect();
            take(BulkTexts {
                period: PeriodId(id),
                measure: indicator.measure,
                has_scores: indicator.has_scores,
                texts: &texts,
                stored: &row.texts,
            });
        }
        Ok(())
    }

    fn each_dimension_value(
        &mut self,
        take: Take<'_, (DimensionValueId, Option<DimensionValueId>)>,
    ) -> Result<(), Infallible> {
        self.values
            .iter()
            .map(|(&id, &parent)| (DimensionValueId(id), parent.map(DimensionValueId)))
            .for_each(take);
        Ok(())
    }

    fn each_attachment(
        &mut self,
        take: Take<'_, (PeriodId, DimensionValueId)>,
    ) -> Result<(), Infallible> {
        for (&id, row) in &self.periods {
            for d in 0..self.n_attached[&row.project] {
                take((PeriodId(id), DimensionValueId(row.project * 10 + d)));
            }
        }
        Ok(())
    }

    fn each_disaggregation(
        &mut self,
        take: Take<'_, (PeriodId, StoredDisaggregation)>,
    ) -> Result<(), Infallible> {
        self.rows
            .iter()
            .map(|(&(period, _), &row)| (PeriodId(period), row))
            .for_each(take);
        Ok(())
    }

    fn each_contribution(&mut self, take: Take<'_, Contribution>) -> Result<(), Infallible> {
        self.given.iter().map(contribution).for_each(take);
        Ok(())
    }
}
