//! The monitor of this service: readings, metrics, and the layer that measures each request.

use std::sync::{Arc, Mutex, OnceLock};

use rsr_base::{ByteSize, SharedClock};
use rsr_monitoring::{FindingBook, MeasureLayer, Reading, Readings, Switches, Vitals};
use rsr_settings::LiveSettings;
use rsr_store::Store;

use crate::metrics::{Metrics, Notice, RequestObserver};
use crate::profiles::Profiles;

/// What measures, and what was measured.
#[derive(Debug)]
pub(crate) struct Measure {
    pub(crate) metrics: Arc<Metrics>,
    readings: Arc<Readings>,
    vitals: Vitals,
    layer: MeasureLayer<RequestObserver>,
    switches: Switches,
    live: Arc<LiveSettings>,
    book: Arc<OnceLock<Arc<Mutex<FindingBook>>>>,
    profiles: Arc<OnceLock<Arc<Profiles>>>,
}

impl Measure {
    pub(crate) fn new(live: Arc<LiveSettings>, store: &Store, clock: SharedClock) -> Self {
        let metrics = Arc::new(Metrics::new());
        let readings = Arc::new(Readings::new("/".as_ref(), Arc::clone(&clock)));
        let vitals = Vitals::new();
        let settings = live.current();
        let (book, profiles) = (Arc::default(), Arc::default());
        let observer = || RequestObserver {
            elsewhere: Arc::clone(&metrics.requests.elsewhere),
            in_flight: metrics.requests.in_flight.clone(),
            ended: Arc::clone(&metrics.requests.ended),
            notice: Notice(Arc::clone(&live)),
            book: Arc::clone(&book),
            profiles: Arc::clone(&profiles),
        };
        let prefix = &settings.monitoring.header_prefix;
        let layer =
            MeasureLayer::with_headers(prefix, observer(), vitals.clone(), Arc::clone(&clock))
                .unwrap_or_else(|error| {
                    tracing::warn!(%error, "answers carry no memory headers");
                    MeasureLayer::new(observer(), vitals.clone(), clock)
                });
        let measure = Self {
            switches: layer.switches(),
            layer,
            metrics,
            readings,
            vitals,
            live,
            book,
            profiles,
        };
        measure.follow_settings();
        measure.read();
        measure.read_at_each_scrape(store.clone());
        measure
    }

    /// Reports requests that stand out to this book from now on, and has these profiles see them.
    pub(crate) fn report_to(&self, book: &Arc<Mutex<FindingBook>>, profiles: &Arc<Profiles>) {
        // One service has one book, and one profiler.
        let _first = self.book.set(Arc::clone(book)).is_ok();
        let _first = self.profiles.set(Arc::clone(profiles)).is_ok();
    }

    /// The layer that every answer goes through.
    pub(crate) fn layer(&self) -> MeasureLayer<RequestObserver> {
        self.layer.clone()
    }

    /// Measures process and machine, for the headers and for whoever asks. About 100 µs.
    pub(crate) fn read(&self) -> Reading {
        self.vitals.refresh(&self.readings)
    }

    /// What the process plans for: the setting, else the tightest limit there is.
    pub(crate) fn limit(&self) -> Option<ByteSize> {
        limit(&self.live, &self.readings.take())
    }

    /// The same, by a reading that was just taken.
    pub(crate) fn limit_of(&self, reading: &Reading) -> Option<ByteSize> {
        limit(&self.live, reading)
    }

    /// Takes over what may change while the service runs.
    pub(crate) fn follow_settings(&self) {
        let monitoring = &self.live.current().monitoring;
        self.switches.set_on(monitoring.enabled);
        self.switches.set_detailed(monitoring.detailed_tracking);
    }

    fn read_at_each_scrape(&self, store: Store) {
        let metrics = Arc::clone(&self.metrics);
        let readings = Arc::clone(&self.readings);
        let vitals = self.vitals.clone();
        let live = Arc::clone(&self.live);
        self.metrics.registry.before_scrape(move || {
            let reading = vitals.refresh(&readings);
            metrics.memory.follow(&reading, limit(&live, &reading));
            metrics.work.follow_connections(&store.readers());
        });
    }
}

fn limit(live: &LiveSettings, reading: &Reading) -> Option<ByteSize> {
    let settings = live.current();
    settings
        .memory
        .limit
        .or_else(|| reading.limit.map(|limit| limit.size))
}
