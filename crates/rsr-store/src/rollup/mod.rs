//! Totals of whole trees: read, computed by `rsr-aggregation`, and written where they differ, in one transaction a tree.

mod columns;
mod keep;
mod period;
mod texts;
mod together;
mod tree;
mod updates;

use rsr_aggregation::{BulkError, BulkReport, aggregate_all};
use rsr_base::{JobId, MemoryBudget, ProjectId};

use crate::error::Error;
use crate::queue::JobNews;
use crate::snapshot::Snapshot;
use crate::sql::{Root, id_list, params};
use crate::store::Store;
use crate::tx::Tx;
pub(crate) use columns::measure as read_measure;
pub(crate) use period::PeriodRows;
pub(crate) use texts::{scores_from_text, scores_to_text};
use together::Together;
use tree::TreeRows;

/// Why a tree was not rolled up. Nothing of it was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RollUpError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] Error),
    /// The numbers cannot be computed.
    #[error("the tree of project {root} cannot be rolled up")]
    Numbers {
        /// The project at the top.
        root: ProjectId,
        /// What is wrong with them.
        source: Box<BulkError<Error, Error>>,
    },
}

/// What rolling up one tree came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TreeReport {
    /// What was computed and written.
    pub periods: BulkReport,
    /// Jobs of the tree that waited, and are done with it.
    pub n_jobs_finished: u64,
}

impl Snapshot {
    /// Projects at the top of a tree in which anything has a period, above `after`, by id, `n` at most.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn roots_with_periods(
        &self,
        after: Option<ProjectId>,
        n: usize,
    ) -> Result<Vec<ProjectId>, Error> {
        self.db().rows(
            "SELECT r.project_id FROM positions r WHERE r.project_id = r.root_id AND r.project_id > coalesce(CAST(?1 AS BIGINT), 0)
             AND EXISTS (SELECT 1 FROM positions s JOIN periods p ON p.project_id = s.project_id
                     /*! AND p.root_id = s.root_id */
                 WHERE s.root_id = r.project_id)
             ORDER BY r.project_id LIMIT ?2",
            params![after, i64::try_from(n).unwrap_or(i64::MAX)],
            |row| row.int(0).map(ProjectId),
        )
    }
}

impl Store {
    /// Computes every period of the tree below `root` with its disaggregations, contributions and words, and writes
    /// what differs. Jobs that waited for periods of the tree are finished by it, but for those whose periods lead into a
    /// circle. All of it is one transaction.
    ///
    /// Takes O(n) time and holds the numbers of the tree, as `rsr_aggregation::aggregate_all` does.
    ///
    /// # Errors
    ///
    /// [`RollUpError`]: nothing was written.
    pub fn roll_up(&self, root: ProjectId) -> Result<TreeReport, RollUpError> {
        self.write(|tx| {
            let periods = tx.aggregate_tree(root, &self.budgets.aggregations)?;
            let n_jobs_finished = tx.finish_tree(root, &circles(&periods))?;
            Ok(TreeReport {
                periods,
                n_jobs_finished,
            })
        })
    }

    /// Makes the disaggregations of every period of the tree below `root`, and what child projects add to them, anew
    /// from what was reported, from the leaves up; rows that nothing gives rise to go (aggregation rule 48). All of it is
    /// one transaction: readers see the old rows or the new ones. What leads into a circle keeps its rows.
    ///
    /// Costs about twice what [`Store::roll_up`] does, and finishes the same jobs.
    ///
    /// # Errors
    ///
    /// [`RollUpError`]: nothing was written.
    pub fn rebuild_disaggregations(&self, root: ProjectId) -> Result<TreeReport, RollUpError> {
        self.write(|tx| {
            let mut periods = tx.aggregate_tree(root, &self.budgets.aggregations)?;
            let circles = circles(&periods);
            tx.db().execute(
                &format!(
                    "DELETE FROM period_disaggregations WHERE /*! root_id = ?2 AND */ {OF_TREE} AND NOT {INTO_CIRCLE}"
                ),
                params![&circles, root],
            )?;
            let anew = tx.aggregate_tree(root, &self.budgets.aggregations)?;
            periods.n_disaggregations = anew.n_disaggregations;
            periods.n_disaggregations_written = anew.n_disaggregations_written;
            periods.n_contributions_written = anew.n_contributions_written;
            let n_jobs_finished = tx.finish_tree(root, &circles)?;
            Ok(TreeReport {
                periods,
                n_jobs_finished,
            })
        })
    }
}

/// A period of the tree below ?2.
const OF_TREE: &str =
    "period_id IN (SELECT p.id FROM positions s JOIN periods p ON p.project_id = s.project_id /*! AND p.root_id = s.root_id */
     WHERE s.root_id = ?2)";

/// A period that is one of the list ?1, or leads to one.
const INTO_CIRCLE: &str = "period_id IN (WITH RECURSIVE below(id) AS (SELECT value FROM json_each(?1)
     UNION SELECT p.id FROM below b JOIN periods p ON p.parent_period_id = b.id /*! AND p.root_id = ?2 */)
     SELECT id FROM below)";

/// The periods that links lead round through.
fn circles(report: &BulkReport) -> String {
    id_list(report.broken.cycles.iter().flatten().map(|period| period.0))
}

impl Tx {
    fn aggregate_tree(
        &mut self,
        root: ProjectId,
        budget: &MemoryBudget,
    ) -> Result<BulkReport, RollUpError> {
        let mut rows = TreeRows::new(self.db(), root, budget).map_err(Error::from)?;
        let mut changes = Together::new(self.db(), Root(root.0));
        let report = aggregate_all(&mut rows, &mut changes).map_err(|error| match error {
            BulkError::Source(error) | BulkError::Sink(error) => RollUpError::Store(error),
            error => RollUpError::Numbers {
                root,
                source: Box::new(error),
            },
        })?;
        changes.finish()?;
        Ok(report)
    }

    /// Ends the jobs that waited for periods of a tree. Those of periods that lead into a circle were not done; whoever
    /// claims them says so. Answers how many it ended.
    fn finish_tree(&mut self, root: ProjectId, circles: &str) -> Result<u64, Error> {
        let ended = self.db().rows(
            &format!(
                "UPDATE jobs SET state = 'finished', attempts = attempts + 1, reason = NULL, run_after_ms = 0,
                     changed_ms = ?3
                 WHERE state IN ('scheduled', 'failed') AND {OF_TREE} AND NOT {INTO_CIRCLE} RETURNING id, attempts"
            ),
            params![circles, root, self.now_ms()],
            |row| Ok((JobId(row.int(0)?), row.int(1)?)),
        )?;
        let again = ended.iter().filter(|(_, attempts)| *attempts > 1);
        let mut recovered: Vec<JobId> = again.map(|(job, _)| *job).collect();
        recovered.sort_unstable();
        let news = JobNews {
            recovered,
            ..JobNews::default()
        };
        self.tell_of_jobs(root, &news)?;
        Ok(ended.len() as u64)
    }
}
