//! Results of an activity as rows.
//!
//! Rows keep their ids over a change of the activity, so that updates, copies below and jobs stay where they are: a result is
//! found again by type and title, an indicator by title, a period by its days; of several alike, in their order.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use rsr_aggregation::Hundredths;
use rsr_base::ProjectId;
use rsr_iati::model::{Decimal, Indicator, Measurement, Period, ResultBlock};

use super::wrapped::{indicator_to_xml, period_to_xml, result_to_xml};
use super::{block_text, day};
use crate::error::Error;
use crate::sql::{Root, Session, Table, params};

const RESULTS: Table = Table {
    name: "results",
    level: 2,
    columns: &[
        "project_id",
        "place",
        "type",
        "title",
        "description",
        "aggregation_status",
        "xml",
        "omitted_because",
    ],
};
const INDICATORS: Table = Table {
    name: "indicators",
    level: 3,
    columns: &[
        "result_id",
        "place",
        "kind",
        "measure",
        "is_ascending",
        "aggregation_status",
        "reference",
        "title",
        "description",
        "xml",
        "project_id",
    ],
};
const PERIODS: Table = Table {
    name: "periods",
    level: 4,
    columns: &[
        "indicator_id",
        "place",
        "start_date",
        "end_date",
        "target_value",
        "manual_text",
        "manual_value",
        "xml",
        "project_id",
        "value",
        "is_manual",
    ],
};
const DIMENSION_NAMES: Table = Table {
    name: "dimension_names",
    level: 2,
    columns: &["project_id", "name"],
};
const DIMENSION_VALUES: Table = Table {
    name: "dimension_values",
    level: 3,
    columns: &["name_id", "value"],
};
const MANUAL_DISAGGREGATIONS: Table = Table {
    name: "manual_disaggregations",
    level: 5,
    columns: &["period_id", "dimension_value_id", "value"],
};

/// What stands at a new period for a dimension value: nothing else does yet.
const PERIOD_DISAGGREGATIONS: Table = Table {
    name: "period_disaggregations",
    level: 5,
    columns: &["period_id", "dimension_value_id", "value", "is_manual"],
};

/// Rows of one level that are already there, waiting to be found again.
#[derive(Debug)]
struct Known<K> {
    waiting: HashMap<K, Vec<i64>>,
}

impl<K: Eq + Hash> Known<K> {
    /// From rows in falling order, so that the first of several alike is taken first.
    fn new(rows: Vec<(K, i64)>) -> Self {
        let mut waiting: HashMap<K, Vec<i64>> = HashMap::new();
        for (key, id) in rows {
            waiting.entry(key).or_default().push(id);
        }
        Self { waiting }
    }

    fn none() -> Self {
        Self {
            waiting: HashMap::new(),
        }
    }

    fn take(&mut self, key: &K) -> Option<i64> {
        self.waiting.get_mut(key)?.pop()
    }

    /// What was not found again, by id.
    fn left(self) -> Vec<i64> {
        let mut left: Vec<i64> = self.waiting.into_values().flatten().collect();
        left.sort_unstable();
        left
    }
}

/// Writes the results of one activity, one at a time. Memory: the ids of the activity's results, and of the indicators and
/// periods of one result.
#[derive(Debug)]
pub(crate) struct ResultRows<'a> {
    db: &'a dyn Session,
    project: ProjectId,
    root: Root,
    results: Known<(String, String)>,
    is_new: bool,
    /// Dimension names of an activity that is new.
    names: HashMap<String, i64>,
    dimensions: HashMap<(String, String), i64>,
    n_written: i64,
}

impl<'a> ResultRows<'a> {
    /// For an activity that is new, or whose stored results are to be found again.
    pub(crate) fn new(
        db: &'a dyn Session,
        (project, root): (ProjectId, Root),
        is_new: bool,
    ) -> Result<Self, Error> {
        let results = match is_new {
            true => Known::none(),
            false => Known::new(db.rows(
                "SELECT type, title, id FROM results WHERE project_id = ?1 /*! AND root_id = ?root */
                 ORDER BY place DESC, id DESC",
                params![project, root],
                |row| Ok(((row.string(0)?, row.string(1)?), row.int(2)?)),
            )?),
        };
        Ok(Self {
            db,
            project,
            root,
            results,
            is_new,
            names: HashMap::new(),
            dimensions: HashMap::new(),
            n_written: 0,
        })
    }

