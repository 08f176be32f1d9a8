//! Indicators, periods and dimension values of a project that take after those of its parent (aggregation rule 7).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::report::LinkReport;
use crate::error::Error;
use crate::sql::{Session, params};
use crate::tx::Tx;

/// Most children looked at between two questions for more.
const PER_CHUNK: i64 = 200;

/// An indicator, by what it may be found by.
struct Known {
    id: i64,
    result: i64,
    parent: Option<i64>,
    by_titles: Option<(String, String, String)>,
    by_reference: Option<(String, String)>,
}

/// Links the children whose own or parent's activity changed, and queues the parents' periods.
///
/// Memory: the indicators of one child and of its parent.
pub(super) fn link(tx: &mut Tx, run: i64, report: &mut LinkReport) -> Result<(), Error> {
    let mut after = 0;
    loop {
        let children = tx.db().rows(
            "SELECT c.id, c.parent_id FROM projects c
             WHERE c.id > ?1 AND c.parent_id IS NOT NULL
             AND (c.id IN (SELECT project_id FROM import_touched)
                 OR c.parent_id IN (SELECT project_id FROM import_touched))
             AND EXISTS (SELECT 1 FROM indicators i WHERE i.project_id = c.id)
             AND EXISTS (SELECT 1 FROM indicators i WHERE i.project_id = c.parent_id)
             ORDER BY c.id LIMIT ?2",
            params![after, PER_CHUNK],
            |row| Ok((row.int(0)?, row.int(1)?)),
        )?;
        let Some((last, _)) = children.last() else {
            break;
        };
        after = *last;
        for (child, parent) in children {
            if counts_otherwise(tx.db(), child)? {
                report.n_queued += queue(tx, child)?;
                unlink(tx.db(), child)?;
            }
            link_child(tx.db(), child, parent, report)?;
            report.n_queued += queue(tx, child)?;
        }
    }
    tracing::debug!(run, matched = report.n_indicators_matched, "results linked");
    Ok(())
}

/// An indicator of the project ?1 that is measured in another way than the one it takes after.
const UNLIKE: &str =
    "SELECT i.id FROM indicators i JOIN indicators o ON o.id = i.parent_indicator_id
     WHERE i.project_id = ?1 AND (i.measure <> o.measure OR i.kind <> o.kind)";

/// Whether files have come to say that an indicator is measured in another way than the one it takes after.
fn counts_otherwise(db: &dyn Session, child: i64) -> Result<bool, Error> {
    let n_unlike = format!("SELECT count(*) FROM ({UNLIKE}) AS unlike");
    Ok(db.number(&n_unlike, params![child])? > 0)
}

/// Cuts the links of such indicators and of their periods.
fn unlink(db: &dyn Session, child: i64) -> Result<(), Error> {
    for cut in [
        "UPDATE periods SET parent_period_id = NULL WHERE indicator_id",
        "UPDATE indicators SET parent_indicator_id = NULL WHERE id",
    ] {
        db.execute(&format!("{cut} IN ({UNLIKE})"), params![child])?;
    }
    Ok(())
}

fn link_child(
    db: &dyn Session,
    child: i64,
    parent: i64,
    report: &mut LinkReport,
) -> Result<(), Error> {
    let (ours, theirs) = (indicators(db, child)?, indicators(db, parent)?);
    let pairs = [
        matched(&ours, &theirs, |known| known.by_titles.as_ref()),
        matched(&ours, &theirs, |known| known.by_reference.as_ref()),
    ];
    let mut taken: HashMap<i64, i64> = ours
        .iter()
        .filter_map(|known| Some((known.parent?, known.id)))
        .collect();
    let mut linked: HashMap<i64, ()> = taken.values().map(|id| (*id, ())).collect();
    for (own, other) in pairs.into_iter().flatten() {
        // Titles come first; what is linked stays linked, and each original has one copy here.
        let (Entry::Vacant(copy), false) = (taken.entry(other.id), linked.contains_key(&own.id))
        else {
            continue;
        };
        copy.insert(own.id);
        linked.insert(own.id, ());
        db.execute(
            "UPDATE indicators SET parent_indicator_id = ?2 WHERE id = ?1",
            params![own.id, other.id],
        )?;
        db.execute(
            "UPDATE results SET parent_result_id = ?2 WHERE id = ?1 AND parent_result_id IS NULL",
            params![own.result, other.result],
        )?;
        report.n_indicators_matched += 1;
    }
    report.n_periods_matched += periods(db, child)?;
    dimensions(db, child, parent)
}

