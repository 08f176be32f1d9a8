//! What looks after the service while it runs: pressure, leaks, sweeps. One beat a second, each duty when it is due.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rsr_base::{MemoryBudget, SharedClock};
use rsr_cache::CacheRegistry;
use rsr_monitoring::{
    LeakDetector, LeakEvent, LeakSample, Outlook, Pressure, PressureLevel, Reading,
};
use rsr_settings::Settings;

use crate::app::App;
use crate::drain::Phase;
use crate::rollup;
use crate::timeline::Timeline;

/// The state of memory, as it is judged while the service runs.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) pressure: Pressure,
    pub(crate) budget: MemoryBudget,
    leaks: Mutex<LeakDetector>,
    rate: Mutex<Rate>,
    timeline: Mutex<Timeline>,
}

/// Requests a second between two samples.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    at: Duration,
    n_ended: u64,
    known: Option<f64>,
}

impl Rate {
    /// Takes the number of requests that have ended so far.
    #[expect(clippy::cast_precision_loss, reason = "requests between two samples")]
    fn follow(&mut self, at: Duration, n_ended: u64) -> Option<f64> {
        /// A sample soon after another says nothing new.
        const SHORTEST: Duration = Duration::from_secs(10);
        let since = at.saturating_sub(self.at);
        if since >= SHORTEST {
            let ended = n_ended.saturating_sub(self.n_ended) as f64;
            *self = Self {
                at,
                n_ended,
                known: Some(ended / since.as_secs_f64()),
            };
        }
        self.known
    }
}

/// Memory at one moment, for the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) at: Duration,
    /// Bytes of the heap, or what comes nearest.
    pub(crate) held: u64,
    pub(crate) resident: u64,
}

impl Watch {
    pub(crate) fn new(settings: &Settings, budget: MemoryBudget, clock: SharedClock) -> Self {
        let pressure = Pressure::new((&settings.memory).into(), budget.clone(), clock);
        pressure.set_limit(settings.memory.limit);
        Self {
            pressure,
            budget,
            leaks: Mutex::new(LeakDetector::new((&settings.leaks).into())),
            rate: Mutex::default(),
            timeline: Mutex::default(),
        }
    }

    /// What is known about leaks now.
    pub(crate) fn outlook(&self) -> Outlook {
        self.detector().outlook()
    }

    /// Takes a sample at once, and judges.
    pub(crate) fn sample(
        &self,
        at: Duration,
        reading: &Reading,
        caches: &CacheRegistry,
        n_ended: u64,
    ) -> Option<LeakEvent> {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let load = rate.follow(at, n_ended);
        drop(rate);
        let allocated = reading
            .heap
            .map(|heap| heap.allocated)
            .or(reading.process.map(|process| process.resident))?;
        self.detector().observe(&LeakSample {
            at,
            allocated,
            accounted: caches.stats_all().global.total_bytes,
            resident: reading.process.map(|process| process.resident),
            load,
        })
    }

    /// The last hour, oldest first.
    pub(crate) fn history(&self) -> Vec<Moment> {
        self.lock_timeline().hour()
    }

    /// Everything that is known, oldest first, the older the coarser.
    pub(crate) fn timeline(&self) -> Vec<Moment> {
        self.lock_timeline().all()
    }

    /// Takes back what the run before has kept. Its moments get the places before the first of this run.
    pub(crate) fn load(&self, path: &Path, wall: SystemTime) -> Duration {
        let Some(left) = Timeline::load(path, wall) else {
            return Duration::ZERO;
        };
        let oldest = left
            .iter()
            .map(|(age, _, _)| *age)
            .max()
            .unwrap_or_default();
        let mut timeline = self.lock_timeline();
        for (age, held, resident) in left {
            timeline.push(Moment {
                at: oldest.saturating_sub(age),
                held,
                resident,
            });
        }
        oldest
    }

    fn save(&self, path: &Path, wall: SystemTime, now: Duration) {
        if let Err(error) = self.lock_timeline().save(path, wall, now) {
            tracing::warn!(file = %path.display(), %error, "the memory history is not kept");
        }
    }

    fn remember(&self, at: Duration, reading: &Reading) {
        let Some(process) = reading.process else {
            return;
        };
        let held = reading.heap.map_or(process.resident, |heap| heap.allocated);
        self.lock_timeline().push(Moment {
            at,
            held: held.bytes(),
            resident: process.resident.bytes(),
        });
    }

    fn lock_timeline(&self) -> std::sync::MutexGuard<'_, Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the history: a new base begins now.
    pub(crate) fn reset(&self) {
        self.detector().reset();
    }

