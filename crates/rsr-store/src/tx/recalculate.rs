//! A project and all below it, queued to be computed anew (aggregation rule 47).

use rsr_base::{PeriodId, ProjectId};

use super::Tx;
use crate::error::Error;
use crate::sql::params;

/// Which periods a recalculation queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recalculation {
    /// Those with an approved update.
    #[default]
    Reported,
    /// Those with an approved update, of quantitative indicators.
    Quantitative,
    /// All.
    All,
}

/// Periods that are read at once.
const PAGE: i64 = 500;

/// The project ?1 and all below it, by the parent links, which may lead in a circle.
const BRANCH: &str = "WITH RECURSIVE branch(id) AS (
     SELECT CAST(?1 AS BIGINT)
     UNION SELECT o.id FROM branch JOIN projects o ON o.parent_id = branch.id /*! AND o.root_id = ?root */)";

/// A period `p` with an approved update.
const REPORTED: &str = "EXISTS (SELECT 1 FROM updates u WHERE u.period_id = p.id /*! AND u.root_id = p.root_id */ AND u.status = 'A')";

impl Tx {
    /// Queues the periods of a project and of all below it; of a cumulative indicator also those that follow from them.
    /// Answers how many jobs wait in that branch now.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn recalculate(&mut self, project: ProjectId, which: Recalculation) -> Result<u64, Error> {
        self.require_project(project)?;
        let root = self.root_of(project)?;
        let condition = match which {
            Recalculation::Reported => REPORTED.to_owned(),
            Recalculation::Quantitative => format!("{REPORTED} AND i.kind <> 2"),
            Recalculation::All => "true".to_owned(),
        };
        // `p` is a period as asked for, `q` what a change in it affects, as in `queue_changed_period`.
        let page = format!(
            "{BRANCH} SELECT DISTINCT q.id
             FROM branch JOIN periods p ON p.project_id = branch.id /*! AND p.root_id = ?root */
             JOIN indicators i ON i.id = p.indicator_id /*! AND i.root_id = p.root_id */
             JOIN periods q ON q.indicator_id = i.id /*! AND q.root_id = i.root_id */
             AND (q.id = p.id OR (i.is_cumulative = 1 AND NOT (i.kind = 1 AND i.measure = '2')
                 AND (q.start_date >= p.start_date OR q.end_date > p.end_date OR q.end_date IS NULL)))
             WHERE q.id > ?2 AND {condition} ORDER BY q.id LIMIT ?3"
        );
        let mut after = i64::MIN;
        loop {
            let periods = self
                .db()
                .rows(&page, params![project, after, PAGE, root], |row| {
                    row.int(0).map(PeriodId)
                })?;
            let Some(last) = periods.last() else {
                break;
            };
            after = last.0;
            self.queue_periods(&periods)?;
        }
        let waiting = format!(
            "{BRANCH} SELECT count(*) FROM branch
             JOIN periods p ON p.project_id = branch.id /*! AND p.root_id = ?root */
             JOIN jobs j ON j.period_id = p.id WHERE j.state = 'scheduled'"
        );
        Ok(self
            .db()
            .number(&waiting, params![project, root])?
            .unsigned_abs())
    }
}
