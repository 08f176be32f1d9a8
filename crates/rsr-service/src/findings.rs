//! What is wrong with this service's memory: every indicator asked at each look, and the call stacks that leak.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rsr_base::{ByteSize, ProjectId, SharedClock};
use rsr_cache::CacheRegistry;
use rsr_deletion::DeletionTracker;
use rsr_monitoring::{
    CallSites, Evidence, FindingBook, FindingEvent, FindingState, HeapDump, Indicator,
    LiveInstances, Observation, PressureLevel, Reading, Severity, SiteGrowth, live_instances,
};
use rsr_settings::LiveSettings;

use crate::app::App;
use crate::naming::Namer;

/// Looks without it after which a finding is resolved: figures of samples come and go a little.
const RESOLVED_AFTER: u32 = 8;

/// Stacks whose names are remembered.
const NAMES_MAX: usize = 256;

/// Stacks whose bytes are shown.
const LARGEST: usize = 10;

/// Time between the two counts of live values that are compared.
const OBJECTS_OVER: Duration = Duration::from_secs(3600);

/// Indicators that say that memory leaks.
pub(crate) const LEAKS: [&str; 3] = ["memory_growth", "call_site_growth", "object_growth"];

/// The findings of one service.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) book: Arc<Mutex<FindingBook>>,
    sites: Mutex<Sites>,
    objects: Mutex<Objects>,
    namer: Mutex<Namer>,
}

#[derive(Debug, Default)]
struct Sites {
    watch: Option<CallSites>,
    names: BTreeMap<u64, Name>,
}

/// Where a stack belongs, and its innermost frames.
#[derive(Clone, Debug)]
struct Name {
    site: String,
    frames: Vec<String>,
}

/// Live values at the beginning of the window, and at the look before.
#[derive(Debug, Default)]
struct Objects {
    since: Duration,
    before: Vec<LiveInstances>,
}

impl Findings {
    pub(crate) fn new(
        caches: &CacheRegistry,
        deletions: &DeletionTracker<ProjectId>,
        live: &Arc<LiveSettings>,
        clock: SharedClock,
    ) -> Self {
        let mut book =
            FindingBook::new(env!("CARGO_PKG_VERSION"), clock).resolved_after(RESOLVED_AFTER);
        book.register(CacheShare {
            caches: caches.clone(),
            live: Arc::clone(live),
        });
        book.register(Deletions {
            tracker: deletions.clone(),
            live: Arc::clone(live),
        });
        Self {
            book: Arc::new(Mutex::new(book)),
            sites: Mutex::default(),
            objects: Mutex::default(),
            namer: Mutex::default(),
        }
    }

    pub(crate) fn set_namer(&self, namer: Namer) {
        *lock(&self.namer) = namer;
    }

