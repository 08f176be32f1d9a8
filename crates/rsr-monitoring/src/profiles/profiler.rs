//! Taking heap profiles of this process.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rsr_base::{ByteSize, SharedClock};

use crate::Scope;
use crate::allocator::sampling::{self, Sampling};
use crate::sites::scoped::{self, ScopedSamples};

/// How much profiles may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfilerLimits {
    /// Most bytes of one file; a larger one is deleted. The setting is `profiling.max_profile_size_mb`.
    pub file_size_max: ByteSize,
    /// Age from which [`Profiler::clean_up`] deletes a file. The setting is `profiling.cleanup_days`.
    pub age_max: Duration,
    /// Most files that are kept, the newest.
    pub files_max: usize,
}

impl Default for ProfilerLimits {
    fn default() -> Self {
        Self {
            file_size_max: ByteSize::from_mib(100),
            age_max: Duration::from_secs(7 * 24 * 3600),
            files_max: 100,
        }
    }
}

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The allocator is another one, or was started without profiling.
    #[error(
        "this process cannot be profiled: jemalloc is not in use or was started without prof:true"
    )]
    NotAvailable,
    /// jemalloc did not write the file.
    #[error("the heap profile {} could not be written", path.display())]
    NotWritten {
        /// The file.
        path: PathBuf,
    },
    /// The folder or a file in it could not be read or written.
    #[error("{} could not be used", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The file was larger than allowed and was deleted.
    #[error("the heap profile took {size}, limit is {limit}")]
    TooLarge {
        /// What it took.
        size: ByteSize,
        /// What it may take.
        limit: ByteSize,
    },
    /// No profile of that name is running.
    #[error("no profile {id:?} is running")]
    NotRunning {
        /// The name.
        id: String,
    },
}

/// A profile on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileFile {
    /// Its name, under which it was started.
    pub id: String,
    /// Where it is.
    pub path: PathBuf,
    /// What it takes.
    pub size: ByteSize,
    /// When it was written.
    pub written: SystemTime,
}

