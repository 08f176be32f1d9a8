//! What projects have achieved, in a few lines each.

use std::collections::HashMap;

use rsr_aggregation::Numbers;
use rsr_base::{IndicatorId, ProjectId};

use crate::error::Error;
use crate::numbers;
use crate::snapshot::Snapshot;
use crate::sql::{IDS, Roots, id_list, params};

/// The first quantitative indicators of a project, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Achieved {
    /// All quantitative indicators of the project.
    pub n_indicators: u64,
    /// The first of them, in the order of the activity.
    pub first: Vec<StandingValue>,
}

/// What stands at the latest period of an indicator that has a value; where none has, its latest target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StandingValue {
    /// The indicator.
    pub indicator: IndicatorId,
    /// Its title.
    pub title: String,
    /// The code of its measure.
    pub measure: String,
    /// The last day of the period.
    pub end: Option<String>,
    /// The numbers that stand.
    pub numbers: Numbers,
    /// The target, as text.
    pub target_value: String,
}

impl Snapshot {
    /// What these projects have achieved, `n` indicators of each at most. Projects without any are not in the map. One
    /// query for any number of projects.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn achieved(
        &self,
        projects: &[ProjectId],
        n: usize,
    ) -> Result<HashMap<ProjectId, Achieved>, Error> {
        let ids = id_list(projects.iter().map(|id| id.0));
        let roots = Roots::of_projects(self.db(), projects.iter().map(|id| id.0))?;
        let sql = format!(
            "SELECT i.project_id, i.n, i.id, i.title, i.measure, x.end_date, coalesce(x.target_value, ''),
                 x.value, x.numerator, x.denominator
             FROM (SELECT i.project_id, i.id /*!, i.root_id */, i.title, i.measure,
                       count(*) OVER (PARTITION BY i.project_id) AS n,
                       row_number() OVER (PARTITION BY i.project_id ORDER BY r.place, r.id, i.place, i.id) AS nth
                   FROM indicators i JOIN results r ON r.id = i.result_id /*! AND r.root_id = i.root_id */
                   WHERE i.project_id IN {IDS} /*! AND i.root_id IN ?roots */ AND i.kind <> 2) i
             LEFT JOIN periods x ON /*! x.root_id = i.root_id AND */ x.id = (
                 SELECT y.id FROM periods y WHERE y.indicator_id = i.id /*! AND y.root_id = i.root_id */
                 ORDER BY CASE WHEN y.value IS NULL THEN 1 ELSE 0 END, coalesce(y.end_date, '') DESC, y.place DESC, y.id DESC
                 LIMIT 1)
             WHERE i.nth <= ?2 ORDER BY i.project_id, i.nth"
        );
        let mut all: HashMap<ProjectId, Achieved> = HashMap::new();
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        self.db()
            .query(&sql, params![&ids, n, &roots], &mut |row| {
                let achieved = all.entry(ProjectId(row.int(0)?)).or_default();
                achieved.n_indicators = row.int(1)?.unsigned_abs();
                achieved.first.push(StandingValue {
                    indicator: IndicatorId(row.int(2)?),
                    title: row.string(3)?,
                    measure: row.string(4)?,
                    end: row.opt_string(5)?,
                    target_value: row.string(6)?,
                    numbers: numbers::read(row, 7)?,
                });
                Ok(())
            })?;
        Ok(all)
    }
}
