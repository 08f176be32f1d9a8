//! What is stored, held against what it should be (aggregation rules 44 and 45).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use rsr_aggregation::{Column, ComputeError, Finding, Hundredths, PeriodSource as _};
use rsr_base::{IndicatorId, PeriodId, ProjectId, ResultId};

use crate::error::Error;
use crate::rollup::PeriodRows;
use crate::snapshot::Snapshot;
use crate::sql::roots::Kind;
use crate::sql::{Root, params};

/// Periods whose ids are read at once.
const PAGE: i64 = 256;

/// What should stand in place of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// This number, or no value.
    Number(Option<Hundredths>),
    /// None that could be told: why it cannot be computed. No other number of the period was compared.
    Unknown(String),
}

/// A stored number that should be another, with the words people know it by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditRow {
    /// The project.
    pub project: ProjectId,
    /// Its title.
    pub project_title: String,
    /// The result.
    pub result: ResultId,
    /// Its title.
    pub result_title: String,
    /// The indicator.
    pub indicator: IndicatorId,
    /// Its title.
    pub indicator_title: String,
    /// The period.
    pub period: PeriodId,
    /// Its first day.
    pub start: Option<String>,
    /// Its last day.
    pub end: Option<String>,
    /// The category and the value, where it is about a disaggregation.
    pub dimension: Option<(String, String)>,
    /// Which of the numbers.
    pub column: Column,
    /// What is stored.
    pub stored: Option<Hundredths>,
    /// What should be.
    pub expected: Expected,
}

/// What an audit came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditReport {
    /// Periods that were compared.
    pub n_periods: u64,
    /// Numbers that differ.
    pub n_findings: u64,
}

impl Snapshot {
    /// Compares the quantitative periods of a project, and every period below them, with what their stored updates and
    /// stored children make of them; without a project, every period there is. Findings come as they are found, all
    /// of a period together. A period that cannot be computed is a finding too, and ends nothing.
    ///
    /// Holds one period with its updates, and a page of ids for each level below the project.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for the project, [`Error::Cancelled`] between two periods once the flag is raised,
    /// and what `take` answers.
    pub fn audit(
        &self,
        project: Option<ProjectId>,
        cancel: &AtomicBool,
        take: &mut dyn FnMut(AuditRow) -> Result<(), Error>,
    ) -> Result<AuditReport, Error> {
        let mut report = AuditReport::default();
        let mut each = |period| {
            if cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            self.audit_period(period, &mut report, take)
        };
        match project {
            Some(project) => {
                self.project(project)?;
                self.each_period_below(project, &mut each)?;
            }
            None => self.each_period_of(None, &mut each)?,
        }
        Ok(report)
    }

    fn audit_period(
        &self,
        period: PeriodId,
        report: &mut AuditReport,
        take: &mut dyn FnMut(AuditRow) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut rows = PeriodRows::new(self.db());
        let mut findings = Vec::new();
        let audited = rsr_aggregation::audit(&mut rows, period, |finding| findings.push(finding));
        match audited {
            Ok(None) => return Ok(()),
            Ok(Some(_)) => report.n_periods += 1,
            Err(ComputeError::Source { error, .. }) => return Err(error),
            Err(error) => {
                report.n_periods += 1;
                report.n_findings += 1;
                let stored = rows
                    .period(period)?
                    .and_then(|row| row.stored.numbers.value);
                let finding = Finding {
                    period,
                    dimension_value: None,
                    column: Column::Value,
                    stored,
                    expected: None,
                };
                let expected = Expected::Unknown(error.to_string());
                return self.describe(&finding, expected)?.map_or(Ok(()), take);
            }
        }
        for finding in findings {
            report.n_findings += 1;
            if let Some(row) = self.describe(&finding, Expected::Number(finding.expected))? {
                take(row)?;
            }
        }
        Ok(())
    }

