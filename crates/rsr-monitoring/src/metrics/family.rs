//! All series of one name.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::series::{Series, Slot};
use super::{Counter, FamilyDescription, Gauge, Histogram, MetricError, text};

/// All series of one name, told apart by the values of their labels.
///
/// Cloning gives another handle on the same family.
#[derive(Clone)]
pub struct Family<S> {
    shape: Arc<Shape>,
    kind: PhantomData<fn() -> S>,
}

/// Name, labels and series of one family, whatever it is made of.
pub(super) struct Shape {
    name: String,
    help: String,
    labels: Vec<String>,
    kind: Kind,
    series_max: AtomicUsize,
    series: Mutex<Vec<Entry>>,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram(Arc<[f64]>),
}

/// A series and its labels, written out once: `cache="projects",cause="size"`.
pub(super) struct Entry {
    pub(super) labels: String,
    pub(super) slot: Slot,
}

impl Kind {
    fn make(&self) -> Slot {
        match self {
            Self::Counter => Slot::Counter(Counter::default()),
            Self::Gauge => Slot::Gauge(Gauge::default()),
            Self::Histogram(bounds) => Slot::Histogram(Histogram::new(Arc::clone(bounds))),
        }
    }
}

impl<S: Series> Family<S> {
    pub(super) fn new(shape: Arc<Shape>) -> Self {
        Self {
            shape,
            kind: PhantomData,
        }
    }

    /// Allows this many series instead of 1,000.
    #[must_use]
    pub fn with_series_max(self, limit: usize) -> Self {
        self.shape.series_max.store(limit, Ordering::Relaxed);
        self
    }

    /// The series with these label values, in the order of the labels; made if it is not there yet.
    ///
    /// Takes a lock and O(series) time: call it at the start and keep the handle.
    ///
    /// # Errors
    ///
    /// [`MetricError::Labels`], a mistake of the program, and [`MetricError::TooManySeries`], where values come from
    /// outside: count under a value such as `other` then.
    pub fn with(&self, values: &[&str]) -> Result<S, MetricError> {
        let shape = &*self.shape;
        if values.len() != shape.labels.len() {
            return Err(MetricError::Labels {
                name: shape.name.clone(),
                expected: shape.labels.len(),
                given: values.len(),
            });
        }
        let labels = text::labels(&shape.labels, values);
        let mut series = shape.lock();
        let known = series
            .iter()
            .find(|entry| entry.labels == labels)
            .map(|entry| entry.slot.clone());
        let slot = match known {
            Some(slot) => slot,
            None => {
                let limit = shape.series_max.load(Ordering::Relaxed);
                if series.len() >= limit {
                    return Err(MetricError::TooManySeries {
                        name: shape.name.clone(),
                        limit,
                    });
                }
                let slot = shape.kind.make();
                series.push(Entry {
                    labels,
                    slot: slot.clone(),
                });
                slot
            }
        };
        Ok(S::of(&slot))
    }
}

impl<S> Family<S> {
    /// The family's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shape.name
    }
}

impl<S> fmt::Debug for Family<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl Shape {
    pub(super) fn try_new(
        name: &str,
        help: &str,
        labels: &[&str],
        kind: Kind,
        series_max: usize,
    ) -> Result<Self, MetricError> {
        let is_counter = matches!(kind, Kind::Counter);
        if !is_name(name, true) || is_counter != name.ends_with("_total") {
            return Err(MetricError::Name {
                name: name.to_owned(),
                what: if is_counter { "counter" } else { "metric" },
            });
        }
        for (place, label) in labels.iter().enumerate() {
            let is_repeated = labels.iter().take(place).any(|earlier| earlier == label);
            // Prometheus keeps two names for bounds and quantiles, and all that begin with two underscores.
            let is_reserved = label.starts_with("__") || ["le", "quantile"].contains(label);
            if is_repeated || is_reserved || !is_name(label, false) {
                return Err(MetricError::Name {
                    name: (*label).to_owned(),
                    what: "label",
                });
            }
        }
        Ok(Self {
            name: name.to_owned(),
            help: help.to_owned(),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            kind,
            series_max: AtomicUsize::new(series_max),
            series: Mutex::default(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn help(&self) -> &str {
        &self.help
    }

    pub(super) fn describe(&self) -> FamilyDescription {
        FamilyDescription {
            name: self.name.clone(),
            help: self.help.clone(),
            kind: match self.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram(_) => "histogram",
            },
            labels: self.labels.clone(),
        }
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether both would write a line of the same name.
    pub(super) fn collides(&self, other: &Self) -> bool {
        self.written_names()
            .any(|name| other.written_names().any(|theirs| theirs == name))
    }

    fn written_names(&self) -> impl Iterator<Item = String> {
        let base = self.name.strip_suffix("_total").unwrap_or(&self.name);
        let endings: &[&str] = match self.kind {
            Kind::Counter => &["", "_total"],
            Kind::Gauge => &[""],
            Kind::Histogram(_) => &["", "_bucket", "_sum", "_count"],
        };
        endings.iter().map(move |ending| format!("{base}{ending}"))
    }

    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// **Source:** the data model of Prometheus: letters, digits and underscores, in a metric's name colons too, and no
/// digit first.
fn is_name(text: &str, colons: bool) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    !text.is_empty() && text.chars().all(fits) && !text.starts_with(|c: char| c.is_ascii_digit())
}
