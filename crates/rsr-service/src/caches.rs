//! What the service keeps of earlier answers, and how it knows that it still holds.
//!
//! Every value is kept with the version of the data it was read from ([`Store::version`]), which changes with any write
//! of this process or another one. A value of another version is never served, so an import by a second process is seen
//! at once; the time to live only bounds how long what nobody asks for stays. A project being deleted is not cached.

use std::io::{self, Write};

use bytes::Bytes;
use rsr_base::{ProjectId, SharedClock};
use rsr_cache::{Cache, CacheRegistry};
use rsr_deletion::DeletionTracker;
use rsr_hierarchy::{NodeSource, Viewer};
use rsr_settings::CacheSettings;
use rsr_store::{Snapshot, Store};

use crate::problem::Problem;

/// The service's caches, and the registry that administration sees them through.
#[derive(Debug)]
pub(crate) struct Caches {
    pub(crate) registry: CacheRegistry,
    summaries: Cache<(ProjectId, Viewer), Kept<Bytes>>,
    results: Cache<(ProjectId, Viewer), Kept<Bytes>>,
    permissions: Cache<(ProjectId, Viewer), Kept<bool>>,
}

/// A value, and the version of the data it was made from.
#[derive(Clone, Debug)]
struct Kept<V> {
    version: i64,
    value: V,
}

/// A key as administrators read it.
fn shown((project, viewer): &(ProjectId, Viewer)) -> String {
    match viewer {
        Viewer::Anonymous => format!("project {project} for everybody"),
        Viewer::User(user) => format!("project {project} for user {user}"),
        Viewer::Administrator => format!("project {project} for administrators"),
    }
}

/// Larger answers are made anew each time: they would push out many small ones.
const KEPT_MAX_BYTES: usize = 256 << 10;

impl Caches {
    pub(crate) fn new(settings: &CacheSettings, clock: &SharedClock) -> Self {
        let registry = CacheRegistry::with_clock(settings.clone(), SharedClock::clone(clock));
        // Strict ones can change their size while the service runs.
        let bytes = |name| {
            let builder = registry
                .builder(name)
                .strict(true)
                .show_keys(shown)
                .weigher(|key: &(ProjectId, Viewer), kept: &Kept<Bytes>| {
                    (size_of_val(key) + size_of_val(kept) + kept.value.len()) as u64
                });
            registry
                .get_or_create(builder)
                .expect("three different names, and sizes from checked settings")
        };
        Self {
            summaries: bytes("project-summaries"),
            results: bytes("project-results"),
            permissions: registry
                .get_or_create(
                    registry
                        .builder("project-permissions")
                        .strict(true)
                        .show_keys(shown),
                )
                .expect("three different names, and sizes from checked settings"),
            registry,
        }
    }

    /// A project as JSON, as this viewer sees it.
    pub(crate) fn summary(
        &self,
        reader: &Reader<'_>,
        make: impl FnOnce(&mut Snapshot) -> Result<Bytes, Problem>,
    ) -> Result<Bytes, Problem> {
        self.require_visible(reader)?;
        reader.cached(&self.summaries, make)
    }

    /// Writes a project's results as JSON, as this viewer sees them: the kept ones, or what `make` writes.
    pub(crate) fn results(
        &self,
        reader: &Reader<'_>,
        out: &mut dyn Write,
        make: impl FnOnce(&Snapshot, &mut dyn Write) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let (key, version) = reader.key()?;
        if let Some(kept) = self.results.get(&key)
            && kept.version == version
        {
            out.write_all(&kept.value)?;
            return Ok(());
        }
        let mut tee = Tee {
            out,
            kept: Some(Vec::new()),
        };
        make(&reader.store.snapshot()?, &mut tee)?;
        if let Some(bytes) = tee.kept {
            reader.keep(&self.results, version, Bytes::from(bytes));
        }
        Ok(())
    }

    /// Refuses a project that this viewer may not know of.
    pub(crate) fn require_visible(&self, reader: &Reader<'_>) -> Result<(), Problem> {
        let is_visible = reader.cached(&self.permissions, |snapshot| {
            Ok(snapshot.is_visible(reader.project, reader.viewer)?)
        })?;
        if is_visible {
            Ok(())
        } else {
            Err(Problem::not_found("project", reader.project))
        }
    }

    /// Frees what a write has made worthless. Values of an older version are never served, forgotten or not.
    pub(crate) fn forget(&self) {
        self.summaries.clear();
        self.results.clear();
        self.permissions.clear();
    }
}

/// One question about one project.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) store: &'a Store,
    pub(crate) deletions: &'a DeletionTracker<ProjectId>,
    pub(crate) project: ProjectId,
    pub(crate) viewer: Viewer,
}

impl Reader<'_> {
    /// The kept value, or a new one from a snapshot of its own.
    fn cached<V>(
        &self,
        cache: &Cache<(ProjectId, Viewer), Kept<V>>,
        make: impl FnOnce(&mut Snapshot) -> Result<V, Problem>,
    ) -> Result<V, Problem>
    where
        V: Clone + Weigh + Send + Sync + 'static,
    {
        let (key, version) = self.key()?;
        if let Some(kept) = cache.get(&key)
            && kept.version == version
        {
            return Ok(kept.value);
        }
        let value = make(&mut self.store.snapshot()?)?;
        self.keep(cache, version, value.clone());
        Ok(value)
    }

    /// The key of the question, and the version of the data now. Read before the snapshot: a write in between makes a
    /// value newer than its version says, never older.
    fn key(&self) -> Result<((ProjectId, Viewer), i64), Problem> {
        Ok(((self.project, self.viewer), self.store.version()?))
    }

    fn keep<V>(&self, cache: &Cache<(ProjectId, Viewer), Kept<V>>, version: i64, value: V)
    where
        V: Clone + Weigh + Send + Sync + 'static,
    {
        if value.bytes() <= KEPT_MAX_BYTES && !self.deletions.must_skip(self.project) {
            cache.insert((self.project, self.viewer), Kept { version, value });
        }
    }
}

/// Passes bytes on, and keeps them while they are few.
struct Tee<'w> {
    out: &'w mut dyn Write,
    kept: Option<Vec<u8>>,
}

impl Write for Tee<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n_written = self.out.write(bytes)?;
        if let Some(kept) = &mut self.kept {
            if kept.len() + n_written > KEPT_MAX_BYTES {
                self.kept = None;
            } else {
                let (written, _rest) = bytes.split_at(n_written);
                kept.extend_from_slice(written);
            }
        }
        Ok(n_written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Bytes of a value, to leave the largest out.
trait Weigh {
    fn bytes(&self) -> usize;
}

impl Weigh for Bytes {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl Weigh for bool {
    fn bytes(&self) -> usize {
        1
    }
}
