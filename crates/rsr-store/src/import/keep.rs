//! Whether an activity is kept, and its rows.

use std::collections::{HashMap, VecDeque};
use std::iter;
use std::ops::ControlFlow;

use rsr_base::ProjectId;
use rsr_iati::model::{ActivityElement, DateTime, ElementKind, Value as _};
use rsr_iati::reader::{Finding, Severity};
use rsr_iati::schema::FragmentChecker;
use rsr_iati::xml::Position;

use super::draft::{Draft, Held};
use crate::elements::{
    ElementWriter, KnownOrganisations, NewActivity, ResultRows, clear, n_without_number,
};
use crate::error::Error;
use crate::sql::{Root, Row, Session, Table, Value, params};
use crate::tree::positions;
use crate::tx::Tx;

const SEEN: Table = Table {
    name: "import_seen",
    level: 2,
    columns: &["run", "project_id", "file", "is_changed"],
};

/// Activities that are asked for at once.
const AT_ONCE: usize = 32;

/// How long ago a run began that is not waited for any more: a week.
const CUT_OFF_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// Which run and file an activity comes from, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    pub(super) run: i64,
    pub(super) file: i64,
    pub(super) now_ms: i64,
}

/// What came of some activities.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kept {
    pub(super) kept: u64,
    pub(super) unchanged: u64,
    /// Activities of the same file that were kept before, and a newer one took the place of.
    pub(super) replaced_here: u64,
}

impl Kept {
    pub(super) fn add(&mut self, other: &Self) {
        self.kept += other.kept;
        self.unchanged += other.unchanged;
        self.replaced_here += other.replaced_here;
    }
}

/// Makes the temporary table where it is missing in which big activities wait.
pub(super) fn prepare(db: &dyn Session) -> Result<(), Error> {
    db.script(
        "CREATE TEMPORARY TABLE IF NOT EXISTS import_spill (
             nth BIGINT PRIMARY KEY, xml TEXT NOT NULL, pos BIGINT, line BIGINT, col BIGINT)",
    )
}

/// Forgets what a run has seen, and what runs had seen that were cut off long ago. One that began lately may still go on,
/// in another process.
pub(super) fn drop_seen(db: &dyn Session, run: i64, now_ms: i64) -> Result<(), Error> {
    db.execute(
        "DELETE FROM import_seen WHERE run = ?1
         OR run IN (SELECT id FROM import_runs WHERE id < ?1 AND started_ms < ?2)",
        params![run, now_ms - CUT_OFF_MS],
    )?;
    Ok(())
}

/// What is stored under an identifier.
#[derive(Clone, Debug)]
struct Stored {
    project: i64,
    hash: Option<Vec<u8>>,
    last_updated: Option<String>,
    /// The file of this run that brought it.
    file: Option<i64>,
    /// The tree of one that this transaction has made.
    root: Option<Root>,
}

/// The activities of one transaction, and of those before it, by identifier: their rows may be on the way to the database
/// still.
#[derive(Debug, Default)]
pub(super) struct Recent {
    by_identifier: HashMap<String, Stored>,
    /// The latest last.
    before: VecDeque<HashMap<String, Stored>>,
    /// What was stored of others that are to come.
    asked: HashMap<String, Option<Stored>>,
    /// The parent that was asked for last, and its root: siblings follow each other.
    last_parent: Option<(String, Option<Root>)>,
    organisations: KnownOrganisations,
}

impl Recent {
    /// Another transaction follows, with nobody's writing in between; of those before it the latest `n_unseen` may not be
    /// seen yet.
    pub(super) fn pass(&mut self, n_unseen: usize) {
        self.before
            .push_back(std::mem::take(&mut self.by_identifier));
        while self.before.len() > n_unseen
            && let Some(seen) = self.before.pop_front()
        {
            // They were asked for before that, so the answer may be wrong by now.
            for identifier in seen.into_keys() {
                self.asked.remove(&identifier);
            }
        }
        self.last_parent = None;
    }

    /// Whether it holds more than it should, and is better begun anew.
    pub(super) fn is_large(&self) -> bool {
        self.organisations.is_large()
    }

    /// Asks what is stored of activities that are to come, many at once.
    pub(super) fn ask(
        &mut self,
        db: &dyn Session,
        identifiers: &[String],
        run: i64,
    ) -> Result<(), Error> {
        // Whatever nobody came for.
        self.asked.clear();
        for some in identifiers.chunks(AT_ONCE) {
            let mut asked: HashMap<String, Option<Stored>> =
                some.iter().map(|one| (one.clone(), None)).collect();
            let wanted = (0..AT_ONCE).map(|nth| Value::from(some.get(nth)));
            let params: Vec<Value<'_>> = iter::once(Value::from(run)).chain(wanted).collect();
            let flow = db.query_stored(&stored_sql(AT_ONCE), &params, &mut |row| {
                asked.insert(row.string(4)?, Some(Stored::read(row)?));
                Ok(ControlFlow::Continue(()))
            })?;
            debug_assert!(flow.is_continue(), "nothing breaks it");
            self.asked.extend(asked);
        }
        Ok(())
    }

