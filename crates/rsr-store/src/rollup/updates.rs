//! Approved updates, with their parts and their words.

use std::collections::HashMap;

use rsr_aggregation::{Update, UpdateText};
use rsr_base::{DimensionValueId, IndicatorId, PeriodId, UpdateId, UserId};

use super::columns::{date, moment, score};
use super::texts::{day_of, scores_from_text};
use crate::error::Error;
use crate::numbers;
use crate::sql::{IDS, Root, Session, Value, params};

/// Those of every period of an indicator.
pub(super) fn of_indicator(
    db: &dyn Session,
    root: Root,
    indicator: IndicatorId,
) -> Result<Vec<Update>, Error> {
    let updates = approved(db, "p.indicator_id = ?1", params![indicator, root])?;
    Ok(updates.into_iter().map(|(_, update)| update).collect())
}

/// Those of one period.
pub(super) fn of_period(
    db: &dyn Session,
    root: Root,
    period: PeriodId,
) -> Result<Vec<Update>, Error> {
    let updates = approved(db, "p.id = ?1", params![period, root])?;
    Ok(updates.into_iter().map(|(_, update)| update).collect())
}

/// Those of a list of projects, those of one indicator together, by rising id of the indicator.
pub(super) fn of_projects(
    db: &dyn Session,
    root: Root,
    projects: &str,
) -> Result<Vec<(IndicatorId, Update)>, Error> {
    let which = format!("p.project_id IN {IDS}");
    approved(db, &which, params![projects, root])
}

/// Those of the periods `p` that a condition finds in the tree `?root`.
fn approved(
    db: &dyn Session,
    which: &str,
    params: &[Value<'_>],
) -> Result<Vec<(IndicatorId, Update)>, Error> {
    let mut updates = db.rows(
        &format!(
            "SELECT u.id, u.user_id, u.period_id, p.end_date, u.created_ms, u.value, u.numerator, u.denominator, p.indicator_id
             FROM periods p JOIN updates u ON u.period_id = p.id /*! AND u.root_id = p.root_id */
             WHERE {which} /*! AND p.root_id = ?root */ AND u.status = 'A' ORDER BY p.indicator_id, u.id"
        ),
        params,
        |row| {
            let update = Update {
                id: UpdateId(row.int(0)?),
                user: UserId(row.int(1)?),
                period: PeriodId(row.int(2)?),
                period_end: date(row, 3)?,
                created: moment(row.int(4)?),
                numbers: numbers::read(row, 5)?,
                disaggregations: Vec::new(),
            };
            Ok((IndicatorId(row.int(8)?), update))
        },
    )?;
    if updates.is_empty() {
        return Ok(updates);
    }
    let places: HashMap<i64, usize> = updates
        .iter()
        .enumerate()
        .map(|(place, (_, update))| (update.id.0, place))
        .collect();
    let parts = db.rows(
        &format!(
            "SELECT d.update_id, d.dimension_value_id, d.value, d.numerator, d.denominator
             FROM periods p JOIN updates u ON u.period_id = p.id /*! AND u.root_id = p.root_id */
             JOIN disaggregations d ON d.update_id = u.id /*! AND d.root_id = u.root_id */
             WHERE {which} /*! AND p.root_id = ?root */ AND u.status = 'A' ORDER BY d.id"
        ),
        params,
        |row| {
            Ok((
                row.int(0)?,
                DimensionValueId(row.int(1)?),
                numbers::read(row, 2)?,
            ))
        },
    )?;
    for (update, value, numbers) in parts {
        if let Some((_, update)) = places
            .get(&update)
            .and_then(|place| updates.get_mut(*place))
        {
            update.disaggregations.push((value, numbers));
        }
    }
    Ok(updates)
}

/// The words of those of one period.
pub(super) fn texts(
    db: &dyn Session,
    root: Root,
    period: PeriodId,
) -> Result<Vec<UpdateText>, Error> {
    let texts = words(db, "u.period_id = ?1", params![period, root])?;
    Ok(texts.into_iter().map(|(_, text)| text).collect())
}

/// The words of those of a list of projects, those of one period together, by rising id of the period.
pub(super) fn texts_of_projects(
    db: &dyn Session,
    root: Root,
    projects: &str,
) -> Result<Vec<(PeriodId, UpdateText)>, Error> {
    let which = format!(
        "u.period_id IN (SELECT p.id FROM periods p WHERE p.project_id IN {IDS} /*! AND p.root_id = ?root */)"
    );
    words(db, &which, params![projects, root])
}

fn words(
    db: &dyn Session,
    which: &str,
    params: &[Value<'_>],
) -> Result<Vec<(PeriodId, UpdateText)>, Error> {
    db.rows(
        &format!(
            "SELECT u.id, u.created_ms, u.changed_ms, u.text, u.narrative, u.score, u.scores, u.period_id FROM updates u
             WHERE {which} /*! AND u.root_id = ?root */ AND u.status = 'A' ORDER BY u.period_id, u.id"
        ),
        params,
        |row| {
            let text = UpdateText {
                id: UpdateId(row.int(0)?),
                created: moment(row.int(1)?),
                changed: day_of(row.int(2)?),
                text: row.string(3)?,
                narrative: row.string(4)?,
                score: score(row, 5)?,
                scores: scores_from_text(row.text(6)?),
            };
            Ok((PeriodId(row.int(7)?), text))
        },
    )
}
