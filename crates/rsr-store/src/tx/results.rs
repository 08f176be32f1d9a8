//! Results, indicators and periods, with the copies that the projects below hold.

use rsr_base::{IndicatorId, PeriodId, ProjectId, ResultId};

use super::{Tx, date};
use crate::error::Error;
use crate::rows::{NewIndicator, NewPeriod, NewResult};
use crate::sql::roots::Kind;
use crate::sql::{Root, params};

/// One kind of row that is copied from a project to its children.
struct Rows {
    /// Copies the rows with ids in ?1 < id ≤ ?2 one level down, but never to a place that got one since id ?3.
    copy: &'static str,
    last_id: &'static str,
}

const RESULTS: Rows = Rows {
    copy: "INSERT INTO results (project_id, place, parent_result_id, type, title, description, aggregation_status
             /*!, root_id */)
         SELECT c.id, (SELECT coalesce(max(x.place), 0) + 1 FROM results x
                 WHERE x.project_id = c.id /*! AND x.root_id = c.root_id */),
             r.id, r.type, r.title, r.description, r.aggregation_status /*!, c.root_id */
         FROM results r JOIN projects c ON c.parent_id = r.project_id /*! AND c.root_id = r.root_id */
         WHERE r.id > ?1 AND r.id <= ?2 /*! AND r.root_id = ?root */
         AND NOT EXISTS (SELECT 1 FROM results x WHERE x.project_id = c.id /*! AND x.root_id = c.root_id */ AND x.id >= ?3)
         ORDER BY r.id, c.id",
    last_id: "SELECT max(id) FROM results",
};

const INDICATORS: Rows = Rows {
    copy: "INSERT INTO indicators (result_id, project_id, place, parent_indicator_id, kind, measure, is_cumulative,
             is_ascending, aggregation_status, has_scores, reference, title, description /*!, root_id */)
         SELECT r.id, r.project_id, i.place, i.id, i.kind, i.measure, i.is_cumulative, i.is_ascending,
             i.aggregation_status, i.has_scores, i.reference, i.title, i.description /*!, r.root_id */
         FROM indicators i JOIN results r ON r.parent_result_id = i.result_id /*! AND r.root_id = i.root_id */
         WHERE i.id > ?1 AND i.id <= ?2 /*! AND i.root_id = ?root */
         AND NOT EXISTS (SELECT 1 FROM indicators x
             WHERE x.result_id = r.id /*! AND x.root_id = r.root_id */ AND x.id >= ?3)
         ORDER BY i.id, r.id",
    last_id: "SELECT max(id) FROM indicators",
};

const PERIODS: Rows = Rows {
    copy: "INSERT INTO periods (indicator_id, project_id, place, parent_period_id, start_date, end_date, target_value
             /*!, root_id */)
         SELECT i.id, i.project_id, p.place, p.id, p.start_date, p.end_date, p.target_value /*!, i.root_id */
         FROM periods p JOIN indicators i ON i.parent_indicator_id = p.indicator_id /*! AND i.root_id = p.root_id */
         WHERE p.id > ?1 AND p.id <= ?2 /*! AND p.root_id = ?root */
         AND NOT EXISTS (SELECT 1 FROM periods x
             WHERE x.indicator_id = i.id /*! AND x.root_id = i.root_id */ AND x.id >= ?3)
         ORDER BY p.id, i.id",
    last_id: "SELECT max(id) FROM periods",
};

/// What a step of inheriting goes out from.
enum Since {
    /// Results with ids above this one are new.
    Results,
    /// Indicators with ids above this one are new.
    Indicators,
    /// The project that inherits.
    Project,
}

/// What comes with results that are new in a project and below it. Each step is run until it finds no more.
struct Step {
    since: Since,
    sql: &'static str,
}