fn indicators(db: &dyn Session, project: i64) -> Result<Vec<Known>, Error> {
    db.rows(
        "SELECT i.id, r.id, i.parent_indicator_id, r.title, i.title, i.measure, i.reference
         FROM indicators i JOIN results r ON r.id = i.result_id WHERE i.project_id = ?1 ORDER BY i.id",
        params![project],
        |row| {
            let (result, title, measure) = (row.string(3)?, row.string(4)?, row.string(5)?);
            let reference = row.opt_string(6)?;
            let has_titles = !result.is_empty() && !title.is_empty();
            Ok(Known {
                id: row.int(0)?,
                result: row.int(1)?,
                parent: row.opt_int(2)?,
                by_reference: reference.map(|reference| (reference, measure.clone())),
                by_titles: has_titles.then_some((result, title, measure)),
            })
        },
    )
}

/// Pairs with the same key, where the key is unique on both sides.
fn matched<'k, K: Eq + std::hash::Hash + 'k>(
    ours: &'k [Known],
    theirs: &'k [Known],
    key: impl Fn(&'k Known) -> Option<&'k K>,
) -> Vec<(&'k Known, &'k Known)> {
    let unique = |all: &'k [Known]| {
        let mut by_key: HashMap<&K, Option<&'k Known>> = HashMap::new();
        for known in all {
            if let Some(key) = key(known) {
                by_key
                    .entry(key)
                    .and_modify(|first| *first = None)
                    .or_insert(Some(known));
            }
        }
        by_key
    };
    let (our_keys, their_keys) = (unique(ours), unique(theirs));
    ours.iter()
        .filter_map(|own| {
            let key = key(own)?;
            our_keys.get(key).copied().flatten()?;
            Some((own, their_keys.get(key).copied().flatten()?))
        })
        .collect()
}

/// Links the periods of linked indicators that have the same days, where these are unique on both sides.
fn periods(db: &dyn Session, child: i64) -> Result<u64, Error> {
    let n = db.execute(
        "UPDATE periods SET parent_period_id = m.parent FROM (
             SELECT c.id AS id, p.id AS parent FROM periods c
             JOIN indicators i ON i.id = c.indicator_id
             JOIN periods p ON p.indicator_id = i.parent_indicator_id
                 AND p.start_date IS NOT DISTINCT FROM c.start_date AND p.end_date IS NOT DISTINCT FROM c.end_date
             WHERE c.project_id = ?1 AND c.parent_period_id IS NULL
             AND (c.start_date IS NOT NULL OR c.end_date IS NOT NULL)
             AND NOT EXISTS (SELECT 1 FROM periods x WHERE x.indicator_id = c.indicator_id AND x.id <> c.id
                 AND x.start_date IS NOT DISTINCT FROM c.start_date AND x.end_date IS NOT DISTINCT FROM c.end_date)
             AND NOT EXISTS (SELECT 1 FROM periods x WHERE x.indicator_id = p.indicator_id AND x.id <> p.id
                 AND x.start_date IS NOT DISTINCT FROM p.start_date AND x.end_date IS NOT DISTINCT FROM p.end_date)
         ) AS m WHERE m.id = periods.id",
        params![child],
    )?;
    Ok(n as u64)
}

/// Links dimension names and values to those of the parent that are called the same.
fn dimensions(db: &dyn Session, child: i64, parent: i64) -> Result<(), Error> {
    db.execute(
        "UPDATE dimension_names SET parent_name_id = o.id FROM dimension_names o
         WHERE dimension_names.project_id = ?1 AND dimension_names.parent_name_id IS NULL
         AND o.project_id = ?2 AND o.name = dimension_names.name",
        params![child, parent],
    )?;
    db.execute(
        "UPDATE dimension_values SET parent_value_id = o.id FROM dimension_values o, dimension_names n
         WHERE n.id = dimension_values.name_id AND n.project_id = ?1 AND dimension_values.parent_value_id IS NULL
         AND o.name_id = n.parent_name_id AND o.value = dimension_values.value",
        params![child],
    )?;
    Ok(())
}

/// Queues the periods that a child's periods take after. Answers how many.
fn queue(tx: &mut Tx, child: i64) -> Result<u64, Error> {
    tx.queue_periods_above(child)
}
