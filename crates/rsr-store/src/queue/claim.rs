//! Taking jobs, holding them, and ending them as failed.

use std::time::Duration;

use rsr_base::{JobId, PeriodId, ProjectId};
use rsr_settings::AggregationSettings;
use uuid::Uuid;

use super::news::JobNews;
use super::{Claim, Claimed, WaitingRoot};
use crate::error::Error;
use crate::sql::roots::Kind;
use crate::sql::{Roots, id_list, params};
use crate::store::Store;
use crate::tx::Tx;

/// Most jobs of one claim; what is left of a root is claimed next.
const JOBS_MAX: i64 = 10_000;

/// Why a job failed whose worker was not heard of.
const WORKER_LOST: &str = "worker lost";

/// What workers hold while they change what is below a root: the root's id, among numbers that nothing else uses.
const ROOTS: i64 = 0x0052_0000_0000_0000;

/// Stands for the root of what leads into a circle.
const CIRCLES: i64 = 0;

/// Jobs of the root ?1 that may run at ?2.
const MAY_RUN: &str =
    "root_period_id = ?1 AND state IN ('scheduled', 'failed') AND run_after_ms <= ?2";

/// Whether the project of a job is one of the list ?3, or lies below one.
const IS_BELOW: &str =
    "EXISTS (SELECT 1 FROM periods p JOIN positions s ON s.project_id = p.project_id
     JOIN positions d ON d.root_id = s.root_id AND s.place >= d.place AND s.place <= d.last_place
     WHERE p.id = jobs.period_id AND d.project_id IN (SELECT value FROM json_each(?3)))";

impl Store {
    /// Roots with jobs that may run now, the oldest job first, `n` at most: jobs that wait, those that failed and whose
    /// wait is over, and those whose worker's lease ran out; also those with times that lie ahead, which a claim sets right.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn waiting_roots(&self, n: usize) -> Result<Vec<WaitingRoot>, Error> {
        self.inner.jumps.look(&self.inner.clock);
        let snapshot = self.snapshot()?;
        snapshot.db().rows(
            "SELECT j.root_period_id, p.project_id FROM jobs j LEFT JOIN periods p ON p.id = j.root_period_id
             WHERE ((j.state IN ('scheduled', 'failed') AND j.run_after_ms <= ?1)
                 OR (j.state = 'running' AND j.lease_until_ms <= ?1)
                 OR (j.state IN ('running', 'failed') AND j.changed_ms > ?1))
             AND NOT EXISTS (SELECT 1 FROM jobs r WHERE r.root_period_id = j.root_period_id AND r.state = 'running'
                 AND r.lease_until_ms > ?1 AND r.changed_ms <= ?1)
             GROUP BY j.root_period_id, p.project_id ORDER BY min(j.id) LIMIT ?2",
            params![self.now_ms(), i64::try_from(n).unwrap_or(i64::MAX)],
            |row| {
                Ok(WaitingRoot {
                    period: PeriodId(row.int(0)?),
                    project: row.opt_int(1)?.map(ProjectId),
                })
            },
        )
    }

    /// Takes the jobs of a root that may run now. `None` where there are none, or another worker holds the root. Jobs of
    /// a worker whose lease ran out fail first, as with any other failure.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn claim(
        &self,
        root: PeriodId,
        settings: &AggregationSettings,
    ) -> Result<Option<Claim>, Error> {
        Ok(self.claim_but(root, settings, &[])?.claim)
    }

    /// The same, but for jobs whose projects are, or lie below, one that is being deleted.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn claim_but(
        &self,
        root: PeriodId,
        settings: &AggregationSettings,
        deleting: &[ProjectId],
    ) -> Result<Claimed, Error> {
        // What is over now: while this waits for its turn, so may whoever holds the lease.
        let lost_until_ms = self
            .inner
            .jumps
            .lost_until_ms(&self.inner.clock, settings.job_lease);
        let mut tx = self.begin_work(settings.job_lease)?;
        let claimed = tx.claim(root, settings, deleting, lost_until_ms)?;
        tx.commit()?;
        Ok(claimed)
    }
}

