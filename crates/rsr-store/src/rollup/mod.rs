//! Totals of whole trees: read, computed by `rsr-aggregation`, and written where they differ, in one transaction a tree.

mod columns;
mod keep;
mod period;
mod texts;
mod tree;
mod updates;

use rsr_aggregation::{BulkError, BulkReport, aggregate_all};
use rsr_base::ProjectId;

use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::sql::{id_list, params};
use crate::store::Store;
use keep::Keep;
pub(crate) use period::PeriodRows;
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
            let mut rows = TreeRows::new(tx.db(), root);
            let mut keep = Keep::new(tx.db());
            let periods = aggregate_all(&mut rows, &mut keep).map_err(|error| match error {
                BulkError::Source(error) | BulkError::Sink(error) => RollUpError::Store(error),
                error => RollUpError::Numbers {
                    root,
                    source: Box::new(error),
                },
            })?;
            // Jobs of periods that lead into a circle were not done; whoever claims them says so.
            let cycles = periods.broken.cycles.iter().flatten();
            let cycles = id_list(cycles.map(|period| period.0));
            let n_jobs_finished = tx.db().execute(
                "UPDATE jobs SET state = 'finished', attempts = attempts + 1, reason = NULL, run_after_ms = 0,
                     changed_ms = ?3
                 WHERE state IN ('scheduled', 'failed') AND period_id IN (SELECT p.id FROM positions s
                     JOIN periods p ON p.project_id = s.project_id WHERE s.root_id = ?2)
                 AND period_id NOT IN (WITH RECURSIVE below(id) AS (SELECT value FROM json_each(?1)
                     UNION SELECT p.id FROM below b JOIN periods p ON p.parent_period_id = b.id) SELECT id FROM below)",
                params![&cycles, root, tx.now_ms()],
            )?;
            Ok(TreeReport {
                periods,
                n_jobs_finished: n_jobs_finished as u64,
            })
        })
    }
}
