//! What a change puts into the aggregation queue, in the transaction of the change itself.

use rsr_base::{JobId, PeriodId, ProjectId};

use super::Tx;
use crate::error::{Conflict, Error};
use crate::sql::meeting::Word;
use crate::sql::roots::Kind;
use crate::sql::{Root, Roots, id_list, params};

/// Periods that one statement queues.
const QUEUED_TOGETHER: usize = 500;

impl Tx {
    /// Queues the periods whose sums a change in one period changes (aggregation rules 34 and 35).
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn queue_changed_period(&mut self, period: PeriodId) -> Result<(), Error> {
        let root = Root::of(self.db(), Kind::Period, period.0)?;
        let affected = self.db().rows(
            "SELECT p.id FROM periods c JOIN indicators i ON i.id = c.indicator_id /*! AND i.root_id = c.root_id */
             JOIN periods p ON p.indicator_id = i.id /*! AND p.root_id = i.root_id */
             WHERE c.id = ?1 /*! AND c.root_id = ?root */ AND (p.id = c.id OR (i.is_cumulative = 1 AND NOT (i.kind = 1 AND i.measure = '2')
                 AND (p.start_date >= c.start_date OR p.end_date > c.end_date OR p.end_date IS NULL)))
             ORDER BY p.start_date NULLS FIRST, p.id",
            params![period, root],
            |row| row.int(0).map(PeriodId),
        )?;
        self.queue_periods(&affected)?;
        Ok(())
    }

    /// Queues one period: renews the job that waits for it, or makes one.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn queue_period(&mut self, period: PeriodId) -> Result<(), Error> {
        self.queue_periods(&[period]).map(|_queued| ())
    }

    /// Queues periods, in the order of their start: renews the jobs that wait for them, makes one for each of the others.
    /// What is not stored is left out. Answers for how many a job waits now. One statement for some hundred periods.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn queue_periods(&mut self, periods: &[PeriodId]) -> Result<u64, Error> {
        let mut n_queued = 0;
        for some in periods.chunks(QUEUED_TOGETHER) {
            let roots = Roots::of(self.db(), Kind::Period, some.iter().map(|id| id.0))?;
            n_queued += self.db().execute(
                "WITH RECURSIVE up(start, id, parent) AS (
                     SELECT id, id, parent_period_id FROM periods
                     WHERE id IN (SELECT value FROM json_each(?1)) /*! AND root_id IN ?roots */
                     UNION SELECT up.start, p.id, p.parent_period_id
                     FROM up JOIN periods p ON p.id = up.parent /*! AND p.root_id IN ?roots */)
                 INSERT INTO jobs (period_id, root_period_id, state, created_ms, changed_ms)
                 SELECT p.id, coalesce(r.id, p.id), 'scheduled', CAST(?2 AS BIGINT), CAST(?2 AS BIGINT) FROM periods p
                 LEFT JOIN up r ON r.start = p.id AND r.parent IS NULL
                 WHERE p.id IN (SELECT value FROM json_each(?1)) /*! AND p.root_id IN ?roots */ ORDER BY p.start_date NULLS FIRST, p.id
                 ON CONFLICT (period_id) WHERE state = 'scheduled' DO UPDATE SET changed_ms = excluded.changed_ms,
                     root_period_id = excluded.root_period_id",
                params![&id_list(some.iter().map(|id| id.0)), self.now_ms, &roots],
            )?;
        }
        if n_queued > 0 {
            self.db().tell(Word::Queued)?;
        }
        Ok(n_queued as u64)
    }

    /// Asks again for a job that was given up: queues its period anew, and answers the job that waits for it now. The old
    /// job stays as it is, as history.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Conflict::JobNotMaxxed`].
    pub fn retry_job(&mut self, job: JobId) -> Result<JobId, Error> {
        let (period, state) = self
            .db()
            .row(
                "SELECT period_id, state FROM jobs WHERE id = ?1",
                params![job],
                |row| Ok((PeriodId(row.int(0)?), row.string(1)?)),
            )?
            .ok_or_else(|| Error::not_found("job", job))?;
        if state != "maxxed" {
            return Err(Conflict::JobNotMaxxed { id: job.0, state }.into());
        }
        self.queue_period(period)?;
        let waiting = "SELECT id FROM jobs WHERE period_id = ?1 AND state = 'scheduled'";
        Ok(JobId(self.db().number(waiting, params![period])?))
    }

    /// Queues the parents of a project's periods: their sums change when the project's switch, or its place, does. Answers for how many
    /// a job waits now.
    pub(crate) fn queue_periods_above(&mut self, project: i64) -> Result<u64, Error> {
        self.queue_found(
            "SELECT DISTINCT parent_period_id FROM periods
             WHERE project_id = ?1 /*! AND root_id = ?root */ AND parent_period_id IS NOT NULL",
            self.root_of(ProjectId(project))?,
            project,
        )
    }

    /// Queues the periods of a project that hold more than what was typed in, or did: an import has written their manual values
    /// anew. Answers for how many a job waits now.
    pub(crate) fn queue_periods_written(&mut self, project: i64) -> Result<u64, Error> {
        self.queue_found(
            "SELECT p.id FROM periods p WHERE p.project_id = ?1 /*! AND p.root_id = ?root */
             AND (EXISTS (SELECT 1 FROM manual_disaggregations m
                     WHERE m.period_id = p.id /*! AND m.root_id = p.root_id */)
                 OR EXISTS (SELECT 1 FROM period_disaggregations d
                     WHERE d.period_id = p.id /*! AND d.root_id = p.root_id */)
                 OR EXISTS (SELECT 1 FROM periods c
                     WHERE c.parent_period_id = p.id /*! AND c.root_id = p.root_id */)
                 OR EXISTS (SELECT 1 FROM periods q JOIN updates u ON u.period_id = q.id /*! AND u.root_id = q.root_id */
                     WHERE q.indicator_id = p.indicator_id /*! AND q.root_id = p.root_id */))",
            self.root_of(ProjectId(project))?,
            project,
        )
    }

    /// Queues all periods of a project that have copies below. Answers for how many a job waits now.
    pub(crate) fn queue_periods_with_children(&mut self, project: i64) -> Result<u64, Error> {
        self.queue_found(
            "SELECT p.id FROM periods p WHERE p.project_id = ?1 /*! AND p.root_id = ?root */
             AND EXISTS (SELECT 1 FROM periods c WHERE c.parent_period_id = p.id /*! AND c.root_id = p.root_id */)",
            self.root_of(ProjectId(project))?,
            project,
        )
    }
}