    fn follow(&self, settings: &Settings) {
        self.pressure.set_steps((&settings.memory).into());
        self.detector().set_rules((&settings.leaks).into());
    }

    fn detector(&self) -> std::sync::MutexGuard<'_, LeakDetector> {
        self.leaks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Time between two beats.
const BEAT: Duration = Duration::from_secs(1);
/// Time between two looks for finished jobs that may go.
const PRUNE_EVERY: Duration = Duration::from_secs(600);

/// Beats until the service stops.
pub(crate) async fn keep(app: App) {
    let mut duties = Duties::begin(&app);
    let mut beats = tokio::time::interval(BEAT);
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.drain.reached(Phase::Draining) => return,
            _now = beats.tick() => {}
        }
        let beat = {
            let at_work = app.clone();
            let mut duties = duties;
            // Sweeps free memory, which can take a while: not on a thread that serves, nor behind those who read much.
            app.bridge.spawn_duty(move || {
                duties.beat(&at_work);
                duties
            })
        };
        match beat.await {
            Ok(after) => duties = after,
            Err(error) => {
                tracing::error!(%error, "a background duty failed; it goes on at the next beat");
                duties = Duties::begin(&app);
            }
        }
    }
}

/// When each duty was last done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Duties {
    caches: Duration,
    deletions: Duration,
    leaks: Duration,
    findings: Duration,
    profiles: Duration,
    jobs: Duration,
    pruning: Duration,
}

impl Duties {
    pub(crate) fn begin(app: &App) -> Self {
        let now = app.clock.elapsed();
        Self {
            caches: now,
            deletions: now,
            leaks: now,
            findings: now,
            profiles: now,
            jobs: now,
            pruning: now,
        }
    }

    /// Does what is due by the service's clock.
    pub(crate) fn beat(&mut self, app: &App) {
        let settings = app.settings();
        let now = app.clock.elapsed();
        app.measure.follow_settings();
        app.watch.follow(&settings);
        app.deletions.set_stale_after(settings.deletion.stale_after);
        for cache in app.caches.registry.follow(&settings.cache) {
            tracing::warn!(
                cache,
                "the cache keeps its size: its store cannot change it"
            );
        }
        app.caches.registry.settle();
        let reading = app.measure.read();
        let limit = app.measure.limit_of(&reading);
        app.pools.follow(&settings, limit);
        app.watch.remember(now + app.earlier, &reading);
        follow_pressure(app, &reading);
        app.profiles.follow(&settings.profiling);
        let leaks = &settings.leaks;
        let is_on = looks_for_leaks(&settings);
        app.findings.follow(is_on && leaks.call_sites);
        if is_due(&mut self.findings, now, leaks.site_interval) && is_on {
            app.findings.look(app, &reading);
        }
        if is_due(&mut self.leaks, now, leaks.check_interval) && is_on {
            judge_leaks(app, now, &reading);
            if let Some(path) = &leaks.history_path {
                app.watch.save(path, app.clock.wall(), now + app.earlier);
            }
        }
        if is_due(&mut self.profiles, now, PROFILES_SWEPT_EVERY) && settings.profiling.enabled {
            sweep_profiles(app, &settings);
        }
        if is_due(&mut self.caches, now, settings.cache.cleanup_interval) {
            let swept = app.caches.registry.cleanup_all(false);
            tracing::debug!(removed = swept.total.n_removed, "caches swept");
        }
        let every = settings.monitoring.cache_metrics_update_frequency;
        if is_due(&mut self.jobs, now, every) {
            rollup::count_jobs(app);
        }
        if is_due(&mut self.pruning, now, PRUNE_EVERY) {
            rollup::prune_jobs(app);
        }
        if is_due(&mut self.deletions, now, settings.deletion.cleanup_interval) {
            for stale in &app.deletions.sweep(false).stale {
                tracing::warn!(project = %stale.id, age = ?stale.age, "a deletion never ended: no longer tracked");
            }
        }
    }
}

/// Whether leaks are looked for unasked: the monitor and its part for leaks are both on.
pub(crate) fn looks_for_leaks(settings: &Settings) -> bool {
    settings.monitoring.enabled && settings.leaks.enabled
}

/// Time between two sweeps of old profiles.
const PROFILES_SWEPT_EVERY: Duration = Duration::from_secs(3600);

fn sweep_profiles(app: &App, settings: &Settings) {
    let profiler = app.profiles.profiler(&settings.profiling);
    match profiler.map(|profiler| profiler.clean_up()) {
        Ok(Ok(n_deleted)) => tracing::debug!(n_deleted, "heap profiles swept"),
        Ok(Err(error)) => tracing::warn!(%error, "heap profiles are not swept"),
        Err(problem) => tracing::debug!(%problem, "no heap profiles to sweep"),
    }
}

