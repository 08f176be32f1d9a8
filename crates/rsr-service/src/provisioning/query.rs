//! Expressions of PromQL, held against the metrics that there are.

use std::collections::BTreeMap;

use rsr_monitoring::Format;

use crate::metrics::Metrics;

/// Why an expression was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// It asks for a series that nobody exports.
    #[error("{metric} is exported by nobody: {expression}")]
    Unknown {
        /// The name that was asked for.
        metric: String,
        /// The whole expression.
        expression: String,
    },
    /// It takes the rate of something that falls too, or the slope of something that only rises.
    #[error("{function} does not fit {metric}: {expression}")]
    WrongKind {
        /// The function.
        function: String,
        /// The metric.
        metric: String,
        /// The whole expression.
        expression: String,
    },
}

/// Whose series an expression is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those that a dashboard's variables choose.
    Chosen,
    /// All.
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// The metrics that there are, and what rules make of them.
#[derive(Debug)]
pub(super) struct Known {
    kinds: BTreeMap<String, Kind>,
}

/// Functions for what only rises, and functions for what rises and falls.
const OF_COUNTERS: [&str; 3] = ["rate", "increase", "irate"];
const OF_GAUGES: [&str; 4] = ["deriv", "delta", "predict_linear", "max_over_time"];

impl Known {
    /// Those that the service defines, read from what it would show to a scrape.
    pub(super) fn of_this_service() -> Self {
        let text = Metrics::new().registry.scrape(Format::Text);
        let mut kinds: BTreeMap<String, Kind> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
            .filter_map(|(name, kind)| {
                let kind = match kind {
                    "counter" => Kind::Counter,
                    "gauge" => Kind::Gauge,
                    "histogram" => Kind::Histogram,
                    _ => return None,
                };
                Some((name.to_owned(), kind))
            })
            .collect();
        for (name, _) in super::recording::RULES {
            kinds.insert((*name).to_owned(), Kind::Gauge);
        }
        Self { kinds }
    }

    /// The expression for this scope. In it `{$}` and `{$,…}` stand for the choice of job and instance, `$cache` and
    /// `$severity` for those variables.
    ///
    /// # Errors
    ///
    /// [`QueryError`].
    pub(super) fn check(&self, expression: &str, scope: Scope) -> Result<String, QueryError> {
        let mut function = "";
        for word in words(expression) {
            if word.starts_with("rsr") && (word.contains('_') || word.contains(':')) {
                let kind = self.kind(word).ok_or_else(|| QueryError::Unknown {
                    metric: word.to_owned(),
                    expression: expression.to_owned(),
                })?;
                let rises = kind != Kind::Gauge;
                if (OF_COUNTERS.contains(&function) && !rises)
                    || (OF_GAUGES.contains(&function) && rises)
                {
                    return Err(QueryError::WrongKind {
                        function: function.to_owned(),
                        metric: word.to_owned(),
                        expression: expression.to_owned(),
                    });
                }
            }
            function = word;
        }
        Ok(match scope {
            Scope::Chosen => {
                let chosen = r#"job=~"$job",instance=~"$instance""#;
                expression
                    .replace("{$}", &format!("{{{chosen}}}"))
                    .replace("{$,", &format!("{{{chosen},"))
            }
            Scope::All => expression
                .replace("{$}", "")
                .replace("{$,", "{")
                .replace("\"$cache\"", "\".*\"")
                .replace("\"$severity\"", "\".*\""),
        })
    }

    fn kind(&self, word: &str) -> Option<Kind> {
        let of_histogram = ["_bucket", "_count", "_sum"].iter().find_map(|ending| {
            let base = word.strip_suffix(ending)?;
            self.kinds
                .get(base)
                .filter(|kind| **kind == Kind::Histogram)
        });
        let plain = self
            .kinds
            .get(word)
            .filter(|kind| **kind != Kind::Histogram);
        of_histogram.or(plain).copied()
    }
}

/// Names and functions in an expression, texts in quotes left out.
fn words(expression: &str) -> impl Iterator<Item = &str> {
    expression
        .split('"')
        .step_by(2)
        .flat_map(|part| part.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')))
        .filter(|word| !word.is_empty())
}
