//! Heap profiles of the running service.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rsr_base::SharedClock;
use rsr_monitoring::{ProfileError, ProfileFile, Profiler, Scope};
use rsr_settings::ProfilingSettings;

use crate::problem::{Kind, Problem};

/// The profiler, which exists while the settings allow it.
#[derive(Debug)]
pub(crate) struct Profiles {
    profiler: Mutex<Option<Arc<Profiler>>>,
    clock: SharedClock,
    shares: Shares,
}

/// Spreads a share evenly: of a hundred draws at .01 one wins, whenever one begins to count.
#[derive(Debug, Default)]
struct Shares(AtomicU64);

impl Shares {
    #[expect(clippy::cast_precision_loss, reason = "a share of draws")]
    fn draw(&self, probability: f64) -> bool {
        // Steps of the golden ratio fill the circle evenly.
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let place = self.0.fetch_add(STEP, Ordering::Relaxed);
        (place as f64) < probability * u64::MAX as f64
    }
}

impl Profiles {
    pub(crate) fn new(clock: SharedClock) -> Self {
        Self {
            profiler: Mutex::default(),
            clock,
            shares: Shares::default(),
        }
    }

    /// While a profile runs, has this request's samples kept apart, with the settings' probability.
    pub(crate) fn mark_request(&self, settings: &ProfilingSettings, scope: &Scope) {
        if settings.enabled
            && let Some(profiler) = self.opened()
            && self.shares.draw(settings.request_probability)
        {
            profiler.mark(scope, "requests");
        }
    }

    /// Runs an operation, and keeps its samples apart: in the profiles that run, else, with the settings' probability, in
    /// one of its own.
    pub(crate) fn profile_operation<R>(
        &self,
        settings: &ProfilingSettings,
        name: &'static str,
        work: impl FnOnce() -> R,
    ) -> R {
        if !settings.enabled {
            return work();
        }
        let Ok(profiler) = self.profiler(settings) else {
            return work();
        };
        let scope = Scope::new();
        if profiler.mark(&scope, name) {
            return scope.run(work);
        }
        if !self.shares.draw(settings.request_probability) {
            return work();
        }
        let (done, written) = profiler.profile_operation(name, work);
        match written {
            Ok(files) => {
                let ids: Vec<_> = files.iter().map(|file| file.id.as_str()).collect();
                tracing::info!(operation = name, ids = ids.join(", "), "operation profiled");
            }
            Err(error) => tracing::warn!(operation = name, %error, "an operation has no profile"),
        }
        if let Err(error) = profiler.clean_up() {
            tracing::warn!(%error, "heap profiles are not swept");
        }
        done
    }

    /// The profiler, where one was opened.
    fn opened(&self) -> Option<Arc<Profiler>> {
        let profiler = self.profiler.lock().unwrap_or_else(PoisonError::into_inner);
        profiler.as_ref().map(Arc::clone)
    }

    /// The profiler, opened at first use.
    pub(crate) fn profiler(&self, settings: &ProfilingSettings) -> Result<Arc<Profiler>, Problem> {
        if !settings.enabled {
            let detail =
                "heap profiles are switched off: set profiling.enabled (RSR_PROFILING_ENABLED)";
            return Err(Problem::new(Kind::Conflict, detail));
        }
        let mut profiler = self.profiler.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(profiler) = &*profiler {
            return Ok(Arc::clone(profiler));
        }
        let folder = &settings.output_dir;
        let opened = Profiler::open(folder, settings.into(), Arc::clone(&self.clock));
        let opened = Arc::new(opened.map_err(refused)?);
        *profiler = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// A profile of this moment.
    pub(crate) fn snapshot(&self, settings: &ProfilingSettings) -> Result<ProfileFile, Problem> {
        let profiler = self.profiler(settings)?;
        let file = profiler.snapshot().map_err(refused)?;
        profiler.clean_up().map_err(refused)?;
        Ok(file)
    }

    /// Profiles under way.
    pub(crate) fn n_running(&self) -> usize {
        let profiler = self.profiler.lock().unwrap_or_else(PoisonError::into_inner);
        profiler
            .as_ref()
            .map_or(0, |profiler| profiler.running().len())
    }

    /// Ends what is over, and all of it where profiles were switched off.
    pub(crate) fn follow(&self, settings: &ProfilingSettings) {
        let mut profiler = self.profiler.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(running) = profiler.as_ref().map(Arc::clone) else {
            return;
        };
        if !settings.enabled {
            *profiler = None;
        }
        drop(profiler);
        for ended in running.stop_expired() {
            match ended {
                Ok(file) => tracing::info!(id = file.id, size = %file.size, "heap profile written"),
                Err(error) => tracing::warn!(%error, "a heap profile was not written"),
            }
        }
    }
}

/// A profiler's error as an answer.
pub(crate) fn refused(error: ProfileError) -> Problem {
    let kind = match &error {
        ProfileError::NotRunning { .. } => Kind::NotFound,
        ProfileError::NotAvailable => Kind::Conflict,
        _ => Kind::Internal,
    };
    Problem::new(kind, error.to_string()).because(error)
}

#[cfg(test)]
mod tests {
    use super::Shares;

    #[test]
    fn shares_are_kept_to() {
        for (probability, expected) in [
            (0.0, 0..=0),
            (0.01, 9..=11),
            (0.5, 499..=501),
            (1.0, 1000..=1000),
        ] {
            let shares = Shares::default();
            let won = (0..1_000).filter(|_| shares.draw(probability)).count();
            assert!(expected.contains(&won), "{won} of 1000 at {probability}");
        }
    }
}
