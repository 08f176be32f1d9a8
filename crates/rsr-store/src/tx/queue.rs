//! What a change puts into the aggregation queue, in the transaction of the change itself.

use rsr_base::{JobId, PeriodId};

use super::Tx;
use crate::error::{Conflict, Error};
use crate::sql::params;

impl Tx {
    /// Queues the periods whose sums a change in one period changes (aggregation rules 34 and 35).
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn queue_changed_period(&mut self, period: PeriodId) -> Result<(), Error> {
        let affected = self.db().rows(
            "SELECT p.id FROM periods c JOIN indicators i ON i.id = c.indicator_id
             JOIN periods p ON p.indicator_id = i.id
             WHERE c.id = ?1 AND (p.id = c.id OR (i.is_cumulative = 1 AND NOT (i.kind = 1 AND i.measure = '2')
                 AND (p.start_date >= c.start_date OR p.end_date > c.end_date OR p.end_date IS NULL)))
             ORDER BY p.start_date NULLS FIRST, p.id",
            params![period],
            |row| row.int(0),
        )?;
        for period in affected {
            self.queue_period(PeriodId(period))?;
        }
        Ok(())
    }

    /// Queues one period: renews the job that waits for it, or makes one.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn queue_period(&mut self, period: PeriodId) -> Result<(), Error> {
        self.db().execute(
            "INSERT INTO jobs (period_id, root_period_id, state, created_ms, changed_ms)
             SELECT ?1, coalesce(CAST(?2 AS BIGINT), ?1), 'scheduled', ?3, ?3 FROM periods WHERE id = ?1
             ON CONFLICT (period_id) WHERE state = 'scheduled' DO UPDATE SET changed_ms = excluded.changed_ms,
                 root_period_id = excluded.root_period_id",
            params![period, self.root_period(period)?, self.now_ms],
        )?;
        Ok(())
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

    /// Queues the parents of a project's periods: their sums change when the project's switch, or its place, does. Answers how
    /// many.
    pub(crate) fn queue_periods_above(&mut self, project: i64) -> Result<u64, Error> {
        self.queue_listed(
            "SELECT DISTINCT parent_period_id FROM periods WHERE project_id = ?1 AND parent_period_id IS NOT NULL",
            project,
        )
    }

    /// Queues all periods of a project that have copies below. Answers how many.
    pub(crate) fn queue_periods_with_children(&mut self, project: i64) -> Result<u64, Error> {
        self.queue_listed(
            "SELECT p.id FROM periods p WHERE p.project_id = ?1
             AND EXISTS (SELECT 1 FROM periods c WHERE c.parent_period_id = p.id)",
            project,
        )
    }

    fn queue_listed(&mut self, sql: &str, project: i64) -> Result<u64, Error> {
        let listed = self.db().rows(sql, params![project], |row| row.int(0))?;
        for period in &listed {
            self.queue_period(PeriodId(*period))?;
        }
        Ok(listed.len() as u64)
    }

    /// The topmost period above one: itself where it has no parent, nothing in a cycle.
    fn root_period(&self, period: PeriodId) -> Result<Option<i64>, Error> {
        self.db().row(
            "WITH RECURSIVE up(id, parent) AS (
                 SELECT id, parent_period_id FROM periods WHERE id = ?1
                 UNION SELECT p.id, p.parent_period_id FROM up JOIN periods p ON p.id = up.parent)
             SELECT id FROM up WHERE parent IS NULL",
            params![period],
            |row| row.int(0),
        )
    }
}
