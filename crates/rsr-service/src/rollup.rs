//! The aggregation worker: trees in which a job waits are rolled up, one transaction a tree.
//!
//! A write wakes it, and it looks by itself every `aggregation.poll_interval`, since another process may queue too. It
//! waits while memory is short. A tree that fails stops no other, and is tried again after a wait.

use std::collections::BTreeMap;
use std::time::Duration;

use rsr_base::ProjectId;
use rsr_monitoring::{Scope, Work};
use rsr_store::{RollUpError, TreeReport};

use crate::app::App;
use crate::drain::Phase;

/// Trees looked at together.
const ROOTS: usize = 16;
/// Failed trees that are remembered; past it the oldest is tried again early.
const FAILED_MAX: usize = 1_000;

/// Trees that failed, and when each may be tried again.
#[derive(Debug, Default)]
pub(crate) struct Failed(BTreeMap<ProjectId, Duration>);

/// Works until the service stops.
pub(crate) async fn keep(app: App) {
    let mut failed = Failed::default();
    loop {
        let settings = app.settings();
        tokio::select! {
            () = app.drain.reached(Phase::Draining) => return,
            () = app.queued.notified() => {}
            () = tokio::time::sleep(settings.aggregation.poll_interval) => {}
        }
        if settings.aggregation.workers == 0 {
            continue;
        }
        let work = app.clone();
        let mut taken = std::mem::take(&mut failed);
        let run = tokio::task::spawn_blocking(move || {
            run_waiting(&work, &mut taken);
            taken
        });
        match run.await {
            Ok(after) => failed = after,
            Err(error) => tracing::error!(%error, "the aggregation worker failed; it goes on"),
        }
    }
}

/// Rolls up every tree in which a job waits, as long as nothing is in the way.
pub(crate) fn run_waiting(app: &App, failed: &mut Failed) {
    loop {
        let now = app.clock.elapsed();
        failed.0.retain(|_root, until| *until > now);
        let skipped = failed.0.len();
        let roots = app
            .store
            .snapshot()
            .and_then(|snapshot| snapshot.roots_with_jobs(ROOTS + skipped));
        let roots = match roots {
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
            if failed.0.contains_key(&root) || app.deletions.must_skip(root) {
                continue;
            }
            match roll_up(app, root) {
                Ok(_) => is_done = false,
                Err(error) => {
                    tracing::error!(%root, %error, "a tree could not be rolled up");
                    if failed.0.len() == FAILED_MAX {
                        failed.0.pop_first();
                    }
                    let wait = app
                        .settings()
                        .aggregation
                        .retry_wait
                        .max(Duration::from_secs(1));
                    failed.0.insert(root, now + wait);
                }
            }
        }
        if is_done {
            return;
        }
        count_jobs(app);
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

/// Rolls one tree up, and counts what came of it.
pub(crate) fn roll_up(app: &App, root: ProjectId) -> Result<TreeReport, RollUpError> {
    let metrics = &app.measure.metrics.work;
    let began = app.clock.elapsed();
    let scope = Scope::new();
    let done = scope.run(|| app.store.roll_up(root));
    let aggregation = &metrics.aggregation;
    aggregation
        .duration
        .observe_duration(app.clock.elapsed().saturating_sub(began));
    let [_export, _deletion, memory] = &metrics.operation_memory;
    if let Some(bytes) = scope.usage().allocated {
        memory.observe_count(bytes.bytes());
    }
    match &done {
        Ok(report) => {
            app.caches.forget();
            let [written, unchanged] = &aggregation.periods;
            let periods = &report.periods;
            written.add(periods.n_periods_written);
            unchanged.add(periods.n_periods.saturating_sub(periods.n_periods_written));
            let n_cycles = periods.broken.cycles.len();
            aggregation.cycles.add(n_cycles as u64);
            if n_cycles > 0 {
                tracing::warn!(%root, n_cycles, "Circular reference detected among the periods of a tree");
            }
        }
        Err(_failed) => aggregation.failed.inc(),
    }
    done
}
