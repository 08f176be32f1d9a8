//! Results, indicators and periods of all projects in one list each, by key.

use std::collections::HashSet;

use rsr_base::ProjectId;
use rsr_hierarchy::Viewer;

use super::results::{
    INDICATOR, IndicatorRow, PERIOD, PeriodRow, RESULT, ResultRow, origins_seen_by, read_indicator,
    read_period, read_result,
};
use crate::error::Error;
use crate::hierarchy::Query;
use crate::snapshot::Snapshot;
use crate::sql::{Roots, Row};

/// Which results, indicators or periods a list shows, and from where on.
#[derive(Clone, Copy, Debug)]
pub struct ItemFilter<'a> {
    /// Only those of projects that this viewer may see.
    pub viewer: Viewer,
    /// Only this one.
    pub id: Option<i64>,
    /// Only those of this project.
    pub project: Option<ProjectId>,
    /// Only those of this result, for indicators, or of this indicator, for periods.
    pub above: Option<i64>,
    /// The title contains this, letter for letter. Periods have none.
    pub search: Option<&'a str>,
    /// The type of a result or the measure of an indicator.
    pub code: Option<&'a str>,
    /// Whether the oldest come first.
    pub is_rising: bool,
    /// The last id that was shown.
    pub after: Option<i64>,
}

impl ItemFilter<'_> {
    /// All that this viewer may see, newest first.
    #[must_use]
    pub const fn all(viewer: Viewer) -> Self {
        Self {
            viewer,
            id: None,
            project: None,
            above: None,
            search: None,
            code: None,
            is_rising: false,
            after: None,
        }
    }
}

/// How one kind of item is found.
struct Kind {
    columns: &'static str,
    table: &'static str,
    above: &'static str,
    code: &'static str,
}

const RESULTS: Kind = Kind {
    columns: RESULT,
    table: "results",
    above: "project_id",
    code: "type",
};
const INDICATORS: Kind = Kind {
    columns: INDICATOR,
    table: "indicators",
    above: "result_id",
    code: "measure",
};
const PERIODS: Kind = Kind {
    columns: PERIOD,
    table: "periods",
    above: "indicator_id",
    code: "id",
};

impl Snapshot {
    /// Results without their indicators, `n` at most; fewer only where they end.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn listed_results(
        &self,
        filter: &ItemFilter<'_>,
        n: usize,
    ) -> Result<Vec<ResultRow>, Error> {
        let mut rows = self.listed(&RESULTS, filter, n, read_result)?;
        let seen = self.origins(filter, rows.iter().map(|row| row.project))?;
        for row in &mut rows {
            row.parent = row.parent.filter(|_origin| seen.contains(&row.project));
        }
        Ok(rows)
    }

    /// Indicators without their periods, `n` at most; fewer only where they end.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn listed_indicators(
        &self,
        filter: &ItemFilter<'_>,
        n: usize,
    ) -> Result<Vec<IndicatorRow>, Error> {
        let mut rows = self.listed(&INDICATORS, filter, n, read_indicator)?;
        let seen = self.origins(filter, rows.iter().map(|row| row.project))?;
        for row in &mut rows {
            row.parent = row.parent.filter(|_origin| seen.contains(&row.project));
        }
        Ok(rows)
    }

    /// Periods without their disaggregations, `n` at most; fewer only where they end.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn listed_periods(
        &self,
        filter: &ItemFilter<'_>,
        n: usize,
    ) -> Result<Vec<PeriodRow>, Error> {
        let mut rows = self.listed(&PERIODS, filter, n, read_period)?;
        let seen = self.origins(filter, rows.iter().map(|row| row.project))?;
        for row in &mut rows {
            row.parent = row.parent.filter(|_origin| seen.contains(&row.project));
        }
        Ok(rows)
    }

    /// Those of the projects of rows whose origins may be named.
    fn origins(
        &self,
        filter: &ItemFilter<'_>,
        projects: impl Iterator<Item = ProjectId>,
    ) -> Result<HashSet<ProjectId>, Error> {
        let projects: Vec<ProjectId> = projects.collect();
        let roots = Roots::of_projects(self.db(), projects.iter().map(|id| id.0))?;
        origins_seen_by(self.db(), filter.viewer, &projects, &roots)
    }

    fn listed<T>(
        &self,
        kind: &Kind,
        filter: &ItemFilter<'_>,
        n: usize,
        read: impl FnMut(&dyn Row) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let Kind {
            columns,
            table,
            above,
            code,
        } = kind;
        let mut query = Query::default();
        let mut all = query.visible(filter.viewer);
        // A list of all trees asks all servers; one of a project the one that has it.
        if let Some(project) = filter.project {
            query.root(self.root_of(project)?);
            all.push_str(" /*! AND x.root_id = ?root */");
        }
        let (beyond, order) = if filter.is_rising {
            (">", "x.id")
        } else {
            ("<", "x.id DESC")
        };
        let numbers = [
            (filter.id, "x.id =".to_owned()),
            (filter.project.map(|id| id.0), "x.project_id =".to_owned()),
            (filter.above, format!("x.{above} =")),
            (filter.after, format!("x.id {beyond}")),
        ];
        for (number, condition) in numbers {
            if let Some(number) = number {
                all.push_str(&format!(" AND {condition} {}", query.int(number)));
            }
        }
        if let Some(search) = filter.search {
            all.push_str(&format!(" AND instr(x.title, {}) > 0", query.text(search)));
        }
        if let Some(wanted) = filter.code {
            all.push_str(&format!(" AND x.{code} = {}", query.text(wanted)));
        }
        let n = query.int(i64::try_from(n).unwrap_or(i64::MAX));
        let sql = format!(
            "SELECT {columns} FROM {table} x JOIN projects p ON p.id = x.project_id /*! AND p.root_id = x.root_id */
             WHERE {all} ORDER BY {order} LIMIT {n}"
        );
        self.db().rows(&sql, &query.params(), read)
    }
}