const INHERIT: [Step; 5] = [
    Step {
        since: Since::Results,
        sql: "INSERT INTO indicators (result_id, project_id, place, parent_indicator_id, kind, measure, is_cumulative,
                 is_ascending, aggregation_status, has_scores, reference, title, description /*!, root_id */)
             SELECT r.id, r.project_id, i.place, i.id, i.kind, i.measure, i.is_cumulative, i.is_ascending,
                 i.aggregation_status, i.has_scores, i.reference, i.title, i.description /*!, r.root_id */
             FROM results r JOIN indicators i ON i.result_id = r.parent_result_id /*! AND i.root_id = r.root_id */
             WHERE r.id > ?1 /*! AND r.root_id = ?root */
             AND NOT EXISTS (SELECT 1 FROM indicators x WHERE x.result_id = r.id /*! AND x.root_id = r.root_id */)
             ORDER BY r.id, i.place, i.id",
    },
    Step {
        since: Since::Indicators,
        sql: "INSERT INTO periods (indicator_id, project_id, place, parent_period_id, start_date, end_date, target_value
                 /*!, root_id */)
             SELECT i.id, i.project_id, p.place, p.id, p.start_date, p.end_date, p.target_value /*!, i.root_id */
             FROM indicators i JOIN periods p ON p.indicator_id = i.parent_indicator_id /*! AND p.root_id = i.root_id */
             WHERE i.id > ?1 /*! AND i.root_id = ?root */
             AND NOT EXISTS (SELECT 1 FROM periods x WHERE x.indicator_id = i.id /*! AND x.root_id = i.root_id */)
             ORDER BY i.id, p.place, p.id",
    },
    Step {
        since: Since::Project,
        sql: "WITH RECURSIVE branch(id) AS (
                 SELECT CAST(?1 AS BIGINT)
                 UNION SELECT p.id FROM branch JOIN projects p ON p.parent_id = branch.id /*! AND p.root_id = ?root */)
             INSERT INTO dimension_names (project_id, parent_name_id, name /*!, root_id */)
             SELECT c.id, n.id, n.name /*!, c.root_id */
             FROM branch JOIN projects c ON c.id = branch.id /*! AND c.root_id = ?root */
             JOIN dimension_names n ON n.project_id = c.parent_id /*! AND n.root_id = c.root_id */
             WHERE NOT EXISTS (SELECT 1 FROM dimension_names x
                 WHERE x.project_id = c.id /*! AND x.root_id = c.root_id */ AND x.name = n.name)
             ORDER BY c.id, n.id",
    },
    Step {
        since: Since::Project,
        sql: "WITH RECURSIVE branch(id) AS (
                 SELECT CAST(?1 AS BIGINT)
                 UNION SELECT p.id FROM branch JOIN projects p ON p.parent_id = branch.id /*! AND p.root_id = ?root */)
             INSERT INTO dimension_values (name_id, parent_value_id, value /*!, root_id */)
             SELECT n.id, v.id, v.value /*!, n.root_id */
             FROM branch JOIN dimension_names n ON n.project_id = branch.id /*! AND n.root_id = ?root */
             JOIN dimension_values v ON v.name_id = n.parent_name_id /*! AND v.root_id = n.root_id */
             WHERE NOT EXISTS (SELECT 1 FROM dimension_values x
                 WHERE x.name_id = n.id /*! AND x.root_id = n.root_id */ AND x.value = v.value)
             ORDER BY n.id, v.id",
    },
    Step {
        since: Since::Indicators,
        sql: "INSERT INTO indicator_dimension_names (indicator_id, name_id /*!, root_id */)
             SELECT i.id, n.id /*!, i.root_id */ FROM indicators i
             JOIN indicator_dimension_names a ON a.indicator_id = i.parent_indicator_id /*! AND a.root_id = i.root_id */
             JOIN dimension_names n ON n.parent_name_id = a.name_id AND n.project_id = i.project_id
                 /*! AND n.root_id = i.root_id */
             WHERE i.id > ?1 /*! AND i.root_id = ?root */ AND NOT EXISTS (SELECT 1 FROM indicator_dimension_names x
                 WHERE x.indicator_id = i.id AND x.name_id = n.id /*! AND x.root_id = i.root_id */)",
    },
];

impl Tx {
    /// Stores a result, and a copy that points at it in each project below.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the project is not stored.
    pub fn create_result(&mut self, new: &NewResult) -> Result<ResultId, Error> {
        self.require_project(new.project)?;
        let root = self.root_of(new.project)?;
        let id = self.db().number(
            "INSERT INTO results (project_id, place, type, title, description, aggregation_status /*!, root_id */)
             VALUES (?1, (SELECT coalesce(max(x.place), 0) + 1 FROM results x
                     WHERE x.project_id = ?1 /*! AND x.root_id = ?root */),
                 ?2, ?3, ?4, ?5 /*!, ?root */) RETURNING id",
            params![
                new.project,
                &new.kind,
                &new.title,
                &new.description,
                new.aggregation_status,
                root
            ],
        )?;
        self.copy_down(&RESULTS, root, id - 1)?;
        Ok(ResultId(id))
    }

