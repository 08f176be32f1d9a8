//! One run of some jobs: climbed, written and ended in one transaction.

use std::error::Error as _;

use rsr_aggregation::{ClimbLimits, ClimbReport, ComputeError, Warning, climb};
use rsr_base::{JobId, PeriodId};
use rsr_settings::AggregationSettings;

use super::{ClaimReport, FailedJob, lease_lost};
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
        token: &str,
        jobs: &[(JobId, PeriodId)],
        limits: ClimbLimits,
        settings: &AggregationSettings,
        report: &mut ClaimReport,
    ) -> Result<Tried, Error> {
        let mut tx = self.begin()?;
        tx.require_held(token, jobs)?;
        let run = tx.run(token, jobs, limits, settings);
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
        token: &str,
        jobs: &[(JobId, PeriodId)],
        limits: ClimbLimits,
        settings: &AggregationSettings,
    ) -> Result<ClaimReport, Failure> {
        self.hold(token, settings)?;
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
        for &(job, period) in jobs {
            self.end(token, job, period, &climbed, settings, &mut report)?;
        }
        Ok(report)
    }

    /// Ends one job by how its climb went.
    fn end(
        &mut self,
        token: &str,
        job: JobId,
        period: PeriodId,
        climbed: &ClimbReport,
        settings: &AggregationSettings,
        report: &mut ClaimReport,
    ) -> Result<(), Error> {
        let Some(warning) = climbed.warnings.get(&period) else {
            report.n_finished += self.db().execute(
                "UPDATE jobs SET state = 'finished', attempts = attempts + 1, reason = NULL, run_after_ms = 0,
                     worker = NULL, lease_until_ms = NULL, changed_ms = ?3
                 WHERE id = ?1 AND worker = ?2 AND state = 'running'",
                params![job, token, self.now_ms()],
            )? as u64;
            return Ok(());
        };
        match warning {
            Warning::DepthLimited { .. } => report.n_depth_limited += 1,
            _ => report.n_cycles += 1,
        }
        let reason = warning.to_string();
        tracing::warn!(%job, "{reason}");
        if let Some(is_maxxed) = self.fail_job(job, token, &reason, settings)? {
            report.failed.push(FailedJob {
                job,
                period,
                reason,
                is_maxxed,
            });
        }
        Ok(())
    }
}
