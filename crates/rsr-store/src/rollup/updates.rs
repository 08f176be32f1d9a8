//! Approved updates, with their parts and their words.

use std::collections::HashMap;

use rsr_aggregation::{Update, UpdateText};
use rsr_base::{DimensionValueId, IndicatorId, PeriodId, UpdateId, UserId};

use super::columns::{date, moment, score};
use super::texts::{day_of, scores_from_text};
use crate::error::Error;
use crate::numbers;
use crate::sql::{Session, params};

/// Those of every period of an indicator.
pub(super) fn of_indicator(db: &dyn Session, indicator: IndicatorId) -> Result<Vec<Update>, Error> {
    approved(db, "p.indicator_id", indicator.0)
}

/// Those of one period.
pub(super) fn of_period(db: &dyn Session, period: PeriodId) -> Result<Vec<Update>, Error> {
    approved(db, "p.id", period.0)
}

fn approved(db: &dyn Session, column: &str, id: i64) -> Result<Vec<Update>, Error> {
    let mut updates = db.rows(
        &format!(
            "SELECT u.id, u.user_id, u.period_id, p.end_date, u.created_ms, u.value, u.numerator, u.denominator
             FROM periods p JOIN updates u ON u.period_id = p.id WHERE {column} = ?1 AND u.status = 'A'
             ORDER BY u.id"
        ),
        params![id],
        |row| {
            Ok(Update {
                id: UpdateId(row.int(0)?),
                user: UserId(row.int(1)?),
                period: PeriodId(row.int(2)?),
                period_end: date(row, 3)?,
                created: moment(row.int(4)?),
                numbers: numbers::read(row, 5)?,
                disaggregations: Vec::new(),
            })
        },
    )?;
    if updates.is_empty() {
        return Ok(updates);
    }
    let places: HashMap<i64, usize> = updates
        .iter()
        .enumerate()
        .map(|(place, update)| (update.id.0, place))
        .collect();
    let parts = db.rows(
        &format!(
            "SELECT d.update_id, d.dimension_value_id, d.value, d.numerator, d.denominator
             FROM periods p JOIN updates u ON u.period_id = p.id JOIN disaggregations d ON d.update_id = u.id
             WHERE {column} = ?1 AND u.status = 'A' ORDER BY d.id"
        ),
        params![id],
        |row| Ok((row.int(0)?, DimensionValueId(row.int(1)?), numbers::read(row, 2)?)),
    )?;
    for (update, value, numbers) in parts {
        if let Some(update) = places
            .get(&update)
            .and_then(|place| updates.get_mut(*place))
        {
            update.disaggregations.push((value, numbers));
        }
    }
    Ok(updates)
}

/// The words of those of one period.
pub(super) fn texts(db: &dyn Session, period: PeriodId) -> Result<Vec<UpdateText>, Error> {
    db.rows(
        "SELECT id, created_ms, changed_ms, text, narrative, score, scores FROM updates
         WHERE period_id = ?1 AND status = 'A' ORDER BY id",
        params![period],
        |row| {
            Ok(UpdateText {
                id: UpdateId(row.int(0)?),
                created: moment(row.int(1)?),
                changed: day_of(row.int(2)?),
                text: row.string(3)?,
                narrative: row.string(4)?,
                score: score(row, 5)?,
                scores: scores_from_text(row.text(6)?),
            })
        },
    )
}