impl Tx {
    fn claim(
        &mut self,
        root: PeriodId,
        settings: &AggregationSettings,
        deleting: &[ProjectId],
        lost_until_ms: i64,
    ) -> Result<Claimed, Error> {
        let mut claimed = Claimed::default();
        if !self.db().try_hold(ROOTS ^ root.0)? {
            return Ok(claimed);
        }
        let now_ms = self.now_ms();
        self.bring_to_present(root, settings)?;
        self.fail_lost(root, settings, lost_until_ms)?;
        let held = "SELECT count(*) FROM jobs WHERE root_period_id = ?1 AND state = 'running'";
        if self.db().number(held, params![root])? > 0 {
            return Ok(claimed);
        }
        let deleting = id_list(deleting.iter().map(|id| id.0));
        let skipped = format!("SELECT count(*) FROM jobs WHERE {MAY_RUN} AND {IS_BELOW}");
        let skipped = self
            .db()
            .number(&skipped, params![root, now_ms, &deleting])?;
        claimed.n_skipped = skipped.unsigned_abs();
        let take = format!(
            "UPDATE jobs SET state = 'running', worker = ?4, lease_until_ms = ?5, changed_ms = ?2
             WHERE id IN (SELECT id FROM jobs WHERE {MAY_RUN} AND NOT {IS_BELOW} ORDER BY id LIMIT ?6)
             RETURNING id, period_id"
        );
        let token = Uuid::new_v4().to_string();
        let until = now_ms.saturating_add(millis(settings.job_lease));
        let mut jobs = self.db().rows(
            &take,
            params![root, now_ms, &deleting, &token, until, JOBS_MAX],
            |row| Ok((JobId(row.int(0)?), PeriodId(row.int(1)?))),
        )?;
        jobs.sort_unstable();
        claimed.claim = (!jobs.is_empty()).then_some(Claim { root, token, jobs });
        Ok(claimed)
    }

    /// Brings times that lie ahead to the present, each wait as long as it was: somebody's clock was, or is, ahead of
    /// this one's, and what died or failed then would wait for as long.
    fn bring_to_present(
        &self,
        root: PeriodId,
        settings: &AggregationSettings,
    ) -> Result<(), Error> {
        let now_ms = self.now_ms();
        let until = now_ms.saturating_add(millis(settings.job_lease));
        self.db().execute(
            "UPDATE jobs SET changed_ms = CAST(?2 AS BIGINT), run_after_ms = run_after_ms - (changed_ms - CAST(?2 AS BIGINT)),
                 lease_until_ms = CASE WHEN lease_until_ms > ?3 THEN CAST(?3 AS BIGINT) ELSE lease_until_ms END
             WHERE root_period_id = ?1 AND state IN ('running', 'failed') AND changed_ms > ?2",
            params![root, now_ms, until],
        )?;
        Ok(())
    }

    /// Fails the jobs of a root whose worker's lease ran out, and gives up those that failed as often as is allowed by now.
    fn fail_lost(
        &mut self,
        root: PeriodId,
        settings: &AggregationSettings,
        lost_until_ms: i64,
    ) -> Result<(), Error> {
        let lost = self.db().rows(
            "SELECT id, worker FROM jobs WHERE root_period_id = ?1 AND state = 'running' AND lease_until_ms <= ?2",
            params![root, lost_until_ms],
            |row| Ok((JobId(row.int(0)?), row.string(1)?)),
        )?;
        let mut news = JobNews {
            given_up: self.db().rows(
                "UPDATE jobs SET state = 'maxxed', run_after_ms = 0, changed_ms = ?3
                 WHERE root_period_id = ?1 AND state = 'failed' AND attempts >= ?2 RETURNING id",
                params![root, i64::from(settings.max_attempts), self.now_ms()],
                |row| row.int(0).map(JobId),
            )?,
            ..JobNews::default()
        };
        for (job, worker) in lost {
            self.fail_job(job, &worker, WORKER_LOST, settings, &mut news)?;
        }
        self.tell_of_root(root, &news)
    }

