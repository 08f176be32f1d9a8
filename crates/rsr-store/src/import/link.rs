//! The pass at the end of an import that links activities with each other.
//!
//! Parents come from related activities: the first that an activity names itself (type 1), else the first activity that
//! names it as a child (type 2), in the order they were stored. The outcome is remembered beside the parent, so a project that was moved by hand
//! stays where it is until the links themselves change. A circle of parents is stored as it was given: nothing is lost,
//! no root leads there, and the check tells of it.

use rsr_base::PeriodId;
use rsr_iati::reader::{Finding, Severity};
use rsr_iati::xml::Position;

use super::report::{ImportNote, LinkReport};
use super::{Hear, keep, link_results, oddities};
use crate::error::Error;
use crate::sql::{Session, params};
use crate::tree::rebuild;
use crate::tx::Tx;

/// The parent that the links give a project `c`.
const WANTED: &str = "coalesce(
    (SELECT p.id FROM related_activities r JOIN projects p ON p.iati_identifier = r.ref
     WHERE r.project_id = c.id AND r.type = '1' AND p.id <> c.id ORDER BY r.place LIMIT 1),
    (SELECT r.project_id FROM related_activities r
     WHERE r.ref = c.iati_identifier AND r.type IN ('1', '2') AND r.type = '2' AND r.project_id <> c.id
     ORDER BY r.project_id, r.place LIMIT 1))";

/// Periods that are queued at once.
const PER_CHUNK: i64 = 500;
/// Changed activities from which on an engine is told that tables were filled.
const MANY: i64 = 100;
/// What the statements of this pass join and compare. Long texts are nowhere among it: to sample them takes longer than all
/// else, and who reads them goes by the key.
const FILLED: [&str; 7] = [
    "projects (id, parent_id, linked_parent_id, iati_identifier /*!, root_id */)",
    "positions",
    "related_activities",
    "results (id, project_id, parent_result_id /*!, root_id */)",
    "indicators (id, result_id, project_id, parent_indicator_id /*!, root_id */)",
    "periods (id, indicator_id, project_id, parent_period_id, start_date, end_date /*!, root_id */)",
    "import_seen",
];

/// Links everything that is stored.
pub(super) fn link(tx: &mut Tx, run: i64, hear: Hear<'_>) -> Result<LinkReport, Error> {
    let mut report = LinkReport::default();
    let mut tell = |report: &mut LinkReport, finding: &Finding| {
        report.n_findings += finding.count;
        hear(ImportNote::Link { finding });
    };
    let n_seen = "SELECT count(*) FROM import_seen WHERE run = ?1 AND is_changed = 1";
    if tx.db().number(n_seen, params![run])? >= MANY {
        tx.db().note_bulk(&FILLED)?;
    }
    report.n_moved = parents(tx, run, &mut report)?;
    link_results::link(tx, run, &mut report)?;
    if report.n_moved > 0 {
        rebuild::all(tx.db())?;
        tx.db().follow_positions()?;
    }
    report.n_in_cycles = in_cycles(tx.db())?.unsigned_abs();
    if report.n_in_cycles > 0 {
        let message = format!(
            "{} projects have parents that lead round in a circle; `rsr project check` lists them",
            report.n_in_cycles
        );
        let finding = linked(None, "parent-cycle", message);
        tell(&mut report, &finding);
    }
    oddities::find(tx.db(), run, &mut |finding| tell(&mut report, finding))?;
    tx.db().script("DROP TABLE import_touched")?;
    Ok(report)
}

