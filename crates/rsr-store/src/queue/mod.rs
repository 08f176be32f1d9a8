//! The aggregation queue worked off: claims, attempts, and what becomes of what failed (aggregation rules 36 to 39, 43).
//!
//! ```text
//!  scheduled ──► running ──► finished
//!      ▲            │
//!      │            ▼      attempts left: after a wait that doubles
//!      └───────── failed ──► maxxed      (no attempts left; a person may ask again)
//! ```
//!
//! A worker takes all jobs of one root together, so that each period above them is computed once, and no second worker
//! takes the same root meanwhile. What it holds is marked with a token of its own and ends with a lease: a worker that died is
//! seen by that alone, on whatever machine it ran, and one that comes back late finds its token gone.
//!
//! Where the engine lets them, workers of different roots write side by side, and nobody else writes meanwhile, so that
//! what they read stays as it is. Two workers never meet below one root: claiming and working both hold the root's number, the
//! one without waiting, so that it goes on to the next root, the other until its turn comes.

mod attempt;
mod claim;
mod news;
mod prune;

use rsr_aggregation::ClimbLimits;
use rsr_base::{JobId, PeriodId, ProjectId};
use rsr_settings::AggregationSettings;

use crate::error::{Conflict, Error};
use crate::store::Store;
use attempt::{Failure, Tried};
pub(crate) use news::JobNews;

/// A root with jobs that may run now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitingRoot {
    /// The topmost period above them.
    pub period: PeriodId,
    /// Its project, unless the period is gone.
    pub project: Option<ProjectId>,
}

/// Jobs under one root, held by one worker until its lease ends. Dropped without being worked off, they are taken from
/// it when that happens.
#[derive(Debug)]
#[must_use = "the jobs stay claimed until the lease ends"]
pub struct Claim {
    root: PeriodId,
    token: String,
    jobs: Vec<(JobId, PeriodId)>,
}

impl Claim {
    /// The topmost period above the jobs.
    #[must_use]
    pub fn root(&self) -> PeriodId {
        self.root
    }

    /// The jobs, the oldest first, with the period each is for.
    #[must_use]
    pub fn jobs(&self) -> &[(JobId, PeriodId)] {
        &self.jobs
    }
}

/// What a worker gets that asks for the jobs of a root.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Claimed {
    /// What it may work off; `None` where there is nothing, or another worker holds the root.
    pub claim: Option<Claim>,
    /// Jobs that were passed over, since their projects are being deleted.
    pub n_skipped: u64,
}

/// A job whose run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedJob {
    /// The job.
    pub job: JobId,
    /// The period it was for.
    pub period: PeriodId,
    /// Why.
    pub reason: String,
    /// Whether it was the last attempt.
    pub is_maxxed: bool,
}

/// What working off a claim came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimReport {
    /// Jobs that are done.
    pub n_finished: u64,
    /// Jobs that failed; what each wrote is kept where links led in a circle or too far up, and undone otherwise.
    pub failed: Vec<FailedJob>,
    /// Periods computed.
    pub n_periods: u64,
    /// Periods whose stored numbers changed.
    pub n_periods_written: u64,
    /// Disaggregations whose stored numbers changed.
    pub n_disaggregations_written: u64,
    /// Jobs that met the limit of levels.
    pub n_depth_limited: u64,
    /// Jobs that met a circle.
    pub n_cycles: u64,
}

impl Store {
    /// Computes the periods of the claimed jobs and everything above them, each once, and ends the jobs. All of it is one
    /// transaction. Where the numbers of one job cannot be computed, each job of the claim is tried by itself, so that
    /// only those fail that must.
    ///
    /// The lease is renewed when the transaction begins. Until it ends nobody else takes the jobs over, whatever the clock
    /// says, unless nothing is heard of the worker for the time of a lease.
    ///
    /// # Errors
    ///
    /// [`Conflict::LeaseLost`] where the lease had run out and the jobs were taken over: nothing more was changed. Those of the
    /// database: the jobs have failed where that could still be noted, else their lease runs out.
    pub fn work_off(
        &self,
        claim: Claim,
        settings: &AggregationSettings,
    ) -> Result<ClaimReport, Error> {
        let Claim { root, token, jobs } = claim;
        let limits = ClimbLimits::from(settings);
        let mut report = ClaimReport::default();
        match self.attempt(root, &token, &jobs, limits, settings, &mut report)? {
            Tried::Done => return Ok(report),
            Tried::Failed(failure) if jobs.len() == 1 || failure.is_of_store() => {
                self.fail(root, &token, &jobs, &failure, settings, &mut report)?;
                return failure.into_store().map_or(Ok(report), Err);
            }
            Tried::Failed(_) => {}
        }
        for job in jobs.chunks(1) {
            match self.attempt(root, &token, job, limits, settings, &mut report)? {
                Tried::Done => {}
                Tried::Failed(failure) => {
                    self.fail(root, &token, job, &failure, settings, &mut report)?;
                    if let Some(error) = failure.into_store() {
                        return Err(error);
                    }
                }
            }
        }
        Ok(report)
    }

    /// Ends jobs as failed, in a transaction of its own.
    fn fail(
        &self,
        root: PeriodId,
        token: &str,
        jobs: &[(JobId, PeriodId)],
        failure: &Failure,
        settings: &AggregationSettings,
        report: &mut ClaimReport,
    ) -> Result<(), Error> {
        let reason = failure.reason();
        let mut failed = Vec::new();
        let mut news = JobNews::default();
        let mut tx = self.begin_work(settings.job_lease)?;
        tx.renew(token, settings)?;
        for &(job, period) in jobs {
            if let Some(is_maxxed) = tx.fail_job(job, token, &reason, settings, &mut news)? {
                failed.push(FailedJob {
                    job,
                    period,
                    reason: reason.clone(),
                    is_maxxed,
                });
            }
        }
        tx.tell_of_root(root, &news)?;
        tx.commit()?;
        report.failed.append(&mut failed);
        Ok(())
    }
}

/// A worker that no longer holds what it works on.
fn lease_lost(job: i64) -> Error {
    Conflict::LeaseLost(job).into()
}
