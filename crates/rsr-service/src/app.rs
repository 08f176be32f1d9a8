//! What all handlers share.

use std::fmt::Write;
use std::sync::{Arc, Weak};
use std::time::Duration;

use http::Uri;
use rsr_base::{ProjectId, SharedClock};
use rsr_deletion::DeletionTracker;
use rsr_hierarchy::{CursorKey, Limits};
use rsr_monitoring::PressureLevel;
use rsr_settings::{LiveSettings, Settings};
use rsr_store::{Store, Tx};
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use crate::access::{Caller, Token};
use crate::bounds::Bounds;
use crate::bridge::Bridge;
use crate::budget::Pools;
use crate::caches::{Caches, Reader};
use crate::dashboard::{Drawn, FOLLOWERS_MAX};
use crate::drain::Drain;
use crate::findings::Findings;
use crate::health::DatabaseSeen;
use crate::journal::Journal;
use crate::measure::Measure;
use crate::problem::Problem;
use crate::profiles::Profiles;
use crate::progress::RateLimited;
use crate::rights::{Right, require};
use crate::target::Target;
use crate::telemetry::Spans;
use crate::watch::Watch;

/// How often a transaction is begun that ends without having kept anything, by no fault of its own.
const WRITE_TRIES: usize = 3;

/// One running service. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Parts>);