fn is_due(last: &mut Duration, now: Duration, every: Duration) -> bool {
    let is_due = now.saturating_sub(*last) >= every;
    if is_due {
        *last = now;
    }
    is_due
}

fn follow_pressure(app: &App, reading: &Reading) {
    if app.watch.pressure.level() >= PressureLevel::Reclaim {
        // Still, after what the caches gave back at the last look.
        app.store.release_memory();
    }
    if let Some(change) = app.watch.pressure.update(reading) {
        let largest: Vec<String> = change
            .largest
            .iter()
            .map(|consumer| format!("{} {}", consumer.name, consumer.held))
            .collect();
        tracing::warn!(
            from = change.from.name(),
            to = change.to.name(),
            share = format!("{:.2}", change.share),
            limit = %change.limit,
            largest = largest.join(", "),
            "memory pressure changed"
        );
        if change.to >= PressureLevel::Shed {
            app.journal.write(app, change.share);
        } else {
            app.journal.clear();
        }
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge of bytes far below 2^53"
    )]
    if let Some(drift) = app.watch.pressure.unreserved(reading) {
        app.measure.metrics.memory.drift.set(drift as f64);
    }
    let n_profiles = app.profiles.n_running() as u64;
    app.measure
        .metrics
        .memory
        .profiles_active
        .set_count(n_profiles);
    let level = app.watch.pressure.level() as u8;
    app.measure
        .metrics
        .memory
        .pressure_level
        .set(f64::from(level));
}

/// Judges, and tells of a change: each is one event, a state that holds is none.
pub(crate) fn judge_leaks(app: &App, now: Duration, reading: &Reading) {
    const MIB: f64 = 1_048_576.0;
    let n_ended = app.measure.metrics.requests.ended.load(Ordering::Relaxed);
    let event = app
        .watch
        .sample(now, reading, &app.caches.registry, n_ended);
    let growth = app.watch.outlook().verdict;
    let slope = growth.map_or(0.0, |verdict| verdict.slope_mb_per_hour * MIB / 3600.0);
    app.measure.metrics.memory.growth.set(slope);
    let Some(event) = event else { return };
    let (word, verdict) = match event {
        LeakEvent::Suspected(verdict) => ("suspected", verdict),
        LeakEvent::Confirmed(verdict) => ("confirmed", verdict),
        LeakEvent::Resolved(verdict) => ("resolved", verdict),
        _ => return,
    };
    tracing::warn!(
        slope_mb_per_hour = verdict.slope_mb_per_hour,
        growth = %verdict.growth,
        confidence = verdict.confidence,
        "memory leak {word}"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rsr_settings::{Inputs, LiveSettings, load};
    use rsr_testkit::ManualClock;

    use super::*;
    use crate::open_store;

    /// How long the detector still has to wait for its first opinion, after three hours of beats.
    fn known_in_after_three_hours(switch: Option<&str>) -> Option<Duration> {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("rsr.db").display());
        let own = [("RSR_DATABASE_URL", url.as_str())];
        let off = switch.map(|name| (name, "false"));
        let inputs = Inputs::from_environment(own.into_iter().chain(off));
        let live = Arc::new(LiveSettings::new(load(&inputs).expect("they are good")));
        let clock = ManualClock::new();
        let store = open_store(&live.current(), Arc::new(clock.clone())).expect("a database");
        let app = App::new(live, store, Arc::new(clock.clone()));
        let mut duties = Duties::begin(&app);
        for _ in 0..36 {
            clock.advance(Duration::from_secs(300));
            duties.beat(&app);
        }
        app.watch.outlook().known_in
    }

    #[test]
    fn what_is_switched_off_takes_no_samples() {
        let whole = Duration::from_secs(6 * 3_600);
        assert!(known_in_after_three_hours(None).is_some_and(|left| left < whole));
        for switch in [
            "RSR_LEAK_DETECTION_ENABLED",
            "RSR_MEMORY_MONITORING_ENABLED",
        ] {
            assert_eq!(
                known_in_after_three_hours(Some(switch)),
                Some(whole),
                "{switch}"
            );
        }
    }

    #[test]
    fn the_load_is_what_ended_between_two_samples() {
        let mut rate = Rate::default();
        let mut at = |seconds, n_ended| rate.follow(Duration::from_secs(seconds), n_ended);
        assert_eq!(at(5, 50), None, "too soon to say");
        assert_eq!(at(100, 1_000), Some(10.0));
        assert_eq!(at(101, 5_000), Some(10.0), "a check right after it");
        assert_eq!(at(200, 1_500), Some(5.0));
    }
}
