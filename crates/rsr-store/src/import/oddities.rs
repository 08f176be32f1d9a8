//! Links between activities that are not as they should be. They are kept as related activities all the same.

use rsr_iati::reader::Finding;

use super::link::linked;
use crate::error::Error;
use crate::sql::{Row, Session, params};

/// Siblings that one activity may name before it is odd: they say nothing that a common parent does not say once.
const SIBLINGS_MAX: i64 = 100;

/// Tells of each odd link of the activities that a run has seen.
pub(super) fn find(
    db: &dyn Session,
    run: i64,
    tell: &mut dyn FnMut(&Finding),
) -> Result<(), Error> {
    let mut each = |sql: &str, code: &'static str, say: &dyn Fn(&str, &str) -> String| {
        db.query(sql, params![run], &mut |row: &dyn Row| {
            let (identifier, reference) = (row.text(0)?, row.text(1)?);
            tell(&linked(Some(identifier), code, say(identifier, reference)));
            Ok(())
        })
    };
    each(
        "SELECT p.iati_identifier, r.ref FROM import_seen s JOIN projects p ON p.id = s.project_id
         JOIN related_activities r ON r.project_id = p.id AND r.type IN ('1', '2')
         WHERE s.run = ?1 AND NOT EXISTS (SELECT 1 FROM projects o WHERE o.iati_identifier = r.ref)
         ORDER BY p.id, r.place",
        "link-to-unknown",
        &|identifier, other| {
            format!("activity {identifier} is linked to {other}, which is not stored")
        },
    )?;
    // One statement for each direction, so that the partial index on links serves both.
    for (own, other, role) in [("1", "2", "parent"), ("2", "1", "child")] {
        each(
            &format!(
                "SELECT p.iati_identifier, r.ref FROM import_seen s JOIN projects p ON p.id = s.project_id
                 JOIN related_activities r ON r.project_id = p.id AND r.type = '{own}'
                 JOIN projects o ON o.iati_identifier = r.ref AND o.id <> p.id
                 WHERE s.run = ?1 AND NOT EXISTS (SELECT 1 FROM related_activities b
                     WHERE b.ref = p.iati_identifier AND b.type IN ('1', '2') AND b.type = '{other}'
                     AND b.project_id = o.id)
                 ORDER BY p.id, r.place"
            ),
            "link-without-counterpart",
            &|identifier, other| {
                format!("activity {identifier} names {other} as its {role}, which does not name it in return")
            },
        )?;
    }
    each(
        "SELECT p.iati_identifier, o.iati_identifier FROM import_seen s JOIN projects p ON p.id = s.project_id
         JOIN related_activities r ON r.ref = p.iati_identifier AND r.type IN ('1', '2') AND r.type = '2'
         JOIN projects o ON o.id = r.project_id AND o.id <> p.id
         WHERE s.run = ?1 AND p.linked_parent_id <> o.id
         AND NOT EXISTS (SELECT 1 FROM related_activities b
             WHERE b.project_id = p.id AND b.type = '1' AND b.ref = o.iati_identifier)
         ORDER BY p.id, o.id, r.place",
        "several-parents",
        &|identifier, other| {
            format!("activity {identifier} is named as a child by {other} too, which stays a related activity")
        },
    )?;
    siblings(db, run, tell)
}

/// Tells of activities that name very many siblings, or siblings that are not stored: once for each activity, since there
/// are files with thousands of them.
fn siblings(db: &dyn Session, run: i64, tell: &mut dyn FnMut(&Finding)) -> Result<(), Error> {
    db.query(
        "SELECT p.iati_identifier, count(*), sum(CASE WHEN o.id IS NULL THEN 1 ELSE 0 END)
         FROM import_seen s JOIN projects p ON p.id = s.project_id
         JOIN related_activities r ON r.project_id = p.id AND r.type = '3'
         LEFT JOIN projects o ON o.iati_identifier = r.ref
         WHERE s.run = ?1 GROUP BY p.id, p.iati_identifier
         HAVING count(*) > ?2 OR count(*) > count(o.id) ORDER BY p.id",
        params![run, SIBLINGS_MAX],
        &mut |row: &dyn Row| {
            let (identifier, n, n_unknown) = (row.text(0)?, row.int(1)?, row.int(2)?);
            let code = match n > SIBLINGS_MAX {
                true => "many-siblings",
                false => "siblings-unknown",
            };
            let message =
                format!("activity {identifier} names {n} siblings, {n_unknown} of them not stored");
            tell(&linked(Some(identifier), code, message));
            Ok(())
        },
    )
}
