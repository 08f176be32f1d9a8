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
mod jumps;
mod news;
mod prune;

use rsr_aggregation::ClimbLimits;
use rsr_base::{JobId, PeriodId, ProjectId};
use rsr_settings::AggregationSettings;

use crate::error::{Conflict, Error};
use crate::store::Store;
use crate::tx::Tx;
use attempt::{Failure, Tried};
pub(crate) use jumps::Jumps;
pub(crate) use news::JobNews;

/// How often a busy database is asked again at most, where no time passes meanwhile.
const QUESTIONS_MAX: u32 = 100;

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
    /// transaction. Where the numbers of some job cannot be computed, each half of the jobs is tried by itself, and so on, so
    /// that only those fail that must.
    ///
    /// The lease is renewed when a transaction begins, for all jobs that are left. Until it ends nobody else takes the jobs
    /// over, whatever the clock says, unless nothing is heard of the worker for the time of a lease. A database that is busy is
    /// waited for as long.
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
        // Those that come next are at the end.
        let mut left = vec![&jobs[..]];
        while let Some(jobs) = left.pop() {
            let failure = match self.attempt(root, &token, jobs, limits, settings, &mut report)? {
                Tried::Done => continue,
                Tried::Failed(failure) => failure,
            };
            if failure.is_of_store() {
                left.push(jobs);
                let all = left.concat();
                self.fail(root, &token, &all, &failure, settings, &mut report)?;
                return failure.into_store().map_or(Ok(report), Err);
            }
            if jobs.len() == 1 {
                self.fail(root, &token, jobs, &failure, settings, &mut report)?;
            } else {
                let (first, second) = jobs.split_at(jobs.len() / 2);
                left.extend([second, first]);
            }
        }
        Ok(report)
    }

    /// Begins a transaction about jobs that are held. While the database is busy it asks again, for the time of a lease: to
    /// give up would leave the jobs to their lease, as if this worker had died.
    fn begin_held(&self, settings: &AggregationSettings) -> Result<Tx, Error> {
        let clock = &self.inner.clock;
        let until = clock.elapsed().saturating_add(settings.job_lease);
        for _question in 0..QUESTIONS_MAX {
            match self.begin_work(settings.job_lease) {
                Err(Error::Busy { .. } | Error::Locked) if clock.elapsed() < until => {}
                begun => return begun,
            }
        }
        self.begin_work(settings.job_lease)
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
        let mut tx = self.begin_held(settings)?;
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