    /// Stores an indicator, and a copy that points at it under each copy of its result.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the result is not stored.
    pub fn create_indicator(&mut self, new: &NewIndicator) -> Result<IndicatorId, Error> {
        let root = Root::of(self.db(), Kind::Result, new.result.0)?;
        let id = self.db().row(
            "INSERT INTO indicators (result_id, project_id, place, kind, measure, is_cumulative, is_ascending,
                 has_scores, title, description /*!, root_id */)
             SELECT r.id, r.project_id, (SELECT coalesce(max(x.place), 0) + 1 FROM indicators x
                     WHERE x.result_id = r.id /*! AND x.root_id = r.root_id */),
                 ?2, ?3, ?4, ?5, ?6, ?7, ?8 /*!, r.root_id */
             FROM results r WHERE r.id = ?1 /*! AND r.root_id = ?root */ RETURNING id",
            params![
                new.result,
                if new.is_qualitative { 2_i64 } else { 1_i64 },
                &new.measure,
                new.is_cumulative,
                new.is_ascending,
                new.has_scores,
                &new.title,
                &new.description,
                root,
            ],
            |row| row.int(0),
        )?;
        let id = id.ok_or_else(|| Error::not_found("result", new.result))?;
        self.copy_down(&INDICATORS, root, id - 1)?;
        Ok(IndicatorId(id))
    }

    /// Stores a period, and a copy that points at it under each copy of its indicator.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the indicator is not stored, [`Error::Invalid`] for a date that is none.
    pub fn create_period(&mut self, new: &NewPeriod) -> Result<PeriodId, Error> {
        let start = date("period_start", new.start.as_deref())?;
        let end = date("period_end", new.end.as_deref())?;
        let root = Root::of(self.db(), Kind::Indicator, new.indicator.0)?;
        let id = self.db().row(
            "INSERT INTO periods (indicator_id, project_id, place, start_date, end_date, target_value /*!, root_id */)
             SELECT i.id, i.project_id, (SELECT coalesce(max(x.place), 0) + 1 FROM periods x
                     WHERE x.indicator_id = i.id /*! AND x.root_id = i.root_id */),
                 ?2, ?3, ?4 /*!, i.root_id */
             FROM indicators i WHERE i.id = ?1 /*! AND i.root_id = ?root */ RETURNING id",
            params![new.indicator, start, end, &new.target_value, root],
            |row| row.int(0),
        )?;
        let id = id.ok_or_else(|| Error::not_found("indicator", new.indicator))?;
        self.copy_down(&PERIODS, root, id - 1)?;
        Ok(PeriodId(id))
    }

    /// Gives a project copies of its parent's results, indicators and periods that it has none of yet, with the dimensions
    /// they are split by, and the same to all below it. Answers how many results were copied to the project itself.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn inherit_results(&mut self, project: ProjectId) -> Result<usize, Error> {
        self.require_project(project)?;
        let root = self.root_of(project)?;
        let db = self.db();
        let results_before = db.number(RESULTS.last_id, params![])?;
        let n = db.execute(
            "INSERT INTO results (project_id, place, parent_result_id, type, title, description, aggregation_status
                 /*!, root_id */)
             SELECT c.id, r.place, r.id, r.type, r.title, r.description, r.aggregation_status /*!, c.root_id */
             FROM projects c JOIN results r ON r.project_id = c.parent_id /*! AND r.root_id = c.root_id */
             WHERE c.id = ?1 /*! AND c.root_id = ?root */
             AND NOT EXISTS (SELECT 1 FROM results x
                 WHERE x.project_id = ?1 /*! AND x.root_id = ?root */ AND x.parent_result_id = r.id)
             ORDER BY r.place, r.id",
            params![project, root],
        )?;
        self.copy_each_down(root, results_before)?;
        let indicators_before = db.number(INDICATORS.last_id, params![])?;
        for step in INHERIT {
            let since = match step.since {
                Since::Results => results_before,
                Since::Indicators => indicators_before,
                Since::Project => project.0,
            };
            // A level of the tree a time.
            while db.execute(step.sql, params![since, root])? > 0 {}
        }
        Ok(n)
    }

    /// Copies the results with ids above `before` to the projects below, one at a time, so that a project gets each.
    fn copy_each_down(&self, root: Root, before: i64) -> Result<(), Error> {
        let new = self.db().rows(
            "SELECT id FROM results WHERE id > ?1 /*! AND root_id = ?root */ ORDER BY id",
            params![before, root],
            |row| row.int(0),
        )?;
        for id in new {
            let first = self.db().number(RESULTS.last_id, params![])? + 1;
            self.copy_levels((&RESULTS, root), id - 1, id, first)?;
        }
        Ok(())
    }

    /// Copies what was stored since `before` down level by level, until nobody below is left.
    fn copy_down(&self, rows: &Rows, root: Root, before: i64) -> Result<(), Error> {
        self.copy_levels((rows, root), before, before + 1, before + 1)
    }

    fn copy_levels(
        &self,
        (rows, root): (&Rows, Root),
        low: i64,
        high: i64,
        first: i64,
    ) -> Result<(), Error> {
        let (mut low, mut high) = (low, high);
        while self
            .db()
            .execute(rows.copy, params![low, high, first, root])?
            > 0
        {
            low = high.max(first - 1);
            high = self.db().number(rows.last_id, params![])?;
        }
        Ok(())
    }
}