    /// What is stored of an activity.
    fn stored(
        &mut self,
        db: &dyn Session,
        identifier: &str,
        run: i64,
    ) -> Result<Option<Stored>, Error> {
        if let Some(stored) = self.get(identifier) {
            return Ok(Some(stored.clone()));
        }
        if let Some(stored) = self.asked.remove(identifier) {
            return Ok(stored);
        }
        db.stored_row(&stored_sql(1), params![run, identifier], Stored::read)
    }

    fn get(&self, identifier: &str) -> Option<&Stored> {
        let latest_first = iter::once(&self.by_identifier).chain(self.before.iter().rev());
        latest_first
            .into_iter()
            .find_map(|some| some.get(identifier))
    }

    /// The root of an activity's tree, where rows have one and the activity is stored.
    fn root_of(&mut self, db: &dyn Session, identifier: &str) -> Result<Option<Root>, Error> {
        if !db.has_roots() {
            return Ok(None);
        }
        if let Some(Stored {
            root: Some(root), ..
        }) = self.get(identifier)
        {
            return Ok(Some(*root));
        }
        if let Some((last, root)) = &self.last_parent
            && last == identifier
        {
            return Ok(*root);
        }
        let root = db.stored_row(
            "SELECT o.root_id FROM projects p JOIN positions o ON o.project_id = p.id WHERE p.iati_identifier = ?1",
            params![identifier],
            |row| Ok(Root(row.int(0)?)),
        )?;
        self.last_parent = Some((identifier.to_owned(), root));
        Ok(root)
    }
}

/// Keeps an activity, or answers zero with the reason among the findings.
pub(super) fn activity(
    tx: &mut Tx,
    draft: &Draft,
    stamp: &Stamp,
    recent: &mut Recent,
    checker: &mut FragmentChecker,
    findings: &mut Vec<Finding>,
) -> Result<Kept, Error> {
    let identifier = draft.identifier.as_deref().unwrap_or_default();
    if identifier.is_empty() {
        let message = "the activity has no identifier and is skipped".to_owned();
        findings.push(about(draft, Severity::Error, "blank-identifier", message));
        return Ok(Kept::default());
    }
    let hash = draft.hash();
    let mut kept = Kept {
        kept: 1,
        ..Kept::default()
    };
    let stored = recent.stored(tx.db(), identifier, stamp.run)?;
    if let Some(stored) = &stored {
        if let Some(refusal) = refusal(draft, stored) {
            findings.push(refusal);
            return Ok(Kept::default());
        }
        if stored.hash.as_deref() == Some(&hash[..]) {
            kept.unchanged = 1;
        } else if let Some(file) = stored.file {
            kept.replaced_here = u64::from(file == stamp.file);
            let message = format!(
                "activity {identifier} comes twice; this one is newer and replaces the other"
            );
            findings.push(about(
                draft,
                Severity::Warning,
                "duplicate-identifier",
                message,
            ));
        }
    }
    let is_changed = kept.unchanged == 0;
    let mut made_in = None;
    let project = match &stored {
        Some(stored) if is_changed => {
            let project = ProjectId(stored.project);
            // Above them some may go, and others get another value.
            tx.queue_periods_above(project.0)?;
            let of = (project, tx.root_of(project)?);
            rewrite(tx.db(), draft, of, &hash, stamp, &mut recent.organisations)?;
            write(tx.db(), draft, of, false, checker, findings)?;
            tx.queue_periods_written(project.0)?;
            project
        }
        Some(stored) => ProjectId(stored.project),
        None => {
            let parent = draft
                .summary
                .parent()
                .filter(|parent| *parent != identifier);
            let root = match parent {
                Some(parent) => recent.root_of(tx.db(), parent)?,
                None => None,
            };
            let new = NewActivity {
                identifier,
                head: &draft.head,
                hash: &hash,
                now_ms: stamp.now_ms,
                root,
            };
            let db = tx.db();
            let project = ProjectId(draft.summary.create(db, &new, &mut recent.organisations)?);
            let root = positions::insert_waiting(db, project, root)?;
            write(db, draft, (project, root), true, checker, findings)?;
            made_in = Some(root);
            project
        }
    };
    let was_seen = stored.as_ref().is_some_and(|stored| stored.file.is_some());
    let root = made_in.or(stored.and_then(|stored| stored.root));
    see(tx.db(), stamp, project, is_changed, was_seen)?;
    let now = Stored {
        project: project.0,
        hash: Some(hash.to_vec()),
        last_updated: draft
            .head
            .last_updated
            .as_ref()
            .map(|moment| moment.text().to_owned()),
        file: Some(stamp.file),
        root,
    };
    recent.by_identifier.insert(identifier.to_owned(), now);
    Ok(kept)
}