/// Sets the parents that the links give where they changed. Answers how many.
///
/// Leaves the projects that changed, by themselves or by their parent, in the temporary table `import_touched`.
fn parents(tx: &mut Tx, run: i64, report: &mut LinkReport) -> Result<u64, Error> {
    let db = tx.db();
    db.script(
        "DROP TABLE IF EXISTS import_touched;
         DROP TABLE IF EXISTS import_wanted;
         CREATE TEMPORARY TABLE import_touched (project_id BIGINT PRIMARY KEY);
         CREATE TEMPORARY TABLE import_wanted (project_id BIGINT PRIMARY KEY, parent_id BIGINT)",
    )?;
    let n_moved = db.execute(
        &format!(
            "INSERT INTO import_wanted (project_id, parent_id)
             SELECT id, wanted FROM (SELECT c.id, c.linked_parent_id, {WANTED} AS wanted
                 FROM projects c WHERE c.content_hash IS NOT NULL) AS links
             WHERE wanted IS DISTINCT FROM linked_parent_id"
        ),
        params![],
    )?;
    db.execute(
        "UPDATE projects SET parent_id = w.parent_id, linked_parent_id = w.parent_id
         FROM import_wanted w WHERE w.project_id = projects.id",
        params![],
    )?;
    db.execute(
        // Of runs that were cut off too, which linked none of theirs, and of those that still go on.
        "INSERT INTO import_touched (project_id)
         SELECT project_id FROM import_seen WHERE is_changed = 1 ON CONFLICT DO NOTHING",
        params![],
    )?;
    // One of a version that kept nothing of what it had seen.
    db.execute(
        "INSERT INTO import_touched (project_id) SELECT p.id FROM projects p WHERE p.content_hash IS NOT NULL
         AND EXISTS (SELECT 1 FROM import_runs r WHERE r.id < ?1 AND r.is_linked = 0)
         AND NOT EXISTS (SELECT 1 FROM import_touched t WHERE t.project_id = p.id)",
        params![run],
    )?;
    // A union would gather both in memory of its own.
    db.execute(
        "INSERT INTO import_touched (project_id) SELECT w.project_id FROM import_wanted w
         WHERE NOT EXISTS (SELECT 1 FROM import_touched t WHERE t.project_id = w.project_id)",
        params![],
    )?;
    report.n_queued += queue_left(tx)?;
    cut(tx.db())?;
    tx.db().script("DROP TABLE import_wanted")?;
    Ok(n_moved as u64)
}

/// Queues the periods that those of projects with other parents now no longer count in.
fn queue_left(tx: &mut Tx) -> Result<u64, Error> {
    let (mut after, mut n_queued) = (0, 0);
    loop {
        let left = tx.db().rows(
            "SELECT DISTINCT o.id FROM import_wanted w JOIN periods p ON p.project_id = w.project_id
             JOIN periods o ON o.id = p.parent_period_id
             WHERE o.project_id IS DISTINCT FROM w.parent_id AND o.id > ?1 ORDER BY o.id LIMIT ?2",
            params![after, PER_CHUNK],
            |row| row.int(0).map(PeriodId),
        )?;
        let Some(last) = left.last() else {
            return Ok(n_queued);
        };
        after = last.0;
        n_queued += tx.queue_periods(&left)?;
    }
}

/// Cuts the links of results to parents that are no more.
fn cut(db: &dyn Session) -> Result<(), Error> {
    for (table, column) in [
        ("results", "parent_result_id"),
        ("indicators", "parent_indicator_id"),
        ("periods", "parent_period_id"),
    ] {
        db.execute(
            &format!(
                "UPDATE {table} SET {column} = NULL WHERE {column} IS NOT NULL
                 AND project_id IN (SELECT project_id FROM import_wanted)
                 AND (SELECT o.project_id FROM {table} o WHERE o.id = {table}.{column}) IS DISTINCT FROM
                     (SELECT p.parent_id FROM projects p WHERE p.id = {table}.project_id)"
            ),
            params![],
        )?;
    }
    db.execute(
        "UPDATE dimension_values SET parent_value_id = NULL WHERE parent_value_id IS NOT NULL
         AND name_id IN (SELECT n.id FROM dimension_names n JOIN import_wanted w ON w.project_id = n.project_id
             JOIN dimension_names o ON o.id = n.parent_name_id WHERE o.project_id IS DISTINCT FROM w.parent_id)",
        params![],
    )?;
    db.execute(
        "UPDATE dimension_names SET parent_name_id = NULL WHERE parent_name_id IS NOT NULL
         AND project_id IN (SELECT project_id FROM import_wanted)
         AND (SELECT o.project_id FROM dimension_names o WHERE o.id = dimension_names.parent_name_id) IS DISTINCT FROM
             (SELECT p.parent_id FROM projects p WHERE p.id = dimension_names.project_id)",
        params![],
    )?;
    Ok(())
}

fn in_cycles(db: &dyn Session) -> Result<i64, Error> {
    db.number(
        "SELECT count(*) FROM projects p WHERE NOT EXISTS (SELECT 1 FROM positions o WHERE o.project_id = p.id)",
        params![],
    )
}

/// A finding of linking: it stands in no file.
pub(super) fn linked(identifier: Option<&str>, code: &'static str, message: String) -> Finding {
    let nowhere = Position::NOWHERE;
    let mut finding = keep::finding(identifier, nowhere, Severity::Warning, code, message);
    finding.path.push_str("/related-activity");
    finding
}
