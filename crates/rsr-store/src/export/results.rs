//! Results put together from their rows, a page of them at a time.
//!
//! What was imported comes back as it was, but for actuals: a period of which anything was computed shows its value, and
//! one for each of its disaggregations. While manual values alone stand, the roll-up changes nothing of an export.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;

use rsr_aggregation::Hundredths;
use rsr_iati::model::{
    ActivityElement, Dated, Dimension, Flag, Indicator, Measurement, Number, Period, ResultBlock,
    TextBlock,
};
use rsr_iati::schema::FragmentChecker;

use super::pages::Heads;
use crate::elements::{indicator_from_xml, period_from_xml, result_from_xml};
use crate::error::Error;
use crate::sql::{IDS, Roots, Session, id_list, params};

/// Most results read at once.
const PAGE_ROWS: i64 = 128;
/// Bytes of fragments after which a page ends, besides those of its first result.
const PAGE_BYTES: i64 = 1 << 20;
/// What a disaggregation counts for beside those.
const PART_BYTES: i64 = 64;

/// A result with all it holds.
pub(super) struct ResultRow {
    pub(super) project: i64,
    id: i64,
    place: i64,
    pub(super) element: ActivityElement,
}

impl ResultRow {
    /// Why the result cannot stand in a valid activity. Asked of what is written, since values and titles change after
    /// an import.
    pub(super) fn objection(&self, checker: &mut FragmentChecker) -> Option<String> {
        checker.objection(&self.element, &self.element.to_xml())
    }
}

/// The results to come of a chunk's activities, a page at a time: five statements a page, however many results it has.
pub(super) struct Results {
    page: VecDeque<ResultRow>,
    /// Project, place and id of the last one read.
    after: (i64, i64, i64),
    is_end: bool,
}

impl Results {
    /// Those of the activities after one.
    pub(super) fn behind(project: i64) -> Self {
        Self {
            page: VecDeque::new(),
            after: (project, i64::MAX, i64::MAX),
            is_end: false,
        }
    }

    /// The next result of a project. Those of projects before it are passed over.
    pub(super) fn next(
        &mut self,
        db: &dyn Session,
        project: i64,
        heads: &Heads,
    ) -> Result<Option<ResultRow>, Error> {
        loop {
            while self
                .page
                .pop_front_if(|row| row.project < project)
                .is_some()
            {}
            if !self.page.is_empty() || self.is_end {
                break;
            }
            self.after = self.after.max((project - 1, i64::MAX, i64::MAX));
            self.read(db, heads)?;
        }
        Ok(self.page.pop_front_if(|row| row.project == project))
    }

    fn read(&mut self, db: &dyn Session, heads: &Heads) -> Result<(), Error> {
        let (mut blocks, is_last) = self.blocks(db, heads)?;
        let n_read = blocks.len();
        let weights = weights(db, &blocks, &heads.roots)?;
        let mut n_bytes = 0;
        let mut n_kept = 0;
        for row in &blocks {
            n_bytes += weights.get(&row.id).copied().unwrap_or(0);
            if n_kept > 0 && n_bytes > PAGE_BYTES {
                break;
            }
            n_kept += 1;
        }
        blocks.truncate(n_kept);
        self.is_end = is_last && n_kept == n_read;
        if let Some(last) = blocks.last() {
            self.after = (last.project, last.place, last.id);
        }
        self.page = filled(db, blocks, &heads.roots)?.into();
        Ok(())
    }