/// Puts an activity in place of what is stored of it, but for the rows of its elements.
fn rewrite(
    db: &dyn Session,
    draft: &Draft,
    (project, root): (ProjectId, Root),
    hash: &[u8],
    stamp: &Stamp,
    organisations: &mut KnownOrganisations,
) -> Result<(), Error> {
    clear(db, project, root)?;
    let of = (project, root);
    draft
        .summary
        .write(db, of, &draft.head, stamp.now_ms, organisations)?;
    db.execute(
        "UPDATE projects SET content_hash = ?2 WHERE id = ?1 /*! AND root_id = ?root */",
        params![project, hash, root],
    )?;
    Ok(())
}

/// The question for what is stored of `n` activities: ?1 is the run, from ?2 on come the identifiers.
fn stored_sql(n: usize) -> String {
    let wanted: Vec<String> = (2..n + 2).map(|nth| format!("?{nth}")).collect();
    format!(
        "SELECT p.id, p.content_hash, p.last_updated, s.file, p.iati_identifier FROM projects p
         LEFT JOIN import_seen s ON s.run = ?1 AND s.project_id = p.id WHERE p.iati_identifier IN ({})",
        wanted.join(", ")
    )
}

impl Stored {
    fn read(row: &dyn Row) -> Result<Self, Error> {
        Ok(Self {
            project: row.int(0)?,
            hash: row.opt_blob(1)?.map(<[u8]>::to_vec),
            last_updated: row.opt_string(2)?,
            file: row.opt_int(3)?,
            root: None,
        })
    }
}

/// Why what is stored stands. Within a run the newer one wins, and the first of two alike. Over runs one that is as new
/// wins too, since that is how a correction comes; one without a date never takes the place of one with a date.
fn refusal(draft: &Draft, stored: &Stored) -> Option<Finding> {
    let seconds = |moment: &DateTime| moment.value().map(|moment| moment.unix_seconds());
    let incoming = draft.head.last_updated.as_ref().and_then(seconds);
    let present = stored.last_updated.as_deref().map(DateTime::new);
    let present = present.as_ref().and_then(seconds);
    let identifier = draft.identifier.as_deref().unwrap_or_default();
    let refuse = |code, message| Some(about(draft, Severity::Error, code, message));
    if stored.file.is_some() {
        let message = format!(
            "activity {identifier} comes twice; the other one is kept, this one is not newer"
        );
        // Nothing is older than any date.
        return (incoming <= present)
            .then(|| refuse("duplicate-identifier", message))
            .flatten();
    }
    match (incoming, present) {
        (Some(incoming), Some(present)) if incoming < present => refuse(
            "older-than-stored",
            format!("activity {identifier} is stored as it was updated later, and is skipped"),
        ),
        (None, Some(_)) => refuse(
            "undated-beside-dated",
            format!(
                "activity {identifier} says not when it was updated, is stored with a date that says so, and is skipped"
            ),
        ),
        _ => None,
    }
}

/// Notes that this run has seen an activity.
fn see(
    db: &dyn Session,
    stamp: &Stamp,
    project: ProjectId,
    is_changed: bool,
    was_seen: bool,
) -> Result<(), Error> {
    let row = params![stamp.run, project, stamp.file, is_changed];
    if !was_seen {
        return db.put(&SEEN, row);
    }
    db.execute(
        "UPDATE import_seen SET file = ?3, is_changed = CASE WHEN is_changed = 1 THEN 1 ELSE CAST(?4 AS BIGINT) END
         WHERE run = ?1 AND project_id = ?2",
        row,
    )?;
    Ok(())
}