    /// Writes one result with all it holds. Answers how many actuals do not count since they are no numbers of two places.
    pub(crate) fn write(
        &mut self,
        result: &ResultBlock,
        objection: Option<&str>,
    ) -> Result<u64, Error> {
        self.n_written += 1;
        let kind = result.kind.clone().unwrap_or_default();
        let title = block_text(result.title.as_ref()).to_owned();
        let key = (kind, title);
        let known = self.results.take(&key);
        let status = result
            .aggregation_status
            .as_ref()
            .and_then(|flag| flag.value());
        let xml = result_to_xml(result);
        let description = block_text(result.description.as_ref());
        let id = match known {
            Some(id) => {
                self.db.execute(
                    "UPDATE results SET place = ?2, description = ?3, aggregation_status = ?4, xml = ?5,
                         omitted_because = ?6 WHERE id = ?1 /*! AND root_id = ?root */",
                    params![
                        id,
                        self.n_written,
                        description,
                        status,
                        &xml,
                        objection,
                        self.root
                    ],
                )?;
                id
            }
            None => self.db.put_new(
                &RESULTS,
                params![
                    self.project,
                    self.n_written,
                    &key.0,
                    &key.1,
                    description,
                    status,
                    &xml,
                    objection,
                    self.root
                ],
            )?,
        };
        let mut indicators = match known {
            None => Known::none(),
            Some(_) => Known::new(self.db.rows(
                "SELECT title, id FROM indicators WHERE result_id = ?1 /*! AND root_id = ?root */
                 ORDER BY place DESC, id DESC",
                params![id, self.root],
                |row| Ok((row.string(0)?, row.int(1)?)),
            )?),
        };
        let mut n_without_number = 0;
        for (place, indicator) in (1..).zip(&result.indicators) {
            n_without_number += self.indicator(id, place, indicator, &mut indicators)?;
        }
        for id in indicators.left() {
            self.drop_unreported(
                "DELETE FROM indicators WHERE id = ?1 /*! AND root_id = ?root */ AND NOT EXISTS (SELECT 1 FROM periods p
                     JOIN updates u ON u.period_id = p.id /*! AND u.root_id = p.root_id */
                     WHERE p.indicator_id = ?1 /*! AND p.root_id = ?root */)",
                id,
            )?;
        }
        Ok(n_without_number)
    }

    /// Takes away the results that the activity no longer has, but for those people have reported on.
    pub(crate) fn finish(self) -> Result<(), Error> {
        let Self {
            db, root, results, ..
        } = self;
        for id in results.left() {
            db.execute(
                "DELETE FROM results WHERE id = ?1 /*! AND root_id = ?root */ AND NOT EXISTS (SELECT 1 FROM indicators i
                     JOIN periods p ON p.indicator_id = i.id /*! AND p.root_id = i.root_id */
                     JOIN updates u ON u.period_id = p.id /*! AND u.root_id = p.root_id */
                     WHERE i.result_id = ?1 /*! AND i.root_id = ?root */)",
                params![id, root],
            )?;
        }
        Ok(())
    }

    fn drop_unreported(&self, sql: &str, id: i64) -> Result<(), Error> {
        self.db.execute(sql, params![id, self.root])?;
        Ok(())
    }

    fn indicator(
        &mut self,
        result: i64,
        place: i64,
        indicator: &Indicator,
        known: &mut Known<String>,
    ) -> Result<u64, Error> {
        let title = block_text(indicator.title.as_ref()).to_owned();
        let known = known.take(&title);
        let measure = indicator.measure.as_deref().unwrap_or_default();
        let (reference, xml) = (reference(indicator), indicator_to_xml(indicator));
        let columns = params![
            known.unwrap_or(result),
            place,
            if measure == "5" { 2_i64 } else { 1_i64 },
            measure,
            indicator.ascending.as_ref().and_then(|flag| flag.value()),
            indicator
                .aggregation_status
                .as_ref()
                .and_then(|flag| flag.value()),
            reference.as_deref(),
            &title,
            block_text(indicator.description.as_ref()),
            &xml,
            self.project,
            self.root,
        ];
        let id = match known {
            Some(id) => {
                self.db.execute(
                    "UPDATE indicators SET place = ?2, kind = ?3, measure = ?4, is_ascending = ?5,
                         aggregation_status = ?6, reference = ?7, title = ?8, description = ?9, xml = ?10
                     WHERE id = ?1 AND project_id = ?11 /*! AND root_id = ?root */",
                    columns,
                )?;
                id
            }
            None => self.db.put_new(&INDICATORS, columns)?,
        };
        let mut periods = match known {
            None => Known::none(),
            Some(_) => Known::new(self.db.rows(
                "SELECT coalesce(start_date, ''), coalesce(end_date, ''), id FROM periods
                 WHERE indicator_id = ?1 /*! AND root_id = ?root */ ORDER BY place DESC, id DESC",
                params![id, self.root],
                |row| Ok(((row.string(0)?, row.string(1)?), row.int(2)?)),
            )?),
        };
        let mut n_without_number = 0;
        for (place, period) in (1..).zip(&indicator.periods) {
            n_without_number += self.period(id, place, period, &mut periods, measure == "5")?;
        }
        for id in periods.left() {
            self.drop_unreported(
                "DELETE FROM periods WHERE id = ?1 /*! AND root_id = ?root */
                 AND NOT EXISTS (SELECT 1 FROM updates u WHERE u.period_id = ?1 /*! AND u.root_id = ?root */)",
                id,
            )?;
        }
        Ok(n_without_number)
    }

    fn period(
        &mut self,
        indicator: i64,
        place: i64,
        period: &Period,
        known: &mut Known<(String, String)>,
        is_qualitative: bool,
    ) -> Result<u64, Error> {
        let start = day(period.start.as_ref().and_then(|start| start.date.as_ref()));
        let end = day(period.end.as_ref().and_then(|end| end.date.as_ref()));
        let key = (
            start.clone().unwrap_or_default(),
            end.clone().unwrap_or_default(),
        );
        let known = known.take(&key);
        // Of several actuals the last without a dimension is the total (aggregation rule 7).
        let total = period
            .actuals
            .iter()
            .rev()
            .find(|actual| actual.dimensions.is_empty());
        let text = total
            .and_then(|actual| actual.value.as_deref())
            .map(str::trim);
        let number = number(text, is_qualitative);
        let n_without_number = u64::from(
            !is_qualitative && text.is_some_and(|text| !text.is_empty()) && number.is_none(),
        );
        let target = period
            .targets
            .iter()
            .rev()
            .find(|target| target.dimensions.is_empty());
        let target = target
            .and_then(|target| target.value.as_deref())
            .unwrap_or_default();
        let xml = period_to_xml(period);
        let columns = params![
            known.unwrap_or(indicator),
            place,
            start.as_deref(),
            end.as_deref(),
            target.trim(),
            text,
            number,
            &xml,
            self.project,
            number,
            text.is_some(),
            self.root,
        ];
        let id = match known {
            Some(id) => {
                self.db.execute(
                    "UPDATE periods SET place = ?2, start_date = ?3, end_date = ?4, target_value = ?5,
                         manual_text = ?6, manual_value = ?7, xml = ?8,
                         value = CASE WHEN is_manual = 1 OR value IS NULL THEN ?10 ELSE value END,
                         is_manual = CASE WHEN is_manual = 1 OR value IS NULL THEN CAST(?11 AS BIGINT) ELSE 0 END
                     WHERE id = ?1 AND project_id = ?9 /*! AND root_id = ?root */",
                    columns,
                )?;
                self.db.execute(
                    "DELETE FROM manual_disaggregations WHERE period_id = ?1 /*! AND root_id = ?root */",
                    params![id, self.root],
                )?;
                id
            }
            None => self.db.put_new(&PERIODS, columns)?,
        };
        Ok(n_without_number + self.parts(id, period, is_qualitative)?)
    }

    /// Writes the actuals with dimensions as manual disaggregations; the last for a dimension value stands.
    fn parts(&mut self, id: i64, period: &Period, is_qualitative: bool) -> Result<u64, Error> {
        let mut parts = BTreeMap::new();
        let mut n_without_number = 0;
        for actual in &period.actuals {
            if actual.dimensions.is_empty() {
                continue;
            }
            let text = actual.value.as_deref().map(str::trim);
            let value = number(text, is_qualitative);
            parts.insert(self.dimension_value(actual)?, value);
            let is_text = text.is_some_and(|text| !text.is_empty());
            n_without_number += u64::from(!is_qualitative && is_text && value.is_none());
        }
        for (dimension, value) in parts {
            self.db.put(
                &MANUAL_DISAGGREGATIONS,
                params![id, dimension, value, self.root],
            )?;
            if self.is_new && !is_qualitative {
                self.db.put(
                    &PERIOD_DISAGGREGATIONS,
                    params![id, dimension, value, true, self.root],
                )?;
            }
        }
        Ok(n_without_number)
    }

    /// The dimension value of an actual. Several dimensions together are one value of one joint name.
    fn dimension_value(&mut self, actual: &Measurement) -> Result<i64, Error> {
        let mut pairs: Vec<(&str, &str)> = actual
            .dimensions
            .iter()
            .map(|dimension| {
                let name = dimension.name.as_deref().unwrap_or_default().trim();
                (name, dimension.value.as_deref().unwrap_or_default().trim())
            })
            .collect();
        pairs.sort_unstable();
        let joined = |part: fn(&(&str, &str)) -> String| {
            pairs.iter().map(part).collect::<Vec<_>>().join(" / ")
        };
        let key = (
            joined(|pair| pair.0.to_owned()),
            joined(|pair| pair.1.to_owned()),
        );
        if let Some(id) = self.dimensions.get(&key) {
            return Ok(*id);
        }
        if self.is_new {
            return self.new_dimension_value(key);
        }
        let name = self.db.number(
            "INSERT INTO dimension_names (project_id, name /*!, root_id */) VALUES (?1, ?2 /*!, ?root */)
             ON CONFLICT (project_id, name /*!, root_id */) DO UPDATE SET name = excluded.name RETURNING id",
            params![self.project, &key.0, self.root],
        )?;
        let value = self.db.number(
            "INSERT INTO dimension_values (name_id, value /*!, root_id */) VALUES (?1, ?2 /*!, ?root */)
             ON CONFLICT (name_id, value /*!, root_id */) DO UPDATE SET value = excluded.value RETURNING id",
            params![name, &key.1, self.root],
        )?;
        self.dimensions.insert(key, value);
        Ok(value)
    }

    /// As [`ResultRows::dimension_value`] for an activity that has none but those of `self`.
    fn new_dimension_value(&mut self, key: (String, String)) -> Result<i64, Error> {
        let name = match self.names.get(&key.0) {
            Some(name) => *name,
            None => {
                let name = params![self.project, &key.0, self.root];
                let name = self.db.put_new(&DIMENSION_NAMES, name)?;
                self.names.insert(key.0.clone(), name);
                name
            }
        };
        let value = params![name, &key.1, self.root];
        let value = self.db.put_new(&DIMENSION_VALUES, value)?;
        self.dimensions.insert(key, value);
        Ok(value)
    }
}

