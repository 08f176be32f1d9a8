//! `rsr jobs`: the aggregation queue listed, asked again, worked off.

use std::collections::BTreeSet;

use rsr_base::{JobId, PeriodId, ProjectId};
use rsr_hierarchy::Viewer;
use rsr_store::{ClaimReport, Conflict, Error, FailedJob, JobFilter, Recalculation, Store};
use serde_json::json;

use crate::cli::Jobs;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Format, Out, note};
use crate::table::Table;

/// Roots of jobs that are read at once.
const ROOTS_AT_ONCE: usize = 1_000;
const STATES: [&str; 5] = ["scheduled", "running", "finished", "failed", "maxxed"];

/// Lists jobs, or works off those that wait.
pub(crate) fn run(context: &Context, which: &Jobs) -> Outcome {
    match which {
        Jobs::List {
            state,
            root_period,
            limit,
        } => {
            let root = root_period.map(PeriodId);
            list(context, state.as_deref(), root, *limit as usize)
        }
        Jobs::Recalculate {
            project,
            quantitative,
            all,
        } => {
            let which = match (all, quantitative) {
                (true, _) => Recalculation::All,
                (false, true) => Recalculation::Quantitative,
                (false, false) => Recalculation::Reported,
            };
            recalculate(context, ProjectId(*project), which)
        }
        Jobs::Run => work_off(context),
        Jobs::Retry { id } => retry(context, JobId(*id)),
    }
}

fn list(
    context: &Context,
    state: Option<&str>,
    root_period: Option<PeriodId>,
    limit: usize,
) -> Outcome {
    context.accept(&[Format::Text, Format::Json, Format::Tsv])?;
    if let Some(state) = state.filter(|state| !STATES.contains(state)) {
        let known = STATES.join(", ");
        return Err(Failure::new(
            Exit::Usage,
            format_args!("--state {state} is none of {known}"),
        ));
    }
    let filter = JobFilter { state, root_period };
    let snapshot = context.existing_store()?.snapshot()?;
    let jobs = snapshot.jobs_seen_by(Viewer::Administrator, filter, limit)?;
    let mut out = Out::new();
    let mut table = Table::new(["job", "project", "period", "state", "attempts", "reason"]);
    for job in jobs {
        if context.is_json() {
            out.json(&json!({
                "id": job.id.0,
                "project": job.project.0,
                "period": job.period.0,
                "root_period": job.root_period.0,
                "state": job.state,
                "attempts": job.attempts,
                "reason": job.reason,
                "run_after_ms": job.run_after_ms,
                "created_ms": job.created_ms,
                "changed_ms": job.changed_ms,
            }))?;
        }
        table.row([
            job.id.to_string(),
            job.project.to_string(),
            job.period.to_string(),
            job.state,
            job.attempts.to_string(),
            job.reason.unwrap_or_default(),
        ]);
    }
    match context.format {
        Format::Json => {}
        Format::Tsv => out.line(table.tsv())?,
        _ => out.line(table.aligned())?,
    }
    out.end(Exit::Done)
}

/// Queues the periods of a project and of all below it.
fn recalculate(context: &Context, project: ProjectId, which: Recalculation) -> Outcome {
    context.accept(&[Format::Text, Format::Json])?;
    let store = context.existing_store()?;
    let n_waiting = store.write(|tx| tx.recalculate(project, which))?;
    let mut out = Out::new();
    if context.is_json() {
        out.json(&json!({ "project": project.0, "jobs_waiting": n_waiting }))?;
    } else {
        out.line(format_args!(
            "{n_waiting} jobs wait in project {project} and below it; `rsr jobs run`, a worker or the service does them"
        ))?;
    }
    out.end(Exit::Done)
}