/// Writes the rows of an activity that its elements make.
fn write(
    db: &dyn Session,
    draft: &Draft,
    of: (ProjectId, Root),
    is_new: bool,
    checker: &mut FragmentChecker,
    findings: &mut Vec<Finding>,
) -> Result<(), Error> {
    let currency = draft.head.default_currency.as_deref().unwrap_or_default();
    let mut elements = ElementWriter::new(db, of, currency, checker);
    let mut results = ResultRows::new(db, of, is_new)?;
    let mut parents: Vec<String> = Vec::new();
    draft.each(db, &mut |held: &Held| {
        if let ActivityElement::Result(result) = &held.element {
            let objection = elements.objection(&held.element, &held.xml);
            let n = results.write(result, objection.as_deref())?;
            note_numbers(draft, held, n, findings);
            if let Some(objection) = objection {
                left_out(draft, held, &objection, findings);
            }
            return Ok(None);
        }
        note_links(draft, held, &mut parents, findings);
        let row = elements.write_columns(&held.element, &held.xml)?;
        if let Some(objection) = &row.omitted_because {
            left_out(draft, held, objection, findings);
        }
        Ok(Some(row))
    })?;
    results.finish()
}

/// Finds again what [`activity`] finds in the elements of one that it writes, for one that stands as it is: what is said
/// of a file does not depend on whether it was imported before.
pub(super) fn retell(
    db: &dyn Session,
    draft: &Draft,
    checker: &mut FragmentChecker,
    findings: &mut Vec<Finding>,
) -> Result<(), Error> {
    // It is asked for objections alone, so it needs no project.
    let mut elements = ElementWriter::new(db, (ProjectId(0), Root(0)), "", checker);
    let mut parents: Vec<String> = Vec::new();
    draft.each(db, &mut |held: &Held| {
        let objection = elements.objection(&held.element, &held.xml);
        if let ActivityElement::Result(result) = &held.element {
            note_numbers(draft, held, n_without_number(result), findings);
        } else {
            note_links(draft, held, &mut parents, findings);
        }
        if let Some(objection) = objection {
            left_out(draft, held, &objection, findings);
        }
        Ok(None)
    })
}

/// Finds actuals that are no numbers.
fn note_numbers(draft: &Draft, held: &Held, n: u64, findings: &mut Vec<Finding>) {
    if n > 0 {
        let message = "an actual is no number of at most two places; it is kept as text and counts as no value";
        let mut finding = about(
            draft,
            Severity::Warning,
            "actual-without-number",
            message.to_owned(),
        );
        finding.position = held.position;
        finding.count = n;
        finding.path.push_str("/result/indicator/period/actual");
        findings.push(finding);
    }
}

/// Finds links to itself and to more than one parent.
fn note_links(draft: &Draft, held: &Held, parents: &mut Vec<String>, findings: &mut Vec<Finding>) {
    let ActivityElement::RelatedActivity(related) = &held.element else {
        return;
    };
    let reference = related.reference.as_deref().unwrap_or_default().trim();
    let identifier = draft.identifier.as_deref().unwrap_or_default();
    let mut find = |code, message| {
        let mut finding = about(draft, Severity::Warning, code, message);
        finding.position = held.position;
        finding.path.push_str("/related-activity");
        findings.push(finding);
    };
    if reference == identifier {
        find(
            "self-reference",
            format!("activity {identifier} is related to itself; no link is made"),
        );
    } else if related.kind.as_deref() == Some("1")
        && !parents.iter().any(|known| known == reference)
    {
        if let Some(first) = parents.first() {
            find(
                "several-parents",
                format!(
                    "activity {identifier} has parent {first}; {reference} stays a related activity"
                ),
            );
        }
        parents.push(reference.to_owned());
    }
}

/// Finds an element that exports will leave out; of several of one name the first is told, the others are counted.
fn left_out(draft: &Draft, held: &Held, objection: &str, findings: &mut Vec<Finding>) {
    let path = format!("{PATH}/{}", held.element.name());
    let is_unknown = held.element.kind() == ElementKind::Unknown;
    let code = if is_unknown {
        "no-place-in-2.03"
    } else {
        "left-out-of-exports"
    };
    let same = |finding: &&mut Finding| finding.code == code && finding.path == path;
    if let Some(known) = findings.iter_mut().find(same) {
        known.count += 1;
        return;
    }
    let message = format!("kept, and left out of exports: {objection}");
    let mut finding = about(draft, Severity::Warning, code, message);
    finding.position = held.position;
    finding.path = path;
    findings.push(finding);
}

const PATH: &str = "iati-activities/iati-activity";

/// A finding about an activity as a whole.
fn about(draft: &Draft, severity: Severity, code: &'static str, message: String) -> Finding {
    finding(
        draft.identifier.as_deref(),
        draft.position,
        severity,
        code,
        message,
    )
}

pub(super) fn finding(
    identifier: Option<&str>,
    position: Position,
    severity: Severity,
    code: &'static str,
    message: String,
) -> Finding {
    Finding {
        path: PATH.to_owned(),
        position,
        identifier: identifier
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        ..Finding::new(severity, code, message)
    }
}
