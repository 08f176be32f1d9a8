//! Metrics as values, for whoever sends them on in another format.

use super::series::Slot;
use super::{Registry, Shape};

/// One family and its series at one moment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FamilySnapshot {
    /// As it was made, a counter's with its `_total`.
    pub name: String,
    /// What it is.
    pub help: String,
    /// Labels, each a name and a value, and the figure. Gauges that were never set are left out.
    pub series: Vec<(Vec<(String, String)>, Figure)>,
}

/// The figure of one series.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Figure {
    /// A total since the program began.
    Counter(u64),
    /// A figure of this moment.
    Gauge(f64),
    /// Observations by size.
    Histogram {
        /// Upper bounds, inclusive and rising.
        bounds: Vec<f64>,
        /// One for each bound and one for what is above the last; not added up.
        counts: Vec<u64>,
        /// Sum of all observations.
        sum: f64,
    },
}

impl Registry {
    /// Every metric as values, in the order of making, as current as a scrape. O(series).
    #[must_use]
    pub fn snapshot(&self) -> Vec<FamilySnapshot> {
        self.update();
        let shapes = self.lock().clone();
        shapes.iter().map(|shape| snapshot(shape)).collect()
    }
}

fn snapshot(shape: &Shape) -> FamilySnapshot {
    let entries = shape.lock();
    let series = entries.iter().filter_map(|entry| {
        let figure = match &entry.slot {
            Slot::Counter(counter) => Figure::Counter(counter.value()),
            Slot::Gauge(gauge) => Figure::Gauge(gauge.value()?),
            Slot::Histogram(histogram) => Figure::Histogram {
                bounds: histogram.bounds().to_vec(),
                counts: histogram.counts(),
                sum: histogram.sum(),
            },
        };
        Some((labels(&entry.labels), figure))
    });
    FamilySnapshot {
        name: shape.name().to_owned(),
        help: shape.help().to_owned(),
        series: series.collect(),
    }
}

/// Reads labels back from the form they are written in: `name="value",…`, with escapes.
fn labels(written: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut rest = written;
    while let Some((name, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut chars = after.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => match chars.next() {
                    Some('n') => value.push('\n'),
                    other => value.extend(other),
                },
                _ => value.push(c),
            }
        }
        out.push((name.trim_start_matches(',').to_owned(), value));
        rest = chars.as_str();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_back_as_they_were_given() {
        let registry = Registry::new();
        let family = registry.counter("a_total", "A.", &["route", "method"]);
        let given = ["/a\"b\\c,d=\"e\n", ""];
        family
            .expect("a good name")
            .with(&given)
            .expect("two labels")
            .add(3);
        let snapshot = registry.snapshot();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = vec![pair("route", given[0]), pair("method", given[1])];
        assert_eq!(snapshot[0].series, [(expected, Figure::Counter(3))]);
    }
}
