//! Results, indicators and periods as fragments: what has no column of its own, without the rows below.

use rsr_iati::model::{ActivityElement, Indicator, Period, ResultBlock};

/// The result without its indicators.
pub(super) fn result_to_xml(result: &ResultBlock) -> String {
    let own = ResultBlock {
        kind: result.kind.clone(),
        aggregation_status: result.aggregation_status.clone(),
        title: result.title.clone(),
        description: result.description.clone(),
        document_links: result.document_links.clone(),
        references: result.references.clone(),
        indicators: Vec::new(),
        extra: result.extra.clone(),
    };
    ActivityElement::Result(own).to_xml()
}

/// The indicator without its periods, inside a result of its own.
pub(super) fn indicator_to_xml(indicator: &Indicator) -> String {
    let own = Indicator {
        measure: indicator.measure.clone(),
        ascending: indicator.ascending.clone(),
        aggregation_status: indicator.aggregation_status.clone(),
        title: indicator.title.clone(),
        description: indicator.description.clone(),
        document_links: indicator.document_links.clone(),
        references: indicator.references.clone(),
        baselines: indicator.baselines.clone(),
        periods: Vec::new(),
        extra: indicator.extra.clone(),
    };
    wrapped(own)
}

/// The period inside an indicator and a result of its own.
pub(super) fn period_to_xml(period: &Period) -> String {
    wrapped(Indicator {
        periods: vec![period.clone()],
        ..Indicator::default()
    })
}

fn wrapped(indicator: Indicator) -> String {
    ActivityElement::Result(ResultBlock {
        indicators: vec![indicator],
        ..ResultBlock::default()
    })
    .to_xml()
}

/// The result a row holds; an empty one where it holds none.
pub(crate) fn result_from_xml(xml: &str) -> ResultBlock {
    match ActivityElement::from_xml(xml) {
        Ok(ActivityElement::Result(result)) if !xml.is_empty() => result,
        _ => ResultBlock::default(),
    }
}

/// The indicator a row holds; an empty one where it holds none.
pub(crate) fn indicator_from_xml(xml: &str) -> Indicator {
    result_from_xml(xml).indicators.pop().unwrap_or_default()
}

/// The period a row holds; an empty one where it holds none.
pub(crate) fn period_from_xml(xml: &str) -> Period {
    indicator_from_xml(xml).periods.pop().unwrap_or_default()
}
