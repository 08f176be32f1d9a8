//! The aggregation queue, as it stands.

use rsr_base::{JobId, PeriodId, ProjectId};
use rsr_hierarchy::Viewer;

use crate::error::Error;
use crate::hierarchy::Query;
use crate::snapshot::Snapshot;
use crate::sql::{Row, params};

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
    /// Of a failed job: when it may be tried again.
    pub run_after_ms: Option<i64>,
    /// When it was queued.
    pub created_ms: i64,
    /// When it last changed.
    pub changed_ms: i64,
}

/// What [`JobRow::read`] reads.
const JOBS: &str =
    "SELECT j.id, j.period_id, j.root_period_id, p.id, j.state, j.attempts, j.reason,
     j.run_after_ms, j.created_ms, j.changed_ms
     FROM jobs j JOIN periods s ON s.id = j.period_id JOIN projects p ON p.id = s.project_id";

impl JobRow {
    fn read(row: &dyn Row) -> Result<Self, Error> {
        Ok(Self {
            id: JobId(row.int(0)?),
            period: PeriodId(row.int(1)?),
            root_period: PeriodId(row.int(2)?),
            project: ProjectId(row.int(3)?),
            state: row.string(4)?,
            attempts: row.int(5)?.unsigned_abs(),
            reason: row.opt_string(6)?,
            run_after_ms: row.opt_int(7)?.filter(|ms| *ms > 0),
            created_ms: row.int(8)?,
            changed_ms: row.int(9)?,
        })
    }
}

/// Which jobs a list shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct JobFilter<'a> {
    /// Those in one state.
    pub state: Option<&'a str>,
    /// Those under one root.
    pub root_period: Option<PeriodId>,
}

impl Snapshot {
    /// Jobs, the last changed first, `n` at most; of one state where one is given.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn jobs(&self, state: Option<&str>, n: usize) -> Result<Vec<JobRow>, Error> {
        let filter = JobFilter {
            state,
            ..JobFilter::default()
        };
        self.jobs_seen_by(Viewer::Administrator, filter, n)
    }

    /// Jobs of projects that somebody may see and the filter lets pass, the last changed first, `n` at most.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn jobs_seen_by(
        &self,
        viewer: Viewer,
        filter: JobFilter<'_>,
        n: usize,
    ) -> Result<Vec<JobRow>, Error> {
        let mut query = Query::default();
        let mut conditions = query.visible(viewer);
        if let Some(state) = filter.state {
            conditions.push_str(&format!(" AND j.state = {}", query.text(state)));
        }
        if let Some(root) = filter.root_period {
            conditions.push_str(&format!(" AND j.root_period_id = {}", query.int(root.0)));
        }
        let n = query.int(i64::try_from(n).unwrap_or(i64::MAX));
        self.db().rows(
            &format!("{JOBS} WHERE {conditions} ORDER BY j.changed_ms DESC, j.id DESC LIMIT {n}"),
            &query.params(),
            JobRow::read,
        )
    }

    /// Projects of jobs under a root that have not ended, `n` at most.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn projects_waiting(&self, root: PeriodId, n: usize) -> Result<Vec<ProjectId>, Error> {
        self.db().rows(
            "SELECT DISTINCT p.project_id FROM jobs j JOIN periods p ON p.id = j.period_id
             WHERE j.root_period_id = ?1 AND j.state IN ('scheduled', 'failed', 'running') ORDER BY p.project_id LIMIT ?2",
            params![root, i64::try_from(n).unwrap_or(i64::MAX)],
            |row| row.int(0).map(ProjectId),
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

    /// One job.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn job(&self, id: JobId) -> Result<JobRow, Error> {
        self.db()
            .row(
                &format!("{JOBS} WHERE j.id = ?1"),
                params![id],
                JobRow::read,
            )?
            .ok_or_else(|| Error::not_found("job", id))
    }
}