    /// Waits until nobody else works below the roots that the periods have by now, which a move may have changed since
    /// they were queued, or below the root they were queued for; keeps others from it until the end.
    pub(super) fn hold_roots(
        &mut self,
        root: PeriodId,
        jobs: &[(JobId, PeriodId)],
    ) -> Result<(), Error> {
        let periods = id_list(jobs.iter().map(|(_, period)| period.0));
        let trees = jobs.iter().map(|(_, period)| period.0);
        let trees = Roots::of(self.db(), Kind::Period, trees)?;
        let mut roots = self.db().rows(
            "WITH RECURSIVE up(id, parent) AS (
                 SELECT id, parent_period_id FROM periods
                 WHERE id IN (SELECT value FROM json_each(?1)) /*! AND root_id IN ?roots */
                 UNION SELECT p.id, p.parent_period_id
                 FROM up JOIN periods p ON p.id = up.parent /*! AND p.root_id IN ?roots */)
             SELECT id FROM up WHERE parent IS NULL",
            params![&periods, &trees],
            |row| row.int(0),
        )?;
        // What leads into a circle has no root; such work is done one after the other.
        if roots.is_empty() {
            roots.push(CIRCLES);
        }
        roots.push(root.0);
        roots.sort_unstable();
        roots.dedup();
        // All in one order, so that two workers never wait for each other.
        roots
            .into_iter()
            .try_for_each(|id| self.db().hold(ROOTS ^ id))
    }

    /// Renews the lease of what a token holds.
    pub(super) fn renew(
        &mut self,
        token: &str,
        settings: &AggregationSettings,
    ) -> Result<(), Error> {
        let until = self.now_ms().saturating_add(millis(settings.job_lease));
        self.db().execute(
            "UPDATE jobs SET lease_until_ms = ?2 WHERE worker = ?1 AND state = 'running'",
            params![token, until],
        )?;
        Ok(())
    }

    /// Ends a job as failed: to be tried again after a wait, or given up. Answers whether it was given up; `None` where
    /// the token does not hold the job any more.
    pub(super) fn fail_job(
        &mut self,
        job: JobId,
        token: &str,
        reason: &str,
        settings: &AggregationSettings,
        news: &mut JobNews,
    ) -> Result<Option<bool>, Error> {
        let attempts = self.db().row(
            "SELECT attempts + 1 FROM jobs WHERE id = ?1 AND worker = ?2 AND state = 'running'",
            params![job, token],
            |row| row.int(0),
        )?;
        let Some(attempts) = attempts else {
            return Ok(None);
        };
        let attempts_made = u32::try_from(attempts).unwrap_or(u32::MAX);
        let is_maxxed = attempts_made >= settings.max_attempts;
        let (state, run_after) = if is_maxxed {
            ("maxxed", 0)
        } else {
            let wait = wait_before(job, attempts_made, settings);
            ("failed", self.now_ms().saturating_add(millis(wait)))
        };
        self.db().execute(
            "UPDATE jobs SET state = ?2, attempts = ?3, reason = ?4, run_after_ms = ?5, worker = NULL,
                 lease_until_ms = NULL, changed_ms = ?6 WHERE id = ?1",
            params![job, state, attempts, reason, run_after, self.now_ms()],
        )?;
        if is_maxxed {
            news.given_up.push(job);
        } else if attempts_made == 1 {
            news.failed.push(job);
        }
        Ok(Some(is_maxxed))
    }
}

/// How long a job that failed so many times waits: twice as long each time, up to the longest wait, and of that between
/// half and all. The part differs between jobs, so that those which failed together do not come back together.
fn wait_before(job: JobId, attempts: u32, settings: &AggregationSettings) -> Duration {
    let doubled = 2_u32
        .checked_pow(attempts.saturating_sub(1))
        .map_or(Duration::MAX, |factor| {
            settings.retry_wait.saturating_mul(factor)
        });
    let longest = millis(doubled.min(settings.retry_wait_max)).unsigned_abs();
    let spread = scatter(job.0.unsigned_abs() ^ (u64::from(attempts) << 48));
    let half = longest / 2;
    Duration::from_millis(longest - half + spread % (half + 1))
}

/// Spreads numbers that lie close together over all of 64 bits.
///
/// Source: the finaliser of Sebastiano Vigna's SplitMix64.
fn scatter(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use rsr_settings::Settings;

    use super::*;

    #[test]
    fn waits_grow_to_their_longest_and_differ_between_jobs() {
        let settings = Settings::default().aggregation;
        for job in 1..50 {
            let mut before = Duration::ZERO;
            for attempts in 1..40 {
                let wait = wait_before(JobId(job), attempts, &settings);
                let full = settings
                    .retry_wait
                    .saturating_mul(2_u32.saturating_pow(attempts - 1))
                    .min(settings.retry_wait_max);
                assert!(wait * 2 >= full && wait <= full, "{attempts}: {wait:?}");
                if full < settings.retry_wait_max {
                    assert!(wait >= before, "{attempts}: {wait:?} after {before:?}");
                }
                before = wait;
            }
        }
        let waits = (1..50).map(|job| wait_before(JobId(job), 4, &settings));
        let different: std::collections::BTreeSet<Duration> = waits.collect();
        assert!(different.len() > 40, "{}", different.len());
    }
}
