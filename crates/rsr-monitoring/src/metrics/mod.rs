//! Counters, gauges and histograms, and the two text formats that Prometheus reads.

mod export;
mod family;
mod histogram;
mod series;
mod text;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

pub use export::{FamilySnapshot, Figure};
pub use family::Family;
pub use histogram::Histogram;
pub use series::{Counter, Gauge, Series};
pub use text::Format;

use family::{Kind, Shape};

/// Most series of one family unless it is told otherwise.
const SERIES_MAX: usize = 1_000;

/// Holds the metrics of a program and writes them out.
///
/// Families and their series are made at the start, and their handles kept; counting is then one atomic addition, with
/// no look-up and no lock. A counter exists at 0 from the moment it is made, so that a first event shows. A gauge that
/// was never set is left out: what is not known is absent, not 0.
///
/// Writing a scrape takes O(series) time and makes one string; it takes a lock that only the making of new series
/// waits for.
///
/// Cloning gives another handle on the same registry.
///
/// ```
/// use rsr_monitoring::{Format, Registry};
///
/// let registry = Registry::new();
/// let hits = registry.counter("app_cache_hits_total", "Reads that found their entry.", &["cache"])?;
/// let projects = hits.with(&["projects"])?;
/// projects.inc();
/// let text = registry.scrape(Format::Text);
/// assert!(text.ends_with("app_cache_hits_total{cache=\"projects\"} 1\n"));
/// # Ok::<(), rsr_monitoring::MetricError>(())
/// ```
#[derive(Clone, Default)]
pub struct Registry {
    inner: Arc<Inner>,
}

type BeforeScrape = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Inner {
    shapes: Mutex<Vec<Arc<Shape>>>,
    before_scrape: Mutex<Vec<BeforeScrape>>,
}

/// A metric that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// A metric's or label's name that Prometheus would refuse, or a counter whose name does not end in `_total`.
    #[error("{name:?} is no name for a {what}")]
    Name {
        /// The name.
        name: String,
        /// What it should have named.
        what: &'static str,
    },
    /// The name is taken.
    #[error("{name} is there already")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// Not one value for each label.
    #[error("{name} has {expected} labels, {given} values were given")]
    Labels {
        /// The family.
        name: String,
        /// Labels it has.
        expected: usize,
        /// Values given.
        given: usize,
    },
    /// The family holds as many series as it may.
    #[error("{name} holds {limit} series, its limit")]
    TooManySeries {
        /// The family.
        name: String,
        /// Its limit.
        limit: usize,
    },
    /// Bounds that are empty, unordered, infinite or not numbers.
    #[error("{name} needs finite bounds in rising order")]
    Bounds {
        /// The histogram.
        name: String,
    },
}

/// What one family is, apart from its figures.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FamilyDescription {
    /// Its name, with the unit last.
    pub name: String,
    /// What it counts or measures, as a scrape says it.
    pub help: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The names of its labels.
    pub labels: Vec<String>,
}

impl Registry {
    /// A registry with no metrics.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A family of counters: figures that only rise. Its name ends in `_total`.
    ///
    /// # Errors
    ///
    /// [`MetricError::Name`] and [`MetricError::Duplicate`], both mistakes of the program.
    pub fn counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<Family<Counter>, MetricError> {
        self.family(name, help, labels, Kind::Counter)
    }

    /// A family of gauges: figures that rise and fall.
    ///
    /// # Errors
    ///
    /// As for [`Registry::counter`].
    pub fn gauge(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<Family<Gauge>, MetricError> {
        self.family(name, help, labels, Kind::Gauge)
    }

    /// A family of histograms that sort observations by these upper bounds, inclusive and in rising order; what is
    /// above the last one is counted too.
    ///
    /// # Errors
    ///
    /// As for [`Registry::counter`], and [`MetricError::Bounds`].
    pub fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        bounds: &[f64],
    ) -> Result<Family<Histogram>, MetricError> {
        let is_rising = bounds.is_sorted_by(|a, b| a < b);
        if bounds.is_empty() || !is_rising || bounds.iter().any(|bound| !bound.is_finite()) {
            return Err(MetricError::Bounds {
                name: name.to_owned(),
            });
        }
        self.family(name, help, labels, Kind::Histogram(bounds.into()))
    }

    fn family<S: Series>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        kind: Kind,
    ) -> Result<Family<S>, MetricError> {
        let shape = Arc::new(Shape::try_new(name, help, labels, kind, SERIES_MAX)?);
        let mut shapes = self.lock();
        if shapes.iter().any(|known| known.collides(&shape)) {
            return Err(MetricError::Duplicate {
                name: name.to_owned(),
            });
        }
        shapes.push(Arc::clone(&shape));
        Ok(Family::new(shape))
    }

    /// Runs `update` before each scrape, so that gauges read from elsewhere are current. Keep it to microseconds.
    pub fn before_scrape(&self, update: impl Fn() + Send + Sync + 'static) {
        self.inner
            .before_scrape
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::new(update));
    }

    /// Every metric, in the order of making, as text in this format.
    #[must_use]
    pub fn scrape(&self, format: Format) -> String {
        self.update();
        let shapes = self.lock().clone();
        text::write(&shapes, format)
    }

    fn update(&self) {
        let updates: Vec<_> = self
            .inner
            .before_scrape
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for update in updates {
            update();
        }
    }

    /// Names of all families in the order of making, as dashboards and alerts may use them.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.lock()
            .iter()
            .map(|shape| shape.name().to_owned())
            .collect()
    }

    /// What each family is, in the order of making: what a page of metrics says.
    #[must_use]
    pub fn describe(&self) -> Vec<FamilyDescription> {
        self.lock().iter().map(|shape| shape.describe()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Shape>>> {
        self.inner
            .shapes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
