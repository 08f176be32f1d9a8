//! The aggregation queue, as it stands.

use rsr_base::{JobId, PeriodId, ProjectId};

use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::sql::params;

/// An entry of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobRow {
    /// The job.
    pub id: JobId,
    /// What is to be computed, with everything above it.
    pub period: PeriodId,
    /// The topmost period above it.
    pub root_period: PeriodId,
    /// The project of the period.
    pub project: ProjectId,
    /// `scheduled`, `running`, `finished`, `failed` or `maxxed`.
    pub state: String,
    /// Runs that ended.
    pub attempts: u64,
    /// Why the last run failed.
    pub reason: Option<String>,
    /// When it was queued.
    pub created_ms: i64,
    /// When it last changed.
    pub changed_ms: i64,
}

impl Snapshot {
    /// Jobs, the last changed first, `n` at most; of one state where one is given.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn jobs(&self, state: Option<&str>, n: usize) -> Result<Vec<JobRow>, Error> {
        self.db().rows(
            "SELECT j.id, j.period_id, j.root_period_id, p.project_id, j.state, j.attempts, j.reason, j.created_ms,
                 j.changed_ms FROM jobs j JOIN periods p ON p.id = j.period_id
             WHERE ?1 IS NULL OR j.state = ?1 ORDER BY j.changed_ms DESC, j.id DESC LIMIT ?2",
            params![state, i64::try_from(n).unwrap_or(i64::MAX)],
            |row| {
                Ok(JobRow {
                    id: JobId(row.int(0)?),
                    period: PeriodId(row.int(1)?),
                    root_period: PeriodId(row.int(2)?),
                    project: ProjectId(row.int(3)?),
                    state: row.string(4)?,
                    attempts: row.int(5)?.unsigned_abs(),
                    reason: row.opt_string(6)?,
                    created_ms: row.int(7)?,
                    changed_ms: row.int(8)?,
                })
            },
        )
    }

    /// How many jobs are in each state that any is in.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn job_counts(&self) -> Result<Vec<(String, u64)>, Error> {
        self.db().rows(
            "SELECT state, count(*) FROM jobs GROUP BY state ORDER BY state",
            params![],
            |row| Ok((row.string(0)?, row.int(1)?.unsigned_abs())),
        )
    }

    /// Projects at the top of trees in which a job waits, the oldest job first, `n` at most.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn roots_with_jobs(&self, n: usize) -> Result<Vec<ProjectId>, Error> {
        self.db().rows(
            "SELECT s.root_id FROM jobs j JOIN periods p ON p.id = j.period_id
                 JOIN positions s ON s.project_id = p.project_id
             WHERE j.state = 'scheduled' GROUP BY s.root_id ORDER BY min(j.id) LIMIT ?1",
            params![i64::try_from(n).unwrap_or(i64::MAX)],
            |row| row.int(0).map(ProjectId),
        )
    }
}