    fn describe(&self, finding: &Finding, expected: Expected) -> Result<Option<AuditRow>, Error> {
        let value = finding.dimension_value;
        let root = Root::of(self.db(), Kind::Period, finding.period.0)?;
        self.db().row(
            "SELECT o.id, o.title, r.id, r.title, i.id, i.title, p.start_date, p.end_date, n.name, v.value
             FROM periods p JOIN indicators i ON i.id = p.indicator_id /*! AND i.root_id = p.root_id */
                 JOIN results r ON r.id = i.result_id /*! AND r.root_id = i.root_id */
                 JOIN projects o ON o.id = p.project_id /*! AND o.root_id = p.root_id */
                 LEFT JOIN dimension_values v ON v.id = ?2 /*! AND v.root_id = p.root_id */
                 LEFT JOIN dimension_names n ON n.id = v.name_id /*! AND n.root_id = v.root_id */
             WHERE p.id = ?1 /*! AND p.root_id = ?root */",
            params![finding.period, value, root],
            |row| {
                Ok(AuditRow {
                    project: ProjectId(row.int(0)?),
                    project_title: row.string(1)?,
                    result: ResultId(row.int(2)?),
                    result_title: row.string(3)?,
                    indicator: IndicatorId(row.int(4)?),
                    indicator_title: row.string(5)?,
                    period: finding.period,
                    start: row.opt_string(6)?,
                    end: row.opt_string(7)?,
                    dimension: row.opt_string(8)?.zip(row.opt_string(9)?),
                    column: finding.column,
                    stored: finding.stored,
                    expected: expected.clone(),
                })
            },
        )
    }

    /// Quantitative periods by id, of one project or of all.
    fn each_period_of(
        &self,
        project: Option<ProjectId>,
        each: &mut dyn FnMut(PeriodId) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let which = if project.is_some() {
            "p.project_id = ?1 AND"
        } else {
            "CAST(?1 AS BIGINT) IS NULL AND"
        };
        let sql = format!(
            "SELECT p.id FROM periods p JOIN indicators i ON i.id = p.indicator_id
             WHERE {which} p.id > ?2 AND i.kind <> 2 ORDER BY p.id LIMIT ?3"
        );
        let mut after = i64::MIN;
        loop {
            let page = self
                .db()
                .rows(&sql, params![project, after, PAGE], |row| row.int(0))?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = *last;
            for period in page {
                each(PeriodId(period))?;
            }
        }
    }

    /// The quantitative periods of a project, each followed by all below it, depth first.
    fn each_period_below(
        &self,
        project: ProjectId,
        each: &mut dyn FnMut(PeriodId) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.each_period_of(Some(project), &mut |start| {
            each(start)?;
            let mut way = vec![Level::below(start)];
            while let Some(level) = way.last_mut() {
                if level.waiting.is_empty() {
                    level.read(self)?;
                }
                let Some((_, period)) = level.waiting.pop_front() else {
                    way.pop();
                    continue;
                };
                // A period has one parent, so links that lead in a circle come round to where the walk began.
                if period != start {
                    each(period)?;
                    way.push(Level::below(period));
                }
            }
            Ok(())
        })
    }
}

/// The periods directly below one, a page at a time.
#[derive(Debug)]
struct Level {
    parent: PeriodId,
    after: i64,
    waiting: VecDeque<(i64, PeriodId)>,
}

impl Level {
    fn below(parent: PeriodId) -> Self {
        Self {
            parent,
            after: i64::MIN,
            waiting: VecDeque::new(),
        }
    }

    /// A parent period has one copy at most in each indicator, so the indicators order them.
    fn read(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let page = snapshot.db().rows(
            "SELECT indicator_id, id FROM periods WHERE parent_period_id = ?1 AND indicator_id > ?2
             ORDER BY indicator_id LIMIT ?3",
            params![self.parent, self.after, PAGE],
            |row| Ok((row.int(0)?, PeriodId(row.int(1)?))),
        )?;
        if let Some((last, _)) = page.last() {
            self.after = *last;
        }
        self.waiting = page.into();
        Ok(())
    }
}
