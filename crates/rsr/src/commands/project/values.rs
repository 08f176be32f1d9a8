//! What projects have achieved, as the tree shows it.

use std::borrow::Cow;
use std::collections::HashMap;

use rsr_aggregation::{Hundredths, Numbers};
use rsr_base::ProjectId;
use rsr_store::{Achieved, StandingValue};
use serde_json::{Value, json};

/// Indicators of one project that are drawn; the rest is a number.
pub(super) const DRAWN_MAX: usize = 3;
/// Characters of an indicator's title that are drawn.
const TITLE_MAX: usize = 40;
/// IATI's code for indicators in percent.
const PERCENTAGE: &str = "2";

/// What the projects of a chunk have achieved.
pub(super) type AllAchieved = HashMap<ProjectId, Achieved>;

/// What is drawn behind a project: `· Wells built 120 of 200 (60 %) · … 4 more`.
pub(super) fn drawn(achieved: Option<&Achieved>) -> String {
    let Some(achieved) = achieved else {
        return String::new();
    };
    let mut text = String::new();
    for value in &achieved.first {
        text.push_str(" · ");
        text.push_str(&one(value));
    }
    let more = achieved
        .n_indicators
        .saturating_sub(achieved.first.len() as u64);
    if more > 0 {
        text.push_str(&format!(" · … {} more", super::grouped(more)));
    }
    text
}

fn one(value: &StandingValue) -> String {
    let title = one_line(&value.title);
    let mut text = match title.char_indices().nth(TITLE_MAX) {
        None if title.is_empty() => format!("indicator {}", value.indicator),
        None => title.into_owned(),
        Some((cut, _)) => format!("{}…", title.split_at(cut).0.trim_end()),
    };
    let sign = if value.measure == PERCENTAGE {
        " %"
    } else {
        ""
    };
    match shown(&value.numbers) {
        Some(number) => text.push_str(&format!(" {number}{sign}")),
        None => text.push_str(" –"),
    }
    let target = match target(value) {
        Some(target) => short(target),
        None => one_line(&value.target_value).into_owned(),
    };
    if !target.is_empty() {
        text.push_str(&format!(" of {target}{sign}"));
    }
    if let Some(progress) = progress(value) {
        text.push_str(&format!(" ({} %)", short(progress)));
    }
    text
}

/// As fields of a line of JSON. Numbers are texts, as everywhere in the interface.
pub(super) fn fields(achieved: Option<&Achieved>) -> (u64, Vec<Value>) {
    let Some(achieved) = achieved else {
        return (0, Vec::new());
    };
    let decimal = |number: Option<Hundredths>| number.map(|number| number.to_string());
    let values = achieved.first.iter().map(|value| {
        json!({
            "indicator": value.indicator.0,
            "title": value.title,
            "measure": value.measure,
            "period_end": value.end,
            "value": decimal(value.numbers.value),
            "numerator": decimal(value.numbers.numerator),
            "denominator": decimal(value.numbers.denominator),
            "target": value.target_value,
            "progress_percent": decimal(progress(value)),
        })
    });
    (achieved.n_indicators, values.collect())
}

/// A percentage without its quotient shows the pair.
fn shown(numbers: &Numbers) -> Option<String> {
    match (numbers.value, numbers.numerator, numbers.denominator) {
        (Some(value), _, _) => Some(short(value)),
        (None, Some(numerator), Some(denominator)) => {
            Some(format!("{}/{}", short(numerator), short(denominator)))
        }
        _ => None,
    }
}

fn target(value: &StandingValue) -> Option<Hundredths> {
    Hundredths::parse(&value.target_value).ok().flatten()
}

/// The value in percent of the target, where both are numbers and the target is above zero.
fn progress(value: &StandingValue) -> Option<Hundredths> {
    let target = target(value).filter(|target| target.hundredths() > 0)?;
    Hundredths::percentage(value.numbers.value?, target)
}

/// Without places that are zero.
fn short(number: Hundredths) -> String {
    let text = number.to_string();
    match text.strip_suffix(".00") {
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// A text of any publisher on one line, white space as single spaces.
pub(super) fn one_line(text: &str) -> Cow<'_, str> {
    if text.chars().any(|c| c.is_control() || c == '\u{2028}') || text.contains("  ") {
        let clean = text.replace(|c: char| c.is_control(), " ");
        Cow::Owned(clean.split_whitespace().collect::<Vec<_>>().join(" "))
    } else {
        Cow::Borrowed(text.trim())
    }
}
