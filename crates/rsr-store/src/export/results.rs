//! One result at a time, put together from its rows.
//!
//! What was imported comes back as it was, but for actuals: a period of which anything was computed shows its value, and
//! one for each of its disaggregations. While manual values alone stand, the roll-up changes nothing of an export.

use std::collections::HashMap;

use rsr_aggregation::Hundredths;
use rsr_base::ProjectId;
use rsr_iati::model::{
    ActivityElement, Dated, Dimension, Flag, Indicator, Measurement, Number, Period, ResultBlock,
    TextBlock,
};
use rsr_iati::schema::FragmentChecker;

use crate::elements::{indicator_from_xml, period_from_xml, result_from_xml};
use crate::error::Error;
use crate::sql::{Session, params};

/// A result without what it holds.
pub(super) struct ResultRow {
    pub(super) id: i64,
    pub(super) place: i64,
    block: ResultBlock,
}

impl ResultRow {
    /// Why the result cannot stand in a valid activity. Asked of what is written, since values and titles change after
    /// an import.
    pub(super) fn objection(
        &self,
        element: &ActivityElement,
        checker: &mut FragmentChecker,
    ) -> Option<String> {
        checker.objection(element, &element.to_xml())
    }
}

/// The result after a place and id.
pub(super) fn next(
    db: &dyn Session,
    project: ProjectId,
    place: i64,
    id: i64,
) -> Result<Option<ResultRow>, Error> {
    db.row(
        "SELECT id, place, xml, omitted_because, type, title, description, aggregation_status FROM results
         WHERE project_id = ?1 AND (place, id) > (?2, ?3) ORDER BY place, id LIMIT 1",
        params![project, place, id],
        |row| {
            let xml = row.text(2)?;
            let block = match xml.is_empty() {
                false => result_from_xml(xml),
                true => ResultBlock {
                    kind: Some(row.string(4)?),
                    title: text(row.text(5)?),
                    description: text(row.text(6)?),
                    aggregation_status: row.opt_int(7)?.map(|is| Flag::of(is != 0)),
                    ..ResultBlock::default()
                },
            };
            Ok(ResultRow {
                id: row.int(0)?,
                place: row.int(1)?,
                block,
            })
        },
    )
}

/// The whole result.
pub(super) fn element(db: &dyn Session, row: &ResultRow) -> Result<ActivityElement, Error> {
    let mut block = row.block.clone();
    let mut index = HashMap::new();
    db.query(
        "SELECT id, xml, measure, is_ascending, aggregation_status, title, description FROM indicators
         WHERE result_id = ?1 ORDER BY place, id",
        params![row.id],
        &mut |row| {
            let xml = row.text(1)?;
            let indicator = match xml.is_empty() {
                false => indicator_from_xml(xml),
                true => Indicator {
                    measure: Some(row.string(2)?),
                    ascending: row.opt_int(3)?.map(|is| Flag::of(is != 0)),
                    aggregation_status: row.opt_int(4)?.map(|is| Flag::of(is != 0)),
                    title: text(row.text(5)?),
                    description: text(row.text(6)?),
                    ..Indicator::default()
                },
            };
            index.insert(row.int(0)?, block.indicators.len());
            block.indicators.push(indicator);
            Ok(())
        },
    )?;
    let mut parts = parts(db, row.id)?;
    db.query(
        "SELECT p.id, p.indicator_id, p.xml, p.start_date, p.end_date, p.target_value, p.is_manual, p.value, p.manual_text
         FROM indicators i JOIN periods p ON p.indicator_id = i.id WHERE i.result_id = ?1
         ORDER BY p.indicator_id, p.place, p.id",
        params![row.id],
        &mut |row| {
            let xml = row.text(2)?;
            let mut period = match xml.is_empty() {
                false => period_from_xml(xml),
                true => Period {
                    start: row.opt_text(3)?.map(Dated::new),
                    end: row.opt_text(4)?.map(Dated::new),
                    targets: measured(row.text(5)?).into_iter().collect(),
                    actuals: measured(row.text(8)?).into_iter().collect(),
                    ..Period::default()
                },
            };
            let value = row.opt_hundredths(7)?.map(Hundredths::from_hundredths);
            let parts = parts.remove(&row.int(0)?).unwrap_or_default();
            let is_computed = value.is_some() || parts.iter().any(|part| !part.is_manual);
            if !row.flag(6)? && is_computed {
                period.actuals = computed(value, parts);
            }
            let nth = index.get(&row.int(1)?);
            if let Some(indicator) = nth.and_then(|nth| block.indicators.get_mut(*nth)) {
                indicator.periods.push(period);
            }
            Ok(())
        },
    )?;
    Ok(ActivityElement::Result(block))
}

/// A disaggregation with a value.
struct Part {
    name: String,
    dimension: String,
    value: Hundredths,
    is_manual: bool,
}

/// The disaggregations with values of the periods of a result.
fn parts(db: &dyn Session, result: i64) -> Result<HashMap<i64, Vec<Part>>, Error> {
    let mut parts: HashMap<i64, Vec<Part>> = HashMap::new();
    db.query(
        "SELECT d.period_id, n.name, v.value, d.value, d.is_manual FROM indicators i JOIN periods p ON p.indicator_id = i.id
         JOIN period_disaggregations d ON d.period_id = p.id
         JOIN dimension_values v ON v.id = d.dimension_value_id JOIN dimension_names n ON n.id = v.name_id
         WHERE i.result_id = ?1 AND d.value IS NOT NULL ORDER BY d.period_id, n.id, v.id",
        params![result],
        &mut |row| {
            if let Some(value) = row.opt_hundredths(3)? {
                let part = Part {
                    name: row.string(1)?,
                    dimension: row.string(2)?,
                    value: Hundredths::from_hundredths(value),
                    is_manual: row.flag(4)?,
                };
                parts.entry(row.int(0)?).or_default().push(part);
            }
            Ok(())
        },
    )?;
    Ok(parts)
}

/// The actuals of a computed period.
fn computed(value: Option<Hundredths>, parts: Vec<Part>) -> Vec<Measurement> {
    let total = value.map(|value| Measurement {
        value: Some(plain(value)),
        ..Measurement::default()
    });
    let parts = parts.into_iter().map(|part| Measurement {
        value: Some(plain(part.value)),
        dimensions: part
            .name
            .split(" / ")
            .zip(part.dimension.split(" / "))
            .map(|(name, value)| Dimension {
                name: Some(name.to_owned()),
                value: Some(value.to_owned()),
                ..Dimension::default()
            })
            .collect(),
        ..Measurement::default()
    });
    total.into_iter().chain(parts).collect()
}

/// A number without zeros at the end of its fraction.
fn plain(value: Hundredths) -> String {
    Number::from_hundredths(value.hundredths()).to_string()
}

fn text(text: &str) -> Option<TextBlock> {
    (!text.is_empty()).then(|| TextBlock::new(text))
}

fn measured(value: &str) -> Option<Measurement> {
    (!value.is_empty()).then(|| Measurement {
        value: Some(value.to_owned()),
        ..Measurement::default()
    })
}
