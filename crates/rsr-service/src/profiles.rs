//! Heap profiles of the running service.

use std::sync::{Arc, Mutex, PoisonError};

use rsr_base::SharedClock;
use rsr_monitoring::{ProfileError, ProfileFile, Profiler};
use rsr_settings::ProfilingSettings;

use crate::problem::{Kind, Problem};

/// The profiler, which exists while the settings allow it.
#[derive(Debug)]
pub(crate) struct Profiles {
    profiler: Mutex<Option<Arc<Profiler>>>,
    clock: SharedClock,
}

impl Profiles {
    pub(crate) fn new(clock: SharedClock) -> Self {
        Self {
            profiler: Mutex::default(),
            clock,
        }
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