/// A profile that is being taken.
#[derive(Debug)]
struct Running {
    id: String,
    until: Option<Duration>,
    /// Samples of marked scopes, by what they were marked with.
    parts: Vec<(&'static str, ScopedSamples)>,
    /// Held, so that allocations are sampled while the profile runs.
    _sampling: Sampling,
}

/// Switches jemalloc's sampling on and off and keeps its profiles in a folder of their own.
///
/// Sampling covers the whole process. It is on while at least one profile runs and stays cheap; what was sampled
/// before is still known when it is switched on again. Scopes can be [marked](Profiler::mark): what is sampled in them is
/// collected apart, and written to files of its own, in which nothing else is.
#[derive(Debug)]
pub struct Profiler {
    folder: PathBuf,
    limits: ProfilerLimits,
    clock: SharedClock,
    running: Mutex<Vec<Running>>,
    /// So that a request need not take the lock to hear that there is none.
    n_running: AtomicUsize,
    next: Mutex<u64>,
}

const ENDING: &str = "heap";

impl Profiler {
    /// A profiler that keeps its files in `folder`, which is made with access for its owner alone.
    ///
    /// # Errors
    ///
    /// [`ProfileError::NotAvailable`], and [`ProfileError::Folder`] where the folder cannot be made private.
    pub fn open(
        folder: &Path,
        limits: ProfilerLimits,
        clock: SharedClock,
    ) -> Result<Self, ProfileError> {
        if !sampling::is_built_in() {
            return Err(ProfileError::NotAvailable);
        }
        let private = |error| ProfileError::Folder {
            path: folder.to_owned(),
            source: error,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(private)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(private)?;
        Ok(Self {
            folder: folder.to_owned(),
            limits,
            clock,
            running: Mutex::default(),
            n_running: AtomicUsize::new(0),
            next: Mutex::new(1),
        })
    }

    /// Begins a profile and answers its name. With a duration, [`Profiler::stop_expired`] ends it.
    pub fn start(&self, duration: Option<Duration>) -> String {
        let id = self.new_id();
        let until = duration.map(|duration| self.clock.elapsed() + duration);
        let mut running = self.lock();
        running.push(Running {
            id: id.clone(),
            until,
            parts: Vec::new(),
            _sampling: Sampling::begin(),
        });
        self.n_running.store(running.len(), Ordering::Relaxed);
        id
    }

    /// Has what is sampled in this scope, from its next poll on, collected under `part` by every profile that runs.
    ///
    /// At the end of each the part is written to two files beside the profile of the whole heap: `ID-PART`, what the
    /// marked scopes allocated that lives, and `ID-PART-allocs`, all that they allocated. Answers whether any profile
    /// runs; a nanosecond where none does.
    pub fn mark(&self, scope: &Scope, part: &'static str) -> bool {
        if self.n_running.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut running = self.lock();
        for profile in running.iter_mut() {
            if profile.parts.iter().all(|(known, _)| *known != part) {
                profile
                    .parts
                    .extend(ScopedSamples::begin(part).map(|samples| (part, samples)));
            }
        }
        !running.is_empty() && scoped::mark(scope, part)
    }

    /// Runs one operation, and answers beside its result the files of what was sampled in it, and nothing else: what of it
    /// lives, and all that it allocated.
    ///
    /// # Errors
    ///
    /// The second answer is a [`ProfileError`] where a file was not written; the operation has run all the same.
    pub fn profile_operation<R>(
        &self,
        part: &'static str,
        work: impl FnOnce() -> R,
    ) -> (R, Result<Vec<ProfileFile>, ProfileError>) {
        let samples = ScopedSamples::begin(part);
        let scope = Scope::new();
        scoped::mark(&scope, part);
        self.mark(&scope, part);
        let result = scope.run(work);
        let written = match samples {
            Some(samples) => self.write_part(&self.new_id(), part, &samples),
            None => Err(ProfileError::NotAvailable),
        };
        (result, written)
    }

    /// Ends a profile and writes it.
    ///
    /// # Errors
    ///
    /// [`ProfileError`]; the profile has ended all the same, unless it was not running.
    pub fn stop(&self, id: &str) -> Result<ProfileFile, ProfileError> {
        let ended = {
            let mut running = self.lock();
            let Some(place) = running.iter().position(|profile| profile.id == id) else {
                return Err(ProfileError::NotRunning { id: id.to_owned() });
            };
            let ended = running.remove(place);
            self.n_running.store(running.len(), Ordering::Relaxed);
            ended
        };
        // Sampled until all is written.
        for (part, samples) in &ended.parts {
            self.write_part(id, part, samples)?;
        }
        self.write(id)
    }

    /// Ends and writes the profiles whose time is over.
    pub fn stop_expired(&self) -> Vec<Result<ProfileFile, ProfileError>> {
        let now = self.clock.elapsed();
        let over: Vec<_> = self
            .lock()
            .iter()
            .filter(|profile| profile.until.is_some_and(|until| until <= now))
            .map(|profile| profile.id.clone())
            .collect();
        over.iter().map(|id| self.stop(id)).collect()
    }

    /// Names of the profiles that run.
    #[must_use]
    pub fn running(&self) -> Vec<String> {
        self.lock()
            .iter()
            .map(|profile| profile.id.clone())
            .collect()
    }

    /// Writes what is sampled of the heap now; the profiles that run go on.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] where no file could be written or it was too large.
    pub fn snapshot(&self) -> Result<ProfileFile, ProfileError> {
        self.write(&self.new_id())
    }

    /// Profiles on disk, the oldest first.
    ///
    /// # Errors
    ///
    /// [`ProfileError::Folder`] where the folder cannot be read.
    pub fn files(&self) -> Result<Vec<ProfileFile>, ProfileError> {
        list(&self.folder)
    }

    /// Deletes files that are too old or too many; answers how many.
    ///
    /// # Errors
    ///
    /// [`ProfileError::Folder`] where one cannot be read or deleted.
    pub fn clean_up(&self) -> Result<usize, ProfileError> {
        let files = self.files()?;
        let surplus = files.len().saturating_sub(self.limits.files_max);
        let oldest = self.clock.wall().checked_sub(self.limits.age_max);
        let mut n_deleted = 0;
        for (place, file) in files.iter().enumerate() {
            if place < surplus || oldest.is_some_and(|oldest| file.written < oldest) {
                fs::remove_file(&file.path).map_err(|source| ProfileError::Folder {
                    path: file.path.clone(),
                    source,
                })?;
                n_deleted += 1;
            }
        }
        Ok(n_deleted)
    }

    fn write(&self, id: &str) -> Result<ProfileFile, ProfileError> {
        let path = self.folder.join(format!("{id}.{ENDING}"));
        if !sampling::dump(&path) {
            return Err(ProfileError::NotWritten { path });
        }
        self.keep(path)
    }

    /// The file that was written, if it is not too large.
    fn keep(&self, path: PathBuf) -> Result<ProfileFile, ProfileError> {
        let file =
            describe(&path).ok_or_else(|| ProfileError::NotWritten { path: path.clone() })?;
        let limit = self.limits.file_size_max;
        if file.size > limit {
            fs::remove_file(&path).map_err(|source| ProfileError::Folder { path, source })?;
            return Err(ProfileError::TooLarge {
                size: file.size,
                limit,
            });
        }
        Ok(file)
    }

    fn write_part(
        &self,
        id: &str,
        part: &str,
        samples: &ScopedSamples,
    ) -> Result<Vec<ProfileFile>, ProfileError> {
        [
            (format!("{id}-{part}"), samples.live()),
            (format!("{id}-{part}-allocs"), samples.allocated()),
        ]
        .into_iter()
        .map(|(id, dump)| {
            let path = self.folder.join(format!("{id}.{ENDING}"));
            fs::write(&path, dump.to_text()).map_err(|source| ProfileError::Folder {
                path: path.clone(),
                source,
            })?;
            self.keep(path)
        })
        .collect()
    }

    /// A name that sorts by time and is not taken.
    fn new_id(&self) -> String {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let number = *next;
        *next += 1;
        let seconds = self
            .clock
            .wall()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        format!("heap-{seconds:012}-{}-{number:04}", std::process::id())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn list(folder: &Path) -> Result<Vec<ProfileFile>, ProfileError> {
    let entries = fs::read_dir(folder).map_err(|source| ProfileError::Folder {
        path: folder.to_owned(),
        source,
    })?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| describe(&entry.ok()?.path()))
        .collect();
    files.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(files)
}

/// Only files with a name of ours: whatever else lies in the folder is left alone.
fn describe(path: &Path) -> Option<ProfileFile> {
    let id = path.file_stem()?.to_str()?.to_owned();
    let is_ours = id.starts_with("heap-") && path.extension()? == ENDING;
    let metadata = fs::symlink_metadata(path)
        .ok()
        .filter(fs::Metadata::is_file)?;
    is_ours.then_some(ProfileFile {
        id,
        path: path.to_owned(),
        size: ByteSize::from_bytes(metadata.len()),
        written: metadata.modified().ok()?,
    })
}

impl From<&rsr_settings::ProfilingSettings> for ProfilerLimits {
    fn from(settings: &rsr_settings::ProfilingSettings) -> Self {
        Self {
            file_size_max: settings.max_profile_size_mb,
            age_max: settings.cleanup_days,
            ..Self::default()
        }
    }
}
