//! Results with what stands at their periods.

use std::time::{Duration, UNIX_EPOCH};

use rsr_aggregation::Hundredths;
use rsr_store::{IndicatorRow, JobRow, PeriodDisaggregationRow, PeriodRow, ResultRow, UpdateRow};
use serde::Serialize;
use serde_json::{Value, json};

use super::time::rfc3339;

/// A result with all it holds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ResultJson {
    id: i64,
    project: i64,
    parent_result: Option<i64>,
    #[serde(rename = "type")]
    kind: String,
    title: String,
    description: String,
    aggregation_status: Option<bool>,
    indicators: Vec<IndicatorJson>,
}

#[derive(Clone, Debug, Serialize)]
struct IndicatorJson {
    id: i64,
    parent_indicator: Option<i64>,
    title: String,
    description: String,
    measure: String,
    qualitative: bool,
    cumulative: bool,
    ascending: Option<bool>,
    has_scores: bool,
    periods: Vec<PeriodJson>,
}

/// `value` and its companions are exact decimals as texts; no value is null, and an empty `actual_value`.
#[derive(Clone, Debug, Serialize)]
struct PeriodJson {
    id: i64,
    parent_period: Option<i64>,
    start: Option<String>,
    end: Option<String>,
    target_value: String,
    actual_value: String,
    value: Option<String>,
    numerator: Option<String>,
    denominator: Option<String>,
    manual: bool,
    manual_value: Option<String>,
    narrative: String,
    score: Option<i64>,
    scores: Vec<i32>,
    comment: String,
    disaggregations: Vec<Value>,
}

fn decimal(number: Option<Hundredths>) -> Option<String> {
    number.map(|number| number.to_string())
}

impl From<ResultRow> for ResultJson {
    fn from(row: ResultRow) -> Self {
        Self {
            id: row.id.0,
            project: row.project.0,
            parent_result: row.parent.map(|parent| parent.0),
            kind: row.kind,
            title: row.title,
            description: row.description,
            aggregation_status: row.aggregation_status,
            indicators: row
                .indicators
                .into_iter()
                .map(IndicatorJson::from)
                .collect(),
        }
    }
}

impl From<IndicatorRow> for IndicatorJson {
    fn from(row: IndicatorRow) -> Self {
        Self {
            id: row.id.0,
            parent_indicator: row.parent.map(|parent| parent.0),
            title: row.title,
            description: row.description,
            measure: row.measure,
            qualitative: row.is_qualitative,
            cumulative: row.is_cumulative,
            ascending: row.is_ascending,
            has_scores: row.has_scores,
            periods: row.periods.into_iter().map(PeriodJson::from).collect(),
        }
    }
}

impl From<PeriodRow> for PeriodJson {
    fn from(row: PeriodRow) -> Self {
        let value = decimal(row.numbers.value);
        let typed = row.manual_text.clone().filter(|_text| row.is_manual);
        Self {
            id: row.id.0,
            parent_period: row.parent.map(|parent| parent.0),
            start: row.start,
            end: row.end,
            target_value: row.target_value,
            actual_value: value.clone().or(typed).unwrap_or_default(),
            value,
            numerator: decimal(row.numbers.numerator),
            denominator: decimal(row.numbers.denominator),
            manual: row.is_manual,
            manual_value: row.manual_text,
            narrative: row.narrative,
            score: row.score,
            scores: row.scores,
            comment: row.comment,
            disaggregations: row.disaggregations.iter().map(disaggregation).collect(),
        }
    }
}

/// A result by itself, as lists show it.
pub(crate) fn result(row: ResultRow) -> Value {
    alone(ResultJson::from(row), "indicators", &[])
}

/// An indicator by itself, with what it belongs to.
pub(crate) fn indicator(row: IndicatorRow) -> Value {
    let above = [("project", row.project.0), ("result", row.result.0)];
    alone(IndicatorJson::from(row), "periods", &above)
}

/// A period by itself, with what it belongs to.
pub(crate) fn period(row: PeriodRow) -> Value {
    let above = [("project", row.project.0), ("indicator", row.indicator.0)];
    alone(PeriodJson::from(row), "disaggregations", &above)
}

fn alone(object: impl Serialize, below: &str, above: &[(&str, i64)]) -> Value {
    let mut value = json!(object);
    if let Some(members) = value.as_object_mut() {
        members.remove(below);
        for (name, id) in above {
            members.insert((*name).to_owned(), json!(id));
        }
    }
    value
}

fn disaggregation(row: &PeriodDisaggregationRow) -> Value {
    let contributions: Vec<Value> = row
        .contributions
        .iter()
        .map(|(project, numbers)| {
            json!({
                "project": project.0,
                "value": decimal(numbers.value),
                "numerator": decimal(numbers.numerator),
                "denominator": decimal(numbers.denominator),
            })
        })
        .collect();
    json!({
        "dimension_value": row.dimension_value.0,
        "dimension": row.name,
        "name": row.value,
        "value": decimal(row.numbers.value),
        "numerator": decimal(row.numbers.numerator),
        "denominator": decimal(row.numbers.denominator),
        "contributions": contributions,
    })
}

/// A report on a period.
pub(crate) fn update(row: &UpdateRow) -> Value {
    let disaggregations: Vec<Value> = row
        .disaggregations
        .iter()
        .map(|(part, is_incomplete)| {
            json!({
                "dimension_value": part.dimension_value.0,
                "value": decimal(part.numbers.value),
                "numerator": decimal(part.numbers.numerator),
                "denominator": decimal(part.numbers.denominator),
                "incomplete": is_incomplete,
            })
        })
        .collect();
    json!({
        "id": row.id.0,
        "period": row.period.0,
        "user": row.user.0,
        "status": row.status.code(),
        "value": decimal(row.numbers.value),
        "numerator": decimal(row.numbers.numerator),
        "denominator": decimal(row.numbers.denominator),
        "text": row.text,
        "narrative": row.narrative,
        "score": row.score,
        "scores": row.scores,
        "disaggregations": disaggregations,
    })
}

/// An entry of the aggregation queue.
pub(crate) fn job(row: &JobRow) -> Value {
    json!({
        "id": row.id.0,
        "period": row.period.0,
        "root_period": row.root_period.0,
        "project": row.project.0,
        "state": row.state,
        "attempts": row.attempts,
        "reason": row.reason,
        "run_after": row.run_after_ms.map(from_ms),
        "created": from_ms(row.created_ms),
        "changed": from_ms(row.changed_ms),
    })
}

fn from_ms(ms: i64) -> String {
    rfc3339(UNIX_EPOCH + Duration::from_millis(ms.max(0).unsigned_abs()))
}
