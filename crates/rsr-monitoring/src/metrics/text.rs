//! The two text formats.
//!
//! **Source:** Prometheus' "Exposition formats" (text 0.0.4) and the OpenMetrics specification, version 1.0.0.

use std::fmt::Write;
use std::sync::Arc;

use super::family::{Kind, Shape};
use super::histogram::Histogram;
use super::series::Slot;

/// A text format of metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Prometheus text, version 0.0.4.
    #[default]
    Text,
    /// OpenMetrics text, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The format that an `Accept` header of HTTP asks for: the one of higher weight, Prometheus text where there is a
    /// tie, no header, or neither is named.
    #[must_use]
    pub fn from_accept(accept: &str) -> Self {
        let (mut text, mut open) = (0.0_f64, 0.0_f64);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let parameters: Vec<_> = parts.filter_map(|part| part.split_once('=')).collect();
            let parameter = |name: &str| {
                parameters
                    .iter()
                    .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.trim().trim_matches('"'))
            };
            let weight = parameter("q").map_or(1.0, |q| q.parse::<f64>().unwrap_or(0.0));
            match kind.as_str() {
                "application/openmetrics-text"
                    if parameter("version").is_none_or(|version| version.starts_with("1.")) =>
                {
                    open = open.max(weight);
                }
                "text/plain" => text = text.max(weight),
                _ => {}
            }
        }
        if open > text {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// The `Content-Type` to send it with.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Label values as they stand between the braces; written once for each series.
pub(super) fn labels(names: &[String], values: &[&str]) -> String {
    let mut out = String::new();
    for (name, value) in names.iter().zip(values) {
        let separator = if out.is_empty() { "" } else { "," };
        out.push_str(separator);
        out.push_str(name);
        out.push_str("=\"");
        escape(&mut out, value, true);
        out.push('"');
    }
    out
}

fn escape(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            _ => out.push(c),
        }
    }
}

pub(super) fn write(shapes: &[Arc<Shape>], format: Format) -> String {
    let mut out = Writer {
        text: String::with_capacity(shapes.len() * 512),
        format,
    };
    for shape in shapes {
        out.family(shape);
    }
    if format == Format::OpenMetrics {
        out.text.push_str("# EOF\n");
    }
    out.text
}

struct Writer {
    text: String,
    format: Format,
}

impl Writer {
    fn family(&mut self, shape: &Shape) {
        let entries = shape.lock();
        let is_open = self.format == Format::OpenMetrics;
        let (kind, base) = match shape.kind() {
            // OpenMetrics names a counter's family without the ending that its samples carry.
            Kind::Counter if is_open => (
                "counter",
                shape.name().strip_suffix("_total").unwrap_or(shape.name()),
            ),
            Kind::Counter => ("counter", shape.name()),
            Kind::Gauge => ("gauge", shape.name()),
            Kind::Histogram(_) => ("histogram", shape.name()),
        };
        self.comment("HELP", base);
        escape(&mut self.text, shape.help(), is_open);
        self.text.push('\n');
        self.comment("TYPE", base);
        self.text.push_str(kind);
        self.text.push('\n');
        let unit = ["bytes", "seconds", "ratio"].into_iter().find(|unit| {
            base.strip_suffix(unit)
                .is_some_and(|rest| rest.ends_with('_'))
        });
        if let (true, Some(unit)) = (is_open, unit) {
            self.comment("UNIT", base);
            self.text.push_str(unit);
            self.text.push('\n');
        }
        for entry in entries.iter() {
            let labels = &entry.labels;
            match &entry.slot {
                Slot::Counter(counter) => {
                    self.head(shape.name(), "", labels);
                    self.whole(counter.value());
                }
                Slot::Gauge(gauge) => {
                    if let Some(value) = gauge.value() {
                        self.head(shape.name(), "", labels);
                        self.number(value);
                    }
                }
                // Eleven lines that all say 0: most routes never answer with most classes of status.
                Slot::Histogram(histogram) if histogram.count() == 0 && !labels.is_empty() => {}
                Slot::Histogram(histogram) => self.histogram(shape.name(), labels, histogram),
            }
        }
    }

    fn histogram(&mut self, name: &str, labels: &str, histogram: &Histogram) {
        let counts = histogram.counts();
        let mut total = 0;
        let bounds = histogram.bounds().iter().copied();
        for (bound, count) in bounds.chain([f64::INFINITY]).zip(counts) {
            total += count;
            self.text.push_str(name);
            self.text.push_str("_bucket{");
            if !labels.is_empty() {
                self.text.push_str(labels);
                self.text.push(',');
            }
            self.text.push_str("le=\"");
            self.float(bound);
            self.text.push_str("\"} ");
            self.whole(total);
        }
        self.head(name, "_sum", labels);
        self.number(histogram.sum());
        self.head(name, "_count", labels);
        self.whole(total);
    }

    fn comment(&mut self, what: &str, name: &str) {
        for part in ["# ", what, " ", name, " "] {
            self.text.push_str(part);
        }
    }

    fn head(&mut self, name: &str, ending: &str, labels: &str) {
        self.text.push_str(name);
        self.text.push_str(ending);
        if !labels.is_empty() {
            self.text.push('{');
            self.text.push_str(labels);
            self.text.push('}');
        }
        self.text.push(' ');
    }

    fn whole(&mut self, value: u64) {
        write!(self.text, "{value}").expect("a string takes all text");
        self.text.push('\n');
    }

    fn number(&mut self, value: f64) {
        self.float(value);
        self.text.push('\n');
    }

    /// The shortest text that reads back as the same number; OpenMetrics wants a point in it.
    fn float(&mut self, value: f64) {
        if value.is_infinite() {
            self.text
                .push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
            return;
        }
        let start = self.text.len();
        write!(self.text, "{value}").expect("a string takes all text");
        let is_whole = !self.text.as_bytes()[start..].contains(&b'.');
        if self.format == Format::OpenMetrics && is_whole {
            self.text.push_str(".0");
        }
    }
}
