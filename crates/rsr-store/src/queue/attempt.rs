//! One run of some jobs: climbed, written and ended in one transaction.

use std::error::Error as _;

use rsr_aggregation::{ClimbLimits, ComputeError, Warning, climb};
use rsr_base::{JobId, PeriodId};
use rsr_settings::AggregationSettings;

use super::{ClaimReport, FailedJob, JobNews, lease_lost};
use crate::error::Error;
use crate::rollup::PeriodRows;
use crate::sql::{id_list, params};
use crate::store::Store;
use crate::tx::Tx;

/// How a run went.
pub(super) enum Tried {
    /// Its jobs have ended, well or with a warning as their reason.
    Done,
    /// Nothing was changed.
    Failed(Failure),
}

/// Why a run changed nothing.
pub(super) enum Failure {
    Store(Error),
    Numbers(ComputeError<Error>),
}

impl Failure {
    pub(super) fn is_of_store(&self) -> bool {
        matches!(self, Self::Store(_))
    }

    pub(super) fn into_store(self) -> Option<Error> {
        match self {
            Self::Store(error) => Some(error),
            Self::Numbers(_) => None,
        }
    }

    /// For people, with the cause.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Store(error) => match error.source() {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            },
            Self::Numbers(error) => error.to_string(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<ComputeError<Error>> for Failure {
    fn from(error: ComputeError<Error>) -> Self {
        match error {
            ComputeError::Source { error, .. } => Self::Store(error),
            error => Self::Numbers(error),
        }
    }
}

impl Store {
    /// Runs jobs that the token must still hold.
    pub(super) fn attempt(
        &self,
        root: PeriodId,
        token: &str,
        jobs: &[(JobId, PeriodId)],
        limits: ClimbLimits,
        settings: &AggregationSettings,
        report: &mut ClaimReport,
    ) -> Result<Tried, Error> {
        let mut tx = self.begin_held(settings)?;
        tx.hold_roots(root, jobs)?;
        tx.require_held(token, jobs)?;
        let run = tx.run(root, token, jobs, limits, settings);
        let kept = run.and_then(|done| {
            tx.commit()?;
            Ok(done)
        });
        match kept {
            Ok(done) => {
                report.add(done);
                Ok(Tried::Done)
            }
            Err(failure) => Ok(Tried::Failed(failure)),
        }
    }
}

impl ClaimReport {
    fn count(&mut self, warning: &Warning) {
        match warning {
            Warning::DepthLimited { .. } => self.n_depth_limited += 1,
            _ => self.n_cycles += 1,
        }
    }

    fn add(&mut self, mut run: Self) {
        self.n_finished += run.n_finished;
        self.failed.append(&mut run.failed);
        self.n_periods += run.n_periods;
        self.n_periods_written += run.n_periods_written;
        self.n_disaggregations_written += run.n_disaggregations_written;
        self.n_depth_limited += run.n_depth_limited;
        self.n_cycles += run.n_cycles;
    }
}

impl Tx {
    /// Fails where another worker has taken one of the jobs over. A job that is gone with its period is nobody's.
    fn require_held(&self, token: &str, jobs: &[(JobId, PeriodId)]) -> Result<(), Error> {
        let ids = id_list(jobs.iter().map(|(job, _)| job.0));
        let taken = self.db().number(
            "SELECT coalesce(min(id), 0) FROM jobs WHERE id IN (SELECT value FROM json_each(?1))
             AND NOT (state = 'running' AND worker = ?2)",
            params![&ids, token],
        )?;
        match taken {
            0 => Ok(()),
            job => Err(lease_lost(job)),
        }
    }

    fn run(
        &mut self,
        root: PeriodId,
        token: &str,
        jobs: &[(JobId, PeriodId)],
        limits: ClimbLimits,
        settings: &AggregationSettings,
    ) -> Result<ClaimReport, Failure> {
        self.renew(token, settings)?;
        let mut starts: Vec<PeriodId> = jobs.iter().map(|(_, period)| *period).collect();
        starts.sort_unstable();
        starts.dedup();
        let mut rows = PeriodRows::new(self.db());
        let climbed = climb(&mut rows, &starts, limits)?;
        let mut report = ClaimReport {
            n_periods: climbed.n_computed,
            n_periods_written: rows.n_periods_written,
            n_disaggregations_written: rows.n_disaggregations_written,
            ..ClaimReport::default()
        };
        let mut news = JobNews::default();
        let mut done = Vec::new();
        for &(job, period) in jobs {
            match climbed.warnings.get(&period) {
                None => done.push(job),
                Some(warning) => {
                    report.count(warning);
                    let reason = warning.to_string();
                    tracing::warn!(%job, "{reason}");
                    let ended = self.fail_job(job, token, &reason, settings, &mut news)?;
                    report.failed.extend(ended.map(|is_maxxed| FailedJob {
                        job,
                        period,
                        reason,
                        is_maxxed,
                    }));
                }
            }
        }
        report.n_finished += self.finish(token, &done, &mut news)?;
        self.tell_of_root(root, &news)?;
        Ok(report)
    }

    /// Ends jobs well. Answers how many of them the token still held.
    fn finish(&mut self, token: &str, jobs: &[JobId], news: &mut JobNews) -> Result<u64, Error> {
        let ended = self.db().rows(
            "UPDATE jobs SET state = 'finished', attempts = attempts + 1, reason = NULL, run_after_ms = 0,
                 worker = NULL, lease_until_ms = NULL, changed_ms = ?3
             WHERE id IN (SELECT value FROM json_each(?1)) AND worker = ?2 AND state = 'running'
             RETURNING id, attempts",
            params![&id_list(jobs.iter().map(|job| job.0)), token, self.now_ms()],
            |row| Ok((JobId(row.int(0)?), row.int(1)?)),
        )?;
        let again = ended.iter().filter(|(_, attempts)| *attempts > 1);
        news.recovered.extend(again.map(|(job, _)| *job));
        news.recovered.sort_unstable();
        Ok(ended.len() as u64)
    }
}