/// The parts of a running service.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) live: Arc<LiveSettings>,
    pub(crate) store: Store,
    pub(crate) database_seen: DatabaseSeen,
    pub(crate) clock: SharedClock,
    pub(crate) bounds: Bounds,
    pub(crate) drain: Drain,
    pub(crate) bridge: Bridge,
    pub(crate) cursor_key: CursorKey,
    /// Tells the versions of this process's data from those of another.
    started: Uuid,
    pub(crate) token: Option<Token>,
    /// Whether the public listener is bound to loopback alone, where writes need no token.
    pub(crate) is_loopback: bool,
    /// One permit a request under way.
    pub(crate) in_flight: Arc<Semaphore>,
    /// One permit a dashboard that is followed.
    pub(crate) followers: Arc<Semaphore>,
    /// The heap as it was last drawn.
    pub(crate) flame: Drawn,
    pub(crate) measure: Measure,
    /// Wakes the aggregation worker: a write may have queued a job.
    pub(crate) queued: Notify,
    pub(crate) watch: Watch,
    /// What work reserves memory from.
    pub(crate) pools: Pools,
    pub(crate) findings: Findings,
    pub(crate) profiles: Arc<Profiles>,
    /// Where spans for OpenTelemetry go.
    pub(crate) spans: Spans,
    pub(crate) journal: Journal,
    /// How far back the memory history of earlier runs goes; moments of this run come after it.
    pub(crate) earlier: Duration,
    pub(crate) caches: Caches,
    /// Projects being deleted.
    pub(crate) deletions: DeletionTracker<ProjectId>,
    /// Lists of children that were cut.
    pub(crate) cut_warnings: RateLimited,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// A handle that keeps nothing alive.
    pub(crate) fn downgrade(&self) -> Weak<Parts> {
        Arc::downgrade(&self.0)
    }

    /// The service behind such a handle, while there is one.
    pub(crate) fn upgrade(parts: &Weak<Parts>) -> Option<Self> {
        parts.upgrade().map(Self)
    }

    pub(crate) fn new(live: Arc<LiveSettings>, store: Store, clock: SharedClock) -> Self {
        let settings = live.current();
        let bounds = Bounds::of(&settings);
        let drain = Drain::new();
        let measure = Measure::new(Arc::clone(&live), &store, Arc::clone(&clock));
        let token = settings.server.api_token.as_ref();
        let caches = Caches::new(&settings.cache, &clock);
        let deletions = deletions(&settings, &store, &clock);
        let pools = Pools::new(&settings, measure.limit());
        caches.registry.reserve_from(&pools.caches);
        let store = store.within(pools.store.clone());
        let watch = Watch::new(&settings, pools.root.clone(), Arc::clone(&clock));
        let history = settings.leaks.history_path.as_deref();
        let earlier = history.map_or(Duration::ZERO, |path| watch.load(path, clock.wall()));
        let findings = Findings::new(&caches.registry, &deletions, &live, Arc::clone(&clock));
        let profiles = Arc::new(Profiles::new(Arc::clone(&clock)));
        measure.report_to(&findings.book, &profiles);
        let app = Self(Arc::new(Parts {
            findings,
            profiles,
            spans: Spans::new(&settings.otlp),
            journal: Journal::open(&settings.memory.snapshot_path),
            earlier,
            bridge: Bridge::new(&bounds, drain.clone()),
            in_flight: Arc::new(Semaphore::new(bounds.requests_max)),
            followers: Arc::new(Semaphore::new(FOLLOWERS_MAX)),
            flame: Drawn::default(),
            bounds,
            drain,
            cursor_key: cursor_key(&store),
            started: Uuid::new_v4(),
            token: token.map(|token| Token::new(token.expose())),
            is_loopback: settings.server.listen.ip().is_loopback(),
            watch,
            pools,
            caches,
            deletions,
            cut_warnings: RateLimited::new(Arc::clone(&clock)),
            measure,
            queued: Notify::new(),
            live,
            store,
            database_seen: DatabaseSeen::default(),
            clock,
        }));
        app.export_figures();
        for cache in app.caches.registry.all() {
            app.watch.pressure.register(cache);
        }
        app
    }

    /// Lets each scrape read the caches and the deletion tracker as they are then.
    fn export_figures(&self) {
        let metrics = Arc::clone(&self.measure.metrics);
        let pools = self.pools.root.clone();
        let pressure = self.watch.pressure.clone();
        let caches = self.caches.registry.clone();
        let deletions = self.deletions.clone();
        let live = Arc::clone(&self.live);
        let series: Vec<_> = caches
            .names()
            .iter()
            .filter_map(|name| metrics.caches.cache(name).ok())
            .collect();
        self.measure.metrics.registry.before_scrape(move || {
            metrics.memory.follow_pools(&pools.usage());
            metrics.memory.pressure_changes.follow(pressure.n_changes());
            metrics.deletions.follow(&deletions.stats());
            metrics.leaks.follow(&rsr_monitoring::live_instances());
            if live.current().monitoring.cache_metrics_enabled {
                let stats = caches.stats_all();
                for cache in &series {
                    cache.follow(&stats);
                }
            }
        });
    }

    /// Tells this run of the service from every other.
    #[cfg(feature = "otlp")]
    pub(crate) fn instance(&self) -> String {
        self.started.to_string()
    }

    /// The settings at this moment.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.live.current()
    }

    /// The bounds of one answer about the hierarchy, as the settings are now.
    pub(crate) fn limits(&self) -> Limits {
        let hierarchy = &self.settings().hierarchy;
        Limits::new(hierarchy.max_descendants_per_request, hierarchy.chunk_size)
    }

    /// The limits to read under at this moment: chunks shrink while memory is short. The answer is the same.
    pub(crate) fn reading_limits(&self) -> Limits {
        let hierarchy = &self.settings().hierarchy;
        let chunk = self.chunk(hierarchy.chunk_size);
        Limits::new(hierarchy.max_descendants_per_request, chunk)
    }

    /// A chunk of this size, or a quarter of it while memory is short.
    pub(crate) fn chunk(&self, size: usize) -> usize {
        if self.watch.pressure.level() >= PressureLevel::Defer {
            (size / 4).max(1)
        } else {
            size
        }
    }

    /// Runs a write in one transaction on a thread, and forgets what the caches knew once it is kept. Refused where the
    /// caller lacks the right, as it is in that transaction, or where one of the targets is being deleted: before it
    /// waits for the writer, which the deletion may hold, and once more when it has it.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        caller: &Caller,
        right: Right,
        targets: &[Target],
        work: impl Fn(&Self, &mut Tx) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let app = self.clone();
        let targets = targets.to_vec();
        let caller = caller.clone();
        self.bridge
            .run(move || {
                let snapshot = app.store.snapshot()?;
                require(&snapshot, &caller, right, &targets)?;
                app.refuse_while_deleted(&snapshot, &targets)?;
                drop(snapshot);
                app.write_here(|tx| {
                    require(tx, &caller, right, &targets)?;
                    app.refuse_while_deleted(tx, &targets)?;
                    work(&app, tx)
                })
            })
            .await
    }

    /// Writes on this thread, which may wait, and forgets what the caches knew. A transaction that the server undid, or
    /// whose connection broke before it was kept, is tried again.
    pub(crate) fn write_here<T>(
        &self,
        mut work: impl FnMut(&mut Tx) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let mut done = self.store.write(&mut work);
        for _more in 1..WRITE_TRIES {
            match &done {
                Err(problem) if problem.is_undone() => done = self.store.write(&mut work),
                _ => break,
            }
        }
        self.caches.forget();
        self.queued.notify_one();
        done
    }

    /// A question of this caller about one project.
    pub(crate) fn reader(&self, project: ProjectId, caller: &Caller) -> Reader<'_> {
        Reader {
            store: &self.store,
            deletions: &self.deletions,
            project,
            viewer: caller.viewer(),
        }
    }

    /// A weak tag that is another one once any data, the question, the reader or a limit is. Costs no reading of rows.
    pub(crate) fn version_tag(&self, caller: &Caller, uri: &Uri) -> Result<String, Problem> {
        let version = self.store.version()?;
        let mut hash = Sha256::new();
        hash.update(self.started.as_bytes());
        hash.update(version.to_be_bytes());
        hash.update(format!("{:?}", caller.viewer()).as_bytes());
        hash.update(format!("{:?}", self.limits()).as_bytes());
        hash.update(uri.to_string().as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut tag = String::from("W/\"");
        for byte in digest.iter().take(16) {
            write!(tag, "{byte:02x}").expect("a String takes whatever is written to it");
        }
        tag.push('"');
        Ok(tag)
    }

    /// Why no request should be sent here now; empty where all is well.
    pub(crate) fn reasons_not_ready(&self) -> Vec<&'static str> {
        let mut reasons = Vec::new();
        if !self.drain.is_serving() {
            reasons.push("the service is stopping");
        }
        if self.store.is_out_of_touch() {
            reasons.push("the database does not answer");
        }
        reasons
    }
}

/// What is being deleted: by all machines, where the database has several.
fn deletions(
    settings: &Settings,
    store: &Store,
    clock: &SharedClock,
) -> DeletionTracker<ProjectId> {
    let clock = Arc::clone(clock);
    match store.shared_deletions() {
        Some(shared) => DeletionTracker::with_shared(&settings.deletion, clock, shared),
        None => DeletionTracker::with_clock(&settings.deletion, clock),
    }
}

/// The key of the database, so that a cursor holds over a restart and in other processes; where the database cannot be
/// written, one of this process alone.
fn cursor_key(store: &Store) -> CursorKey {
    let secret = store.secret().unwrap_or_else(|error| {
        tracing::warn!(%error, "cursors will not outlive this process: the database gave no key for them");
        let mut hash = Sha256::new();
        hash.update(Uuid::new_v4().as_bytes());
        hash.update(Uuid::new_v4().as_bytes());
        hash.finalize().into()
    });
    CursorKey::new(secret)
}
