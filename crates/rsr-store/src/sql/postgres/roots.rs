//! Roots held against the positions they follow from.

use super::session::PostgresSession;
use crate::error::Error;
use crate::sql::{Session, params};

/// Tables whose rows hang on a project without a reference that would keep their root right.
const UNREFERENCED: [&str; 10] = [
    "project_elements",
    "participations",
    "sectors",
    "recipient_countries",
    "locations",
    "transactions",
    "budgets",
    "planned_disbursements",
    "documents",
    "related_activities",
];

/// Projects and elements that lie in another tree than they say, `n` complaints at most.
pub(super) fn complaints(db: &dyn Session, n: usize) -> Result<Vec<String>, Error> {
    let n_max = i64::try_from(n).unwrap_or(i64::MAX);
    let mut complaints = db.rows(
        "SELECT p.id FROM projects p LEFT JOIN positions o ON o.project_id = p.id
         WHERE p.root_id <> coalesce(o.root_id, 0) ORDER BY p.id LIMIT ?1",
        params![n_max],
        |row| {
            Ok(format!(
                "the root of project {} is not the one of its position",
                row.int(0)?
            ))
        },
    )?;
    for table in UNREFERENCED {
        complaints.extend(db.rows(
            &format!(
                "SELECT p.id, count(*) FROM {table} e JOIN projects p ON p.id = e.project_id
                 WHERE e.root_id <> p.root_id GROUP BY p.id ORDER BY p.id LIMIT ?1"
            ),
            params![n_max],
            |row| {
                let (project, n) = (row.int(0)?, row.int(1)?);
                Ok(format!(
                    "{n} rows of {table} have another root than their project {project}"
                ))
            },
        )?);
    }
    complaints.truncate(n);
    Ok(complaints)
}

/// Gives projects the roots of their positions. Rows that hang on them follow.
pub(super) fn follow(session: &PostgresSession) -> Result<(), Error> {
    let db: &dyn Session = session;
    // A server that cannot take a row to another tree refuses even to look for such rows while changing them.
    let is_one_elsewhere = db.number(
        "SELECT EXISTS (SELECT 1 FROM projects p LEFT JOIN positions o ON o.project_id = p.id
             WHERE p.root_id <> coalesce(o.root_id, 0))",
        params![],
    )?;
    if is_one_elsewhere == 0 {
        return Ok(());
    }
    let n = db.execute(
        "UPDATE projects SET root_id = s.root_id FROM (
             SELECT p.id, coalesce(o.root_id, 0) AS root_id FROM projects p LEFT JOIN positions o ON o.project_id = p.id) s
         WHERE s.id = projects.id AND s.root_id <> projects.root_id",
        params![],
    )?;
    tracing::debug!(n, "projects follow their positions into other trees");
    Ok(())
}

/// Puts right what [`complaints`] tells of.
pub(super) fn mend(db: &PostgresSession) -> Result<(), Error> {
    follow(db)?;
    for table in UNREFERENCED {
        db.execute(
            &format!(
                "UPDATE {table} SET root_id = p.root_id FROM projects p
                 WHERE p.id = {table}.project_id AND p.root_id <> {table}.root_id"
            ),
            params![],
        )?;
    }
    Ok(())
}
