//! Taking jobs, holding them, and ending them as failed.

use std::time::Duration;

use rsr_base::{JobId, PeriodId, ProjectId};
use rsr_settings::AggregationSettings;
use uuid::Uuid;

use super::{Claim, WaitingRoot};
use crate::error::Error;
use crate::sql::params;
use crate::store::Store;
use crate::tx::Tx;

/// Most jobs of one claim; what is left of a root is claimed next.
const JOBS_MAX: i64 = 1_000;

/// Why a job failed whose worker was not heard of.
const WORKER_LOST: &str = "worker lost";

impl Store {
    /// Roots with jobs that may run now, the oldest job first, `n` at most: jobs that wait, those that failed and whose
    /// wait is over, and those whose worker's lease ran out.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn waiting_roots(&self, n: usize) -> Result<Vec<WaitingRoot>, Error> {
        let snapshot = self.snapshot()?;
        snapshot.db().rows(
            "SELECT j.root_period_id, p.project_id FROM jobs j LEFT JOIN periods p ON p.id = j.root_period_id
             WHERE ((j.state IN ('scheduled', 'failed') AND j.run_after_ms <= ?1)
                 OR (j.state = 'running' AND j.lease_until_ms <= ?1))
             AND NOT EXISTS (SELECT 1 FROM jobs r WHERE r.root_period_id = j.root_period_id AND r.state = 'running'
                 AND r.lease_until_ms > ?1)
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
        self.write(|tx| tx.claim(root, settings))
    }
}

impl Tx {
    fn claim(
        &mut self,
        root: PeriodId,
        settings: &AggregationSettings,
    ) -> Result<Option<Claim>, Error> {
        let now_ms = self.now_ms();
        let lost = self.db().rows(
            "SELECT id, worker FROM jobs WHERE root_period_id = ?1 AND state = 'running' AND lease_until_ms <= ?2",
            params![root, now_ms],
            |row| Ok((JobId(row.int(0)?), row.string(1)?)),
        )?;
        for (job, worker) in lost {
            self.fail_job(job, &worker, WORKER_LOST, settings)?;
        }
        let held = "SELECT count(*) FROM jobs WHERE root_period_id = ?1 AND state = 'running'";
        if self.db().number(held, params![root])? > 0 {
            return Ok(None);
        }
        let token = Uuid::new_v4().to_string();
        let mut jobs = self.db().rows(
            "UPDATE jobs SET state = 'running', worker = ?1, lease_until_ms = ?2, changed_ms = ?3
             WHERE id IN (SELECT id FROM jobs WHERE root_period_id = ?4 AND state IN ('scheduled', 'failed')
                 AND run_after_ms <= ?3 ORDER BY id LIMIT ?5)
             RETURNING id, period_id",
            params![
                &token,
                now_ms.saturating_add(millis(settings.job_lease)),
                now_ms,
                root,
                JOBS_MAX
            ],
            |row| Ok((JobId(row.int(0)?), PeriodId(row.int(1)?))),
        )?;
        jobs.sort_unstable();
        Ok((!jobs.is_empty()).then_some(Claim { root, token, jobs }))
    }

    /// Renews the lease of what a token holds.
    pub(super) fn hold(
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