    /// The next results without what they hold, and whether there are no more.
    fn blocks(&self, db: &dyn Session, heads: &Heads) -> Result<(Vec<ResultRow>, bool), Error> {
        let (within, mut chunk) = heads.within(5);
        let sql = format!(
            "SELECT id, project_id, place, xml, type, title, description, aggregation_status
             FROM results WHERE (project_id, place, id) > (?1, ?2, ?3) AND {within}
             ORDER BY project_id, place, id LIMIT ?4"
        );
        let (project, place, id) = self.after;
        let mut params = params![project, place, id, PAGE_ROWS].to_vec();
        params.append(&mut chunk);
        let (mut blocks, mut n_bytes, mut n_rows) = (Vec::new(), 0, 0);
        let flow = db.query_until(&sql, &params, &mut |row| {
            let xml = row.text(3)?;
            n_bytes += i64::try_from(xml.len()).unwrap_or(PAGE_BYTES);
            n_rows += 1;
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
            blocks.push(ResultRow {
                id: row.int(0)?,
                project: row.int(1)?,
                place: row.int(2)?,
                element: ActivityElement::Result(block),
            });
            Ok(match n_bytes > PAGE_BYTES {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        })?;
        Ok((blocks, flow.is_continue() && n_rows < PAGE_ROWS))
    }
}

/// The ids of some results as a parameter.
fn ids(blocks: &[ResultRow]) -> String {
    id_list(blocks.iter().map(|row| row.id))
}

/// About how many bytes each result holds in its indicators, periods and disaggregations.
fn weights(
    db: &dyn Session,
    blocks: &[ResultRow],
    roots: &Roots,
) -> Result<HashMap<i64, i64>, Error> {
    let rows = db.rows(
        &format!(
            "SELECT i.result_id, i.id, octet_length(i.xml), count(p.id), sum(octet_length(p.xml)),
                 sum((SELECT count(*) FROM period_disaggregations d WHERE d.period_id = p.id /*! AND d.root_id = p.root_id */))
             FROM indicators i LEFT JOIN periods p ON p.indicator_id = i.id /*! AND p.root_id = i.root_id */
             WHERE i.result_id IN {IDS} /*! AND i.root_id IN ?roots */
             GROUP BY i.result_id, i.id, octet_length(i.xml)"
        ),
        params![&ids(blocks), roots],
        |row| {
            let rows = (1 + row.int(3)? + row.int(5)?) * PART_BYTES;
            Ok((row.int(0)?, rows + row.int(2)? + row.int(4)?))
        },
    )?;
    let mut weights = HashMap::new();
    for (result, n_bytes) in rows {
        *weights.entry(result).or_default() += n_bytes;
    }
    Ok(weights)
}

/// The results with all they hold.
fn filled(
    db: &dyn Session,
    mut blocks: Vec<ResultRow>,
    roots: &Roots,
) -> Result<Vec<ResultRow>, Error> {
    if blocks.is_empty() {
        return Ok(blocks);
    }
    let ids = ids(&blocks);
    let nth_by_id: HashMap<i64, usize> = blocks.iter().map(|row| row.id).zip(0..).collect();
    let mut indicators_of: Vec<Vec<Indicator>> = Vec::new();
    indicators_of.resize_with(blocks.len(), Vec::new);
    // By indicator: its result's place on the page, and its own in the result.
    let mut index: HashMap<i64, (usize, usize)> = HashMap::new();
    db.query(
        &format!(
            "SELECT id, xml, measure, is_ascending, aggregation_status, title, description, result_id FROM indicators
             WHERE result_id IN {IDS} /*! AND root_id IN ?roots */ ORDER BY result_id, place, id"
        ),
        params![&ids, roots],
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
            let nth = nth_by_id.get(&row.int(7)?).copied().unwrap_or(usize::MAX);
            if let Some(indicators) = indicators_of.get_mut(nth) {
                index.insert(row.int(0)?, (nth, indicators.len()));
                indicators.push(indicator);
            }
            Ok(())
        },
    )?;
    let mut parts = parts(db, &ids, roots)?;
    db.query(
        &format!(
            "SELECT p.id, p.indicator_id, p.xml, p.start_date, p.end_date, p.target_value, p.is_manual, p.value,
                 p.manual_text
             FROM indicators i JOIN periods p ON p.indicator_id = i.id /*! AND p.root_id = i.root_id */
             WHERE i.result_id IN {IDS} /*! AND i.root_id IN ?roots */
             ORDER BY p.indicator_id, p.place, p.id"
        ),
        params![&ids, roots],
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
            let at = index.get(&row.int(1)?);
            let indicator =
                at.and_then(|(result, nth)| indicators_of.get_mut(*result)?.get_mut(*nth));
            if let Some(indicator) = indicator {
                indicator.periods.push(period);
            }
            Ok(())
        },
    )?;
    for (row, indicators) in blocks.iter_mut().zip(indicators_of) {
        if let ActivityElement::Result(block) = &mut row.element {
            block.indicators.extend(indicators);
        }
    }
    Ok(blocks)
}

/// A disaggregation with a value.
struct Part {
    name: String,
    dimension: String,
    value: Hundredths,
    is_manual: bool,
}

/// The disaggregations with values of the periods of some results.
fn parts(db: &dyn Session, results: &str, roots: &Roots) -> Result<HashMap<i64, Vec<Part>>, Error> {
    let mut parts: HashMap<i64, Vec<Part>> = HashMap::new();
    db.query(
        &format!(
            "SELECT d.period_id, n.name, v.value, d.value, d.is_manual FROM indicators i
             JOIN periods p ON p.indicator_id = i.id /*! AND p.root_id = i.root_id */
             JOIN period_disaggregations d ON d.period_id = p.id /*! AND d.root_id = p.root_id */
             JOIN dimension_values v ON v.id = d.dimension_value_id /*! AND v.root_id = d.root_id */
             JOIN dimension_names n ON n.id = v.name_id /*! AND n.root_id = v.root_id */
             WHERE i.result_id IN {IDS} /*! AND i.root_id IN ?roots */ AND d.value IS NOT NULL ORDER BY d.period_id, n.id, v.id"
        ),
        params![results, roots],
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
