//! The aggregation worker: jobs that wait are claimed and worked off, one transaction a root.
//!
//! A write wakes it, and it looks by itself every `aggregation.poll_interval`, since another process may queue too, and
//! since jobs that failed come back after a wait. It stands still while memory is short. A root that fails stops no
//! other. Jobs of projects that are being deleted are passed over.

use std::collections::BTreeSet;

use rsr_base::{PeriodId, ProjectId};
use rsr_monitoring::{Scope, Work};
use rsr_store::{Claim, ClaimReport};

use crate::app::App;
use crate::bridge::give_way;
use crate::drain::Phase;

/// Roots looked at together.
const ROOTS: usize = 16;
/// Roots left out of one round, because their jobs could not be taken; past it the rest waits for the next.
const PASSED_MAX: usize = 1_000;
/// Projects with waiting jobs, and levels above each, that are looked at for deletions. What is beyond is computed, and goes
/// with its project.
const PROJECTS_MAX: usize = 10_000;
const ABOVE_MAX: usize = 1_000;

/// Works until the service stops, with as many workers as the settings say.
pub(crate) async fn keep(app: App) {
    let mut workers = tokio::task::JoinSet::new();
    for _worker in 0..app.settings().aggregation.workers {
        workers.spawn(keep_one(app.clone()));
    }
    while let Some(ended) = workers.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "an aggregation worker failed");
        }
    }
    app.drain.reached(Phase::Draining).await;
}

async fn keep_one(app: App) {
    loop {
        let settings = app.settings();
        tokio::select! {
            () = app.drain.reached(Phase::Draining) => return,
            () = app.queued.notified() => {}
            () = tokio::time::sleep(settings.aggregation.poll_interval) => {}
        }
        let work = app.clone();
        let working = tokio::task::spawn_blocking(move || {
            give_way();
            run_waiting(&work);
        });
        if let Err(error) = working.await {
            tracing::error!(%error, "the aggregation worker failed; it goes on");
        }
    }
}

/// Works off every job that may run now, as long as nothing is in the way.
pub(crate) fn run_waiting(app: &App) {
    let mut passed = BTreeSet::new();
    while passed.len() < PASSED_MAX {
        let roots = match app.store.waiting_roots(ROOTS + passed.len()) {
            Ok(roots) => roots,
            Err(error) => {
                tracing::warn!(%error, "the aggregation queue cannot be read");
                return;
            }
        };
        let mut is_done = true;
        for root in roots {
            let must_stop =
                !app.drain.is_serving() || app.watch.pressure.admit(Work::Background).is_err();
            if must_stop {
                return;
            }
            if passed.contains(&root.period) {
                continue;
            }
            is_done = false;
            if !run_root(app, root.period) {
                passed.insert(root.period);
            }
        }
        if is_done {
            return;
        }
        count_jobs(app);
    }
}

/// Works off the jobs of one root; answers whether it could.
fn run_root(app: &App, root: PeriodId) -> bool {
    let settings = app.settings();
    let _reserved = match app.pools.claim() {
        Ok(reserved) => reserved,
        Err(over) => {
            tracing::debug!(%root, %over, "jobs wait until there is memory for them");
            return false;
        }
    };
    let claimed = deleting_below(app, root)
        .and_then(|deleting| app.store.claim_but(root, &settings.aggregation, &deleting));
    let claim = match claimed {
        Ok(claimed) => {
            let skipped = &app.measure.metrics.work.aggregation.skipped;
            skipped.add(claimed.n_skipped);
            match claimed.claim {
                Some(claim) => claim,
                None => return false,
            }
        }
        Err(error) => {
            tracing::warn!(%root, %error, "jobs could not be claimed");
            return false;
        }
    };
    match work_off(app, claim) {
        Ok(report) => {
            tracing::info!(
                %root,
                finished = report.n_finished,
                failed = report.failed.len(),
                periods = report.n_periods,
                changed = report.n_periods_written,
                "aggregated"
            );
            for job in &report.failed {
                let (id, reason) = (job.job, &job.reason);
                if job.is_maxxed {
                    tracing::error!(job = %id, period = %job.period, %reason, "a job was given up");
                } else {
                    tracing::warn!(job = %id, period = %job.period, %reason, "a job failed");
                }
            }
            true
        }
        Err(error) => {
            tracing::error!(%root, %error, "jobs could not be worked off");
            false
        }
    }
}

/// Projects that are being deleted and that jobs under a root belong to, or lie below.
fn deleting_below(app: &App, root: PeriodId) -> Result<Vec<ProjectId>, rsr_store::Error> {
    let mut deleting = BTreeSet::new();
    if !app.deletions.is_idle() {
        let snapshot = app.store.snapshot()?;
        for project in snapshot.projects_waiting(root, PROJECTS_MAX)? {
            let lineage = snapshot.with_ancestors(project, ABOVE_MAX)?;
            deleting.extend(
                lineage
                    .into_iter()
                    .filter(|id| app.deletions.must_skip(*id)),
            );
        }
    }
    Ok(deleting.into_iter().collect())
}

/// Works off what was claimed, and counts what came of it.
fn work_off(app: &App, claim: Claim) -> Result<ClaimReport, rsr_store::Error> {
    let settings = app.settings();
    let done = measured(app, || {
        app.profiles
            .profile_operation(&settings.profiling, "aggregation", || {
                app.store.work_off(claim, &settings.aggregation)
            })
    });
    let aggregation = &app.measure.metrics.work.aggregation;
    match &done {
        Ok(report) => {
            app.caches.forget();
            let [written, unchanged] = &aggregation.periods;
            written.add(report.n_periods_written);
            unchanged.add(report.n_periods.saturating_sub(report.n_periods_written));
            aggregation.failed.add(report.failed.len() as u64);
            aggregation.cycles.add(report.n_cycles);
            aggregation.depth_limited.add(report.n_depth_limited);
        }
        Err(_failed) => aggregation.failed.inc(),
    }
    done
}

/// Removes finished jobs that are old, or too many.
pub(crate) fn prune_jobs(app: &App) {
    match app.store.prune_jobs(&app.settings().aggregation) {
        Ok(0) => {}
        Ok(n_jobs) => tracing::info!(n_jobs, "finished jobs removed"),
        Err(error) => tracing::warn!(%error, "finished jobs could not be removed"),
    }
}

/// Counts the queue for the metrics. O(jobs), so not at each scrape.
pub(crate) fn count_jobs(app: &App) {
    match app
        .store
        .snapshot()
        .and_then(|snapshot| snapshot.job_counts())
    {
        Ok(counts) => app.measure.metrics.work.aggregation.follow_jobs(&counts),
        Err(error) => tracing::debug!(%error, "the aggregation queue was not counted"),
    }
}

/// Counts the time and the memory of an aggregation.
fn measured<T>(app: &App, work: impl FnOnce() -> T) -> T {
    let metrics = &app.measure.metrics.work;
    let began = app.clock.elapsed();
    let scope = Scope::new();
    let done = scope.run(work);
    let took = app.clock.elapsed().saturating_sub(began);
    metrics.aggregation.duration.observe_duration(took);
    let [_export, _deletion, memory] = &metrics.operation_memory;
    if let Some(bytes) = scope.usage().allocated {
        memory.observe_count(bytes.bytes());
    }
    done
}