/// A reported value in hundredths, where it is a number of at most two places.
fn number(text: Option<&str>, is_qualitative: bool) -> Option<Hundredths> {
    let text = text.filter(|_| !is_qualitative)?;
    let hundredths = Decimal::new(text).value()?.hundredths()?;
    Some(Hundredths::from_hundredths(hundredths))
}

/// How many actuals of a result do not count since they are no numbers of two places: what [`ResultRows::write`] answers.
pub(crate) fn n_without_number(result: &ResultBlock) -> u64 {
    let is_lost = |actual: &&Measurement| {
        let text = actual.value.as_deref().map(str::trim);
        text.is_some_and(|text| !text.is_empty()) && number(text, false).is_none()
    };
    let mut n = 0;
    for indicator in &result.indicators {
        if indicator.measure.as_deref() == Some("5") {
            continue;
        }
        for period in &indicator.periods {
            let (totals, parts): (Vec<_>, Vec<_>) = period
                .actuals
                .iter()
                .partition(|actual| actual.dimensions.is_empty());
            n += totals
                .last()
                .into_iter()
                .filter(|total| is_lost(total))
                .count();
            n += parts.iter().filter(|part| is_lost(part)).count();
        }
    }
    n as u64
}

/// Vocabulary, code and address of the first reference, by which an indicator may be found in other activities.
fn reference(indicator: &Indicator) -> Option<String> {
    let first = indicator.references.first()?;
    let code = first
        .code
        .as_deref()
        .map(str::trim)
        .filter(|code| !code.is_empty())?;
    let vocabulary = first.vocabulary.as_deref().unwrap_or_default().trim();
    let uri = first.indicator_uri.as_deref().unwrap_or_default().trim();
    Some(format!("{vocabulary}|{uri}|{code}"))
}
