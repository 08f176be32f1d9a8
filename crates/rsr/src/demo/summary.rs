//! A result as it stands after the roll-up, in a few lines.

use rsr_aggregation::Hundredths;
use rsr_store::{IndicatorRow, PeriodRow, ResultRow};
use serde_json::{Value, json};

/// The periods of one indicator with what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    result: String,
    indicators: Vec<Indicator>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Indicator {
    title: String,
    periods: Vec<Period>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Period {
    name: String,
    value: Option<Hundredths>,
    /// By the name of the dimension value.
    parts: Vec<(String, Option<Hundredths>)>,
}

impl Summary {
    /// What stands at the quantitative indicators of a result.
    pub(crate) fn of(result: &ResultRow) -> Self {
        let counted = result
            .indicators
            .iter()
            .filter(|indicator| !indicator.is_qualitative);
        Self {
            result: result.title.clone(),
            indicators: counted.map(Indicator::of).collect(),
        }
    }

    /// Whether anything stands there at all.
    pub(crate) fn has_values(&self) -> bool {
        let mut periods = self
            .indicators
            .iter()
            .flat_map(|indicator| &indicator.periods);
        periods.any(|period| period.value.is_some())
    }

    pub(crate) fn to_json(&self) -> Value {
        let period = |period: &Period| {
            let parts: Vec<Value> = period
                .parts
                .iter()
                .map(|(name, value)| json!([name, text(*value)]))
                .collect();
            json!({ "period": period.name, "value": text(period.value), "parts": parts })
        };
        let indicators = self.indicators.iter().map(|indicator| {
            json!({ "indicator": indicator.title, "periods": indicator.periods.iter().map(period).collect::<Vec<_>>() })
        });
        json!({ "result": self.result, "indicators": indicators.collect::<Vec<_>>() })
    }

    /// Lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.result.clone()];
        for indicator in &self.indicators {
            let periods = indicator.periods.iter().map(|period| {
                let parts: Vec<String> = period
                    .parts
                    .iter()
                    .map(|(name, value)| {
                        format!("{name} {}", text(*value).unwrap_or_else(|| "-".to_owned()))
                    })
                    .collect();
                let value = text(period.value).unwrap_or_else(|| "no value".to_owned());
                match parts.as_slice() {
                    [] => format!("{} {value}", period.name),
                    parts => format!("{} {value} ({})", period.name, parts.join(", ")),
                }
            });
            lines.push(format!(
                "  {}: {}",
                indicator.title,
                periods.collect::<Vec<_>>().join(" · ")
            ));
        }
        lines
    }
}

impl Indicator {
    fn of(row: &IndicatorRow) -> Self {
        Self {
            title: row.title.clone(),
            periods: row.periods.iter().map(Period::of).collect(),
        }
    }
}

impl Period {
    fn of(row: &PeriodRow) -> Self {
        let year = row.end.as_deref().and_then(|end| end.split('-').next());
        Self {
            name: year.unwrap_or("open").to_owned(),
            value: row.numbers.value,
            parts: row
                .disaggregations
                .iter()
                .map(|part| (part.value.clone(), part.numbers.value))
                .collect(),
        }
    }
}

fn text(value: Option<Hundredths>) -> Option<String> {
    value.map(|value| value.to_string())
}