/// Queues the period of a job that was given up.
fn retry(context: &Context, id: JobId) -> Outcome {
    context.accept(&[Format::Text, Format::Json])?;
    let store = context.existing_store()?;
    let queued = store.write(|tx| {
        let queued = tx.retry_job(id)?;
        tx.job(queued)
    })?;
    let mut out = Out::new();
    if context.is_json() {
        out.json(&json!({
            "id": queued.id.0,
            "project": queued.project.0,
            "period": queued.period.0,
            "state": queued.state,
            "retry_of": id.0,
        }))?;
    } else {
        out.line(format_args!(
            "job {} waits for period {}; job {id} stays as history",
            queued.id, queued.period
        ))?;
    }
    out.end(Exit::Done)
}

/// Works off every job that may run now; what fails is reported and stops nothing else. Stops between two roots at
/// Ctrl-C.
fn work_off(context: &Context) -> Outcome {
    context.accept(&[Format::Text, Format::Json])?;
    let store = context.existing_store()?;
    let mut totals = Totals::default();
    let mut passed = BTreeSet::new();
    'all: loop {
        let mut roots = store.waiting_roots(ROOTS_AT_ONCE + passed.len())?;
        roots.retain(|root| !passed.contains(&root.period));
        if roots.is_empty() {
            break;
        }
        for root in roots {
            if context.interrupt.is_raised() {
                totals.is_stopped = true;
                break 'all;
            }
            if !totals.run_root(context, &store, root.period)? {
                passed.insert(root.period);
            }
        }
    }
    totals.tell(context)
}

/// What working off came to.
#[derive(Debug, Default)]
struct Totals {
    n_roots: u64,
    done: ClaimReport,
    failed: Vec<FailedJob>,
    is_stopped: bool,
}

impl Totals {
    /// Works off the jobs of one root; answers whether this process could take them.
    fn run_root(
        &mut self,
        context: &Context,
        store: &Store,
        root: PeriodId,
    ) -> Result<bool, Failure> {
        let settings = &context.settings().aggregation;
        let Some(claim) = store.claim(root, settings)? else {
            return Ok(false);
        };
        match store.work_off(claim, settings) {
            Ok(report) => {
                self.n_roots += 1;
                self.done.n_finished += report.n_finished;
                self.done.n_periods += report.n_periods;
                self.done.n_periods_written += report.n_periods_written;
                self.done.n_disaggregations_written += report.n_disaggregations_written;
                self.failed.extend(report.failed);
                Ok(true)
            }
            Err(Error::Conflict(Conflict::LeaseLost(_))) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn tell(&self, context: &Context) -> Outcome {
        let done = &self.done;
        let mut out = Out::new();
        if context.is_json() {
            let failed = self.failed.iter().map(|failed| {
                json!({
                    "job": failed.job.0,
                    "period": failed.period.0,
                    "reason": failed.reason,
                    "given_up": failed.is_maxxed,
                })
            });
            out.json(&json!({
                "roots": self.n_roots,
                "periods": done.n_periods,
                "periods_changed": done.n_periods_written,
                "disaggregations_changed": done.n_disaggregations_written,
                "jobs_finished": done.n_finished,
                "failed": failed.collect::<Vec<_>>(),
                "stopped": self.is_stopped,
            }))?;
        } else {
            out.line(format_args!(
                "{} jobs done, {} failed; {} periods computed, {} changed; {} disaggregations changed",
                done.n_finished,
                self.failed.len(),
                done.n_periods,
                done.n_periods_written,
                done.n_disaggregations_written
            ))?;
        }
        out.flush()?;
        for failed in &self.failed {
            let next = if failed.is_maxxed {
                "given up"
            } else {
                "tried again after a wait"
            };
            note(format_args!(
                "job {} for period {} failed, {next}: {}",
                failed.job, failed.period, failed.reason
            ));
        }
        if self.is_stopped {
            return Err(Failure::new(
                Exit::PartWay,
                "stopped: the jobs counted above are done, the same command does the rest",
            ));
        }
        out.end(if self.failed.is_empty() {
            Exit::Done
        } else {
            Exit::PartWay
        })
    }
}