    pub(crate) fn namer(&self) -> Namer {
        lock(&self.namer).clone()
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, FindingBook> {
        lock(&self.book)
    }

    /// Switches the watch over call stacks on and off, as the settings are.
    pub(crate) fn follow(&self, is_on: bool) {
        let mut sites = lock(&self.sites);
        if is_on && sites.watch.is_none() {
            sites.watch = CallSites::watch();
        } else if !is_on {
            sites.watch = None;
        }
    }

    /// What every stack has allocated since the watch began; `None` where none is watched.
    pub(crate) fn allocated(&self) -> Option<HeapDump> {
        lock(&self.sites).watch.as_ref().map(CallSites::allocated)
    }

    /// What every watched stack held when all together held most.
    pub(crate) fn at_peak(&self) -> Option<HeapDump> {
        lock(&self.sites).watch.as_ref().map(CallSites::at_peak)
    }

    /// What every watched stack holds.
    pub(crate) fn live(&self) -> Option<HeapDump> {
        lock(&self.sites).watch.as_ref().map(CallSites::live)
    }

    /// Looks that are missing until call stacks can be judged; `None` where none is watched.
    pub(crate) fn looks_missing(&self) -> Option<u32> {
        let sites = lock(&self.sites);
        let watch = sites.watch.as_ref()?;
        Some(CallSites::FIRST_AFTER.saturating_sub(watch.n_epochs()))
    }

    /// One look: an epoch of the call stacks ends, every indicator is asked, and each change is told.
    pub(crate) fn look(&self, app: &App, reading: &Reading) {
        let settings = app.settings();
        let held = reading.heap.map(|heap| heap.allocated);
        let accounted = app.caches.registry.stats_all().global.total_bytes;
        let unaccounted = held.unwrap_or_default().saturating_sub(accounted);
        let observations = self.sites(unaccounted, &(&settings.leaks).into());
        let objects = live_instances();
        let before = self.objects_before(app, &objects);
        self.export_bytes(app, reading, &objects);
        let outlook = app.watch.outlook();
        let evidence = Evidence::new(reading, &outlook)
            .with_objects(&objects, &before, settings.leaks.model_growth_threshold)
            .with_observations(&observations);
        let events = self.book().check(&evidence);
        for event in &events {
            tell(app, event);
        }
        self.export(app);
    }

    fn sites(&self, unaccounted: ByteSize, rules: &rsr_monitoring::SiteRules) -> Vec<Observation> {
        let mut sites = lock(&self.sites);
        let Some(watch) = &sites.watch else {
            return Vec::new();
        };
        let grown = watch.tick(unaccounted, rules);
        let threshold = rules.growth_min;
        let mut observations: Vec<Observation> = Vec::new();
        for site in grown {
            let name = self.name(&mut sites, site.id, &site.dump);
            // Several stacks can lead to one place: that is one leak.
            if observations.iter().all(|known| known.subject != name.site) {
                observations.push(observation(&site, name, threshold));
            }
        }
        observations
    }

    /// The places that hold most by the watched stacks, the largest first. No more than `to_name` stacks are newly named,
    /// which takes a process each; the others go by their number until they are.
    pub(crate) fn largest(&self, mut to_name: usize) -> Vec<(String, ByteSize)> {
        let mut sites = lock(&self.sites);
        let held = sites.watch.as_ref().map(|watch| watch.largest(LARGEST));
        let mut places: Vec<(String, ByteSize)> = Vec::new();
        for site in held.unwrap_or_default() {
            let is_known = sites.names.contains_key(&site.id);
            let place = if is_known || to_name > 0 {
                to_name -= usize::from(!is_known);
                self.name(&mut sites, site.id, &site.dump).site
            } else {
                numbered(site.id)
            };
            match places.iter_mut().find(|(known, _)| *known == place) {
                Some((_, bytes)) => *bytes = *bytes + site.live,
                None => places.push((place, site.live)),
            }
        }
        places
    }

    /// Shows what types and stacks hold.
    fn export_bytes(&self, app: &App, reading: &Reading, objects: &[LiveInstances]) {
        /// What the process that names stacks takes for as long as it runs; it shares this one's control group.
        const NAMING_TAKES: ByteSize = ByteSize::from_mib(100);
        let taken = reading
            .process
            .map_or(NAMING_TAKES, |process| process.resident + NAMING_TAKES);
        let is_calm = app.watch.pressure.level() == PressureLevel::Normal
            && app
                .measure
                .limit_of(reading)
                .is_none_or(|limit| taken < limit);
        let stacks = self.largest(usize::from(is_calm));
        app.measure.metrics.leaks.bytes(objects, &stacks);
    }

    fn name(&self, sites: &mut Sites, id: u64, dump: &HeapDump) -> Name {
        if let Some(name) = sites.names.get(&id) {
            return name.clone();
        }
        let name = self.ask_name(id, dump);
        if sites.names.len() == NAMES_MAX {
            sites.names.clear();
        }
        sites.names.insert(id, name.clone());
        name
    }

    fn ask_name(&self, id: u64, dump: &HeapDump) -> Name {
        let profile = self.namer().name(dump).unwrap_or_else(|error| {
            tracing::warn!(%error, "a call stack has no names");
            rsr_monitoring::NamedProfile::new(1, Vec::new())
        });
        let stack = profile.stacks().first();
        let place = |frame: &rsr_monitoring::Frame| {
            format!(
                "{} ({}:{})",
                frame.function,
                within_its_crate(&frame.file),
                frame.line
            )
        };
        Name {
            site: stack
                .and_then(|stack| stack.call_site())
                .map_or_else(|| numbered(id), place),
            frames: stack.map_or_else(Vec::new, |stack| {
                stack.frames.iter().take(12).map(place).collect()
            }),
        }
    }

    fn objects_before(&self, app: &App, now: &[LiveInstances]) -> Vec<LiveInstances> {
        let mut objects = lock(&self.objects);
        let at = app.clock.elapsed();
        let over = at.saturating_sub(objects.since);
        app.measure.metrics.leaks.grown(now, &objects.before, over);
        let before = objects.before.clone();
        if objects.before.is_empty() || over >= OBJECTS_OVER {
            objects.before = now.to_vec();
            objects.since = at;
        }
        before
    }

    fn export(&self, app: &App) {
        let mut counts: BTreeMap<(&'static str, &'static str), u64> = BTreeMap::new();
        for finding in self.book().open() {
            let seen = &finding.observation;
            *counts
                .entry((seen.indicator, seen.severity.name()))
                .or_default() += 1;
        }
        app.measure.metrics.leaks.open(&counts);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A stack that has no name.
fn numbered(id: u64) -> String {
    format!("stack {id:016x}")
}

fn observation(site: &SiteGrowth, name: Name, threshold: ByteSize) -> Observation {
    let mut evidence = vec![format!(
        "{} of {} looks left survivors, {} live in all",
        site.n_generations, site.n_epochs, site.live
    )];
    evidence.extend(name.frames);
    Observation {
        indicator: "call_site_growth",
        description: format!("what {} allocates is never freed", name.site),
        subject: name.site,
        severity: Severity::High,
        value: number(site.growth.bytes()),
        threshold: number(threshold.bytes()),
        unit: "bytes",
        evidence,
        recommendation: "find what keeps these values: a collection that only grows, a cycle, a task that never ends",
    }
}

/// Tells of a change once: a line in the log, a count, and where the settings say so a heap profile.
pub(crate) fn tell(app: &App, event: &FindingEvent) {
    let seen = &event.finding.observation;
    let state = match event.finding.state {
        FindingState::Suspected => "suspected",
        FindingState::Confirmed => "confirmed",
        _ => "resolved",
    };
    if !event.is_acknowledged {
        tracing::warn!(
            id = event.finding.id.0,
            indicator = seen.indicator,
            subject = seen.subject,
            severity = seen.severity.name(),
            "{state}: {}",
            seen.description
        );
    }
    let is_leak = LEAKS.contains(&seen.indicator);
    if event.finding.state != FindingState::Confirmed || !is_leak {
        return;
    }
    app.measure
        .metrics
        .leaks
        .count(seen.indicator, seen.severity.name());
    let profiling = &app.settings().profiling;
    if profiling.enabled && profiling.on_leak {
        let taken = app
            .pools
            .profile()
            .and_then(|_reserved| app.profiles.snapshot(profiling));
        match taken {
            Ok(file) => tracing::info!(id = file.id, "heap profile taken because of a leak"),
            Err(problem) => tracing::warn!(%problem, "no heap profile of the leak"),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn number(n: u64) -> f64 {
    n as f64
}

/// Caches that are nearly as large as all of them together may be.
struct CacheShare {
    caches: CacheRegistry,
    live: Arc<LiveSettings>,
}

impl Indicator for CacheShare {
    fn check(&self, evidence: &Evidence<'_>) -> Vec<Observation> {
        const SHARE: f64 = 0.5;
        let held = self.caches.stats_all().global.total_bytes;
        let settings = self.live.current();
        let limit = settings
            .memory
            .limit
            .or_else(|| evidence.reading.limit.map(|limit| limit.size));
        let Some(limit) = limit else {
            return Vec::new();
        };
        let share = number(held.bytes()) / number(limit.bytes().max(1));
        if share < SHARE {
            return Vec::new();
        }
        vec![Observation {
            indicator: "cache_share",
            subject: String::new(),
            severity: Severity::Medium,
            description: format!("caches hold {held} of {limit}"),
            value: share,
            threshold: SHARE,
            unit: "ratio",
            evidence: Vec::new(),
            recommendation: "bound them together: cache.max_bytes",
        }]
    }
}

/// Deletions that pile up.
struct Deletions {
    tracker: DeletionTracker<ProjectId>,
    live: Arc<LiveSettings>,
}

impl Indicator for Deletions {
    fn check(&self, _evidence: &Evidence<'_>) -> Vec<Observation> {
        let stats = self.tracker.stats();
        let n_tracked = stats.n_active + stats.n_stale;
        let threshold = self.live.current().deletion.warn_entries as u64;
        if n_tracked < threshold {
            return Vec::new();
        }
        vec![Observation {
            indicator: "deletion_tracker_overload",
            subject: String::new(),
            severity: Severity::Medium,
            description: format!("{n_tracked} deletions are tracked"),
            value: number(n_tracked),
            threshold: number(threshold),
            unit: "entries",
            evidence: vec![format!("{} of them are stale", stats.n_stale)],
            recommendation: "see which never end: rsr deletions stats",
        }]
    }
}

/// What is judged of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    pub(crate) duration: Duration,
    pub(crate) allocated: Option<ByteSize>,
    /// Bytes allocated less bytes freed.
    pub(crate) retained: Option<i64>,
}

/// What one request did that is worth a finding, if anything.
pub(crate) fn of_request(
    route: &str,
    took: &Took,
    monitoring: &rsr_settings::MonitoringSettings,
) -> Vec<Observation> {
    /// A long request matters where it is not tiny.
    const LONG_AND_LARGE: ByteSize = ByteSize::from_mib(10);
    let mut found = Vec::new();
    let threshold = monitoring.high_usage_threshold_mb.bytes().saturating_mul(2);
    let retained = took.retained.and_then(|bytes| u64::try_from(bytes).ok());
    if let Some(bytes) = retained.filter(|bytes| *bytes > threshold) {
        let bytes_left = ByteSize::from_bytes(bytes);
        found.push(Observation {
            indicator: "request_high_usage",
            subject: route.to_owned(),
            severity: Severity::High,
            description: format!("a request of {route} left {bytes_left} behind"),
            value: number(bytes),
            threshold: number(threshold),
            unit: "bytes",
            evidence: vec![format!("it took {:?}", took.duration)],
            recommendation: "see what it keeps: caches, queues, spawned work",
        });
    }
    let is_large = took.allocated.is_some_and(|bytes| bytes > LONG_AND_LARGE);
    if took.duration >= monitoring.long_request_seconds && is_large {
        found.push(Observation {
            indicator: "long_request",
            subject: route.to_owned(),
            severity: Severity::Medium,
            description: format!("a request of {route} took {:?}", took.duration),
            value: took.duration.as_secs_f64(),
            threshold: monitoring.long_request_seconds.as_secs_f64(),
            unit: "seconds",
            evidence: took
                .allocated
                .map(|bytes| format!("it allocated {bytes}"))
                .into_iter()
                .collect(),
            recommendation: "ask for less at once, or stream it",
        });
    }
    found
}

/// A file as its crate knows it: `rsr/src/demo/leak.rs`. The folders above are those of the machine that built the
/// program, which say nothing to the person who runs it.
fn within_its_crate(file: &str) -> &str {
    let Some((above, _)) = file.rsplit_once("/src/") else {
        return file;
    };
    let begin = above.rfind('/').map_or(0, |slash| slash + 1);
    file.get(begin..).unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rsr_base::{ByteSize, ProjectId};
    use rsr_cache::CacheRegistry;
    use rsr_deletion::DeletionTracker;
    use rsr_monitoring::{Evidence, Indicator, Outlook, Reading, Severity};
    use rsr_settings::{Inputs, LiveSettings, load};

    use super::{CacheShare, Deletions, Took, of_request, within_its_crate};

    fn live(variables: &[(&str, &str)]) -> Arc<LiveSettings> {
        let inputs = Inputs::from_environment(variables.iter().copied());
        Arc::new(LiveSettings::new(load(&inputs).expect("they are good")))
    }

    fn found(indicator: &dyn Indicator) -> Vec<(&'static str, Severity)> {
        let (reading, outlook) = (Reading::default(), Outlook::default());
        let found = indicator.check(&Evidence::new(&reading, &outlook));
        let named = found.iter().map(|one| (one.indicator, one.severity));
        named.collect()
    }

    #[test]
    fn a_request_that_keeps_twice_the_threshold_or_is_long_and_large_is_found() {
        let live = live(&[("RSR_MEMORY_HIGH_USAGE_THRESHOLD_MB", "50")]);
        let monitoring = &live.current().monitoring;
        let of = |seconds, allocated_mib, retained_mib: i64| {
            let took = Took {
                duration: Duration::from_secs(seconds),
                allocated: Some(ByteSize::from_mib(allocated_mib)),
                retained: Some(retained_mib << 20),
            };
            let found = of_request("/api/", &took, monitoring);
            let named = found.iter().map(|one| (one.indicator, one.severity));
            named.collect::<Vec<_>>()
        };
        assert_eq!(of(9, 500, 100), []);
        assert_eq!(of(9, 500, -500), []);
        let keeps = ("request_high_usage", Severity::High);
        assert_eq!(of(9, 500, 101), [keeps]);
        assert_eq!(of(10, 10, 0), [], "long and small");
        let long = ("long_request", Severity::Medium);
        assert_eq!(of(10, 11, 0), [long]);
        assert_eq!(of(10, 500, 101), [keeps, long]);
    }

    #[test]
    fn caches_that_hold_half_of_the_limit_are_found() {
        let live = live(&[
            ("RSR_MEMORY_LIMIT", "16MiB"),
            ("RSR_CACHE_MAX_BYTES", "none"),
        ]);
        let caches = CacheRegistry::new(live.current().cache.clone());
        let builder = caches
            .builder::<u32, Vec<u8>>("answers")
            .weigher(|_key: &u32, value: &Vec<u8>| value.len() as u64);
        let cache = caches.get_or_create(builder).expect("a new name");
        let share = CacheShare {
            caches: caches.clone(),
            live,
        };
        (0..7).for_each(|key| cache.insert(key, vec![0; 1 << 20]));
        assert_eq!(found(&share), []);
        (7..9).for_each(|key| cache.insert(key, vec![0; 1 << 20]));
        assert_eq!(found(&share), [("cache_share", Severity::Medium)]);
    }

    #[test]
    fn deletions_that_pile_up_are_found() {
        let live = live(&[("RSR_DELETION_WARN_ENTRIES", "2")]);
        let tracker = DeletionTracker::new(&live.current().deletion);
        let deletions = Deletions {
            tracker: tracker.clone(),
            live,
        };
        let _first = tracker.begin(ProjectId(1));
        assert_eq!(found(&deletions), []);
        let _second = tracker.begin(ProjectId(2));
        let overload = ("deletion_tracker_overload", Severity::Medium);
        assert_eq!(found(&deletions), [overload]);
    }

    #[test]
    fn a_file_is_named_as_its_crate_knows_it() {
        for (file, expected) in [
            (
                "/home/ann/rsr/crates/rsr/src/demo/leak.rs",
                "rsr/src/demo/leak.rs",
            ),
            (
                "/rustc/5980/library/core/src/option.rs",
                "core/src/option.rs",
            ),
            ("rsr/src/main.rs", "rsr/src/main.rs"),
            ("/src/main.rs", "/src/main.rs"),
            ("build.rs", "build.rs"),
            ("", ""),
        ] {
            assert_eq!(within_its_crate(file), expected);
        }
    }
}
