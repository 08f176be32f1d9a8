//! Elements into rows, and the columns of a project that follow from them.

use std::borrow::Cow;
use std::collections::HashMap;

use rsr_base::{OrganisationId, ProjectId};
use rsr_iati::model::{ActivityElement, ActivityHead, ElementKind, Value as _};
use rsr_iati::schema::FragmentChecker;
use uuid::Uuid;

use super::{columns, day, first_text, head_to_xml};
use crate::error::Error;
use crate::sql::{Root, Row, Session, Table, Value, params};

const PROJECT_ELEMENTS: Table = Table {
    name: "project_elements",
    level: 2,
    columns: &["project_id", "place", "name", "xml", "omitted_because"],
};

/// Bytes of what is known of organisations, as far as that goes: the last one may be long.
const KNOWN_BYTES_MAX: usize = 1 << 20;

const ORGANISATIONS: Table = Table {
    name: "organisations",
    level: 0,
    columns: &["ref", "name", "type"],
};

/// Takes all element rows of a project away, with what was derived from them.
pub(crate) fn clear(db: &dyn Session, project: ProjectId, root: Root) -> Result<(), Error> {
    db.execute(
        "DELETE FROM project_elements WHERE project_id = ?1 /*! AND root_id = ?root */",
        params![project, root],
    )?;
    for table in columns::TABLES {
        db.execute(
            &format!("DELETE FROM {table} WHERE project_id = ?1 /*! AND root_id = ?root */"),
            params![project, root],
        )?;
    }
    Ok(())
}

/// An activity that is stored for the first time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewActivity<'a> {
    pub(crate) identifier: &'a str,
    pub(crate) head: &'a ActivityHead,
    /// The digest of all its elements.
    pub(crate) hash: &'a [u8],
    pub(crate) now_ms: i64,
    /// The tree it lies in; `None` for one of its own.
    pub(crate) root: Option<Root>,
}

const ACTIVITY: Table = Table {
    name: "projects",
    level: 1,
    columns: &[
        "uuid",
        "iati_identifier",
        "is_published",
        "created_ms",
        "title",
        "title_folded",
        "activity_status",
        "planned_start",
        "actual_start",
        "planned_end",
        "actual_end",
        "organisation_id",
        "reporting_ref",
        "default_currency",
        "last_updated",
        "head_xml",
        "changed_ms",
        "content_hash",
    ],
};

/// What the elements of an activity say about the project as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    title: String,
    status: String,
    dates: [Option<String>; 4],
    reporting_ref: Option<String>,
    reporting_name: String,
    reporting_kind: String,
    /// The first activity that it names as its parent.
    parent: Option<String>,
}

impl Summary {
    /// Takes in one element; the first title, status and date of a kind count.
    pub(crate) fn note(&mut self, element: &ActivityElement) {
        match element {
            ActivityElement::Title(title) if self.title.is_empty() => {
                first_text(&title.narratives).clone_into(&mut self.title);
            }
            ActivityElement::ActivityStatus(status) if self.status.is_empty() => {
                columns::code(Some(status)).clone_into(&mut self.status);
            }
            ActivityElement::ActivityDate(date) => {
                let nth = match date.kind.as_deref() {
                    Some("1") => 0,
                    Some("2") => 1,
                    Some("3") => 2,
                    Some("4") => 3,
                    _ => return,
                };
                if let Some(slot @ None) = self.dates.get_mut(nth) {
                    *slot = day(date.date.as_ref());
                }
            }
            ActivityElement::ReportingOrg(org) if self.reporting_ref.is_none() => {
                let reference = org.reference.as_deref().map(str::trim);
                self.reporting_ref = reference.filter(|text| !text.is_empty()).map(str::to_owned);
                first_text(&org.narratives).clone_into(&mut self.reporting_name);
                self.reporting_kind = org.kind.clone().unwrap_or_default();
            }
            ActivityElement::RelatedActivity(related)
                if self.parent.is_none() && related.kind.as_deref() == Some("1") =>
            {
                self.parent = related
                    .reference
                    .as_deref()
                    .map(str::trim)
                    .map(str::to_owned);
            }
            _ => {}
        }
    }

    /// The first activity that it names as its parent.
    pub(crate) fn parent(&self) -> Option<&str> {
        self.parent.as_deref()
    }

    /// Stores a project for an activity, with the columns that follow from its elements and head. Answers its id.
    pub(crate) fn create(
        &self,
        db: &dyn Session,
        new: &NewActivity<'_>,
        known: &mut KnownOrganisations,
    ) -> Result<i64, Error> {
        let organisation = self.organisation(db, known)?;
        let [planned_start, actual_start, planned_end, actual_end] = &self.dates;
        db.put_new(
            &ACTIVITY,
            params![
                &Uuid::new_v4().as_bytes()[..],
                new.identifier,
                true,
                new.now_ms,
                &self.title,
                &self.title.to_lowercase(),
                &self.status,
                planned_start.as_deref(),
                actual_start.as_deref(),
                planned_end.as_deref(),
                actual_end.as_deref(),
                organisation,
                self.reporting_ref.as_deref(),
                new.head.default_currency.as_deref().unwrap_or_default(),
                new.head.last_updated.as_ref().map(|moment| moment.text()),
                &head_to_xml(new.head),
                new.now_ms,
                new.hash,
                new.root.map_or(Value::OwnRoot, Value::Root),
            ],
        )
    }

    /// Writes the columns of the project that follow from its elements and head.
    pub(crate) fn write(
        &self,
        db: &dyn Session,
        (project, root): (ProjectId, Root),
        head: &ActivityHead,
        now_ms: i64,
        known: &mut KnownOrganisations,
    ) -> Result<(), Error> {
        let organisation = self.organisation(db, known)?;
        let [planned_start, actual_start, planned_end, actual_end] = &self.dates;
        db.execute(
            "UPDATE projects SET title = ?2, title_folded = ?3, activity_status = ?4, planned_start = ?5,
                 actual_start = ?6, planned_end = ?7, actual_end = ?8, organisation_id = ?9, reporting_ref = ?10,
                 default_currency = ?11, last_updated = ?12, head_xml = ?13, changed_ms = ?14
             WHERE id = ?1 /*! AND root_id = ?root */",
            params![
                project,
                &self.title,
                &self.title.to_lowercase(),
                &self.status,
                planned_start.as_deref(),
                actual_start.as_deref(),
                planned_end.as_deref(),
                actual_end.as_deref(),
                organisation,
                self.reporting_ref.as_deref(),
                head.default_currency.as_deref().unwrap_or_default(),
                head.last_updated.as_ref().map(|moment| moment.text()),
                &head_to_xml(head),
                now_ms,
                root,
            ],
        )?;
        Ok(())
    }

    fn organisation(
        &self,
        db: &dyn Session,
        known: &mut KnownOrganisations,
    ) -> Result<Option<OrganisationId>, Error> {
        if self.reporting_ref.is_none() && self.reporting_name.is_empty() {
            return Ok(None);
        }
        let (reference, name) = (self.reporting_ref.as_deref(), &*self.reporting_name);
        known
            .find(db, reference, name, &self.reporting_kind)
            .map(Some)
    }
}

/// Organisations that a transaction, and those it was kept behind, have looked up or made: one import names a few of them
/// thousands of times.
#[derive(Debug, Default)]
pub(crate) struct KnownOrganisations {
    by_key: HashMap<OrganisationKey, KnownOrganisation>,
    n_bytes: usize,
}

/// Names count only among those without a reference.
#[derive(Debug, PartialEq, Eq, Hash)]
enum OrganisationKey {
    Reference(String),
    Name(String),
}

#[derive(Clone, Copy, Debug)]
struct KnownOrganisation {
    id: i64,
    is_named: bool,
}

impl KnownOrganisations {
    /// Whether it is time to forget them, which is right once what was made is seen by everybody.
    pub(crate) fn is_large(&self) -> bool {
        self.n_bytes > KNOWN_BYTES_MAX
    }

    /// The organisation of that reference, or of that name among those without one; made where there is none.
    fn find(
        &mut self,
        db: &dyn Session,
        reference: Option<&str>,
        name: &str,
        kind: &str,
    ) -> Result<OrganisationId, Error> {
        let key = match reference {
            Some(reference) => OrganisationKey::Reference(reference.to_owned()),
            None => OrganisationKey::Name(name.to_owned()),
        };
        let known = match self.by_key.get(&key) {
            Some(known) => Some(*known),
            // Those that may be missed were made here.
            None => db.stored_row(
                STORED_ORGANISATION,
                params![reference, name],
                KnownOrganisation::read,
            )?,
        };
        let named = named(db, known, (reference, name, kind))?;
        let n_bytes = size_of::<OrganisationKey>() + reference.unwrap_or(name).len();
        if self.by_key.insert(key, named).is_none() {
            self.n_bytes += n_bytes;
        }
        Ok(OrganisationId(named.id))
    }
}

impl KnownOrganisation {
    fn read(row: &dyn Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.int(0)?,
            is_named: !row.text(1)?.is_empty(),
        })
    }
}

const STORED_ORGANISATION: &str = "SELECT id, name FROM organisations WHERE ref = ?1
     UNION ALL SELECT id, name FROM organisations WHERE ?1 IS NULL AND ref IS NULL AND name = ?2 LIMIT 1";

/// The organisation of that reference, or of that name among those without one; made where there is none.
pub(crate) fn organisation(
    db: &dyn Session,
    reference: Option<&str>,
    name: &str,
    kind: &str,
) -> Result<OrganisationId, Error> {
    let known = db.row(
        STORED_ORGANISATION,
        params![reference, name],
        KnownOrganisation::read,
    )?;
    let named = named(db, known, (reference, name, kind))?;
    Ok(OrganisationId(named.id))
}

/// Makes an organisation that is not known, and gives its name to one that has none.
fn named(
    db: &dyn Session,
    known: Option<KnownOrganisation>,
    (reference, name, kind): (Option<&str>, &str, &str),
) -> Result<KnownOrganisation, Error> {
    let id = match known {
        None => db.put_new(&ORGANISATIONS, params![reference, name, kind])?,
        Some(known) if known.is_named || name.is_empty() => return Ok(known),
        Some(known) => {
            db.execute(
                "UPDATE organisations SET name = ?2, type = ?3 WHERE id = ?1",
                params![known.id, name, kind],
            )?;
            known.id
        }
    };
    Ok(KnownOrganisation {
        id,
        is_named: !name.is_empty(),
    })
}

/// Writes the elements of one activity, in any order.
#[derive(Debug)]
pub(crate) struct ElementWriter<'a> {
    pub(crate) db: &'a dyn Session,
    pub(crate) project: ProjectId,
    root: Root,
    pub(crate) default_currency: &'a str,
    checker: &'a mut FragmentChecker,
    n_written: i64,
    /// A bit for each kind that was written and may stand once.
    once: u64,
}

impl<'a> ElementWriter<'a> {
    pub(crate) fn new(
        db: &'a dyn Session,
        (project, root): (ProjectId, Root),
        default_currency: &'a str,
        checker: &'a mut FragmentChecker,
    ) -> Self {
        Self {
            db,
            project,
            root,
            default_currency,
            checker,
            n_written: 0,
            once: 0,
        }
    }

    /// The place the next element of a kind gets: the order of 2.03 first, then the order of coming.
    pub(crate) fn next_place(&mut self, kind: ElementKind) -> i64 {
        self.n_written += 1;
        place(kind, self.n_written)
    }

    /// Why an element cannot stand in a valid activity, `None` where it can.
    pub(crate) fn objection(&mut self, element: &ActivityElement, xml: &str) -> Option<String> {
        let kind = element.kind();
        if kind == ElementKind::Unknown {
            return Some(format!("2.03 has no <{}> here", element.name()));
        }
        let mut objection = None;
        if kind != ElementKind::Extension {
            objection = self.checker.objection(element, xml);
        }
        if objection.is_none() && !kind.is_repeatable() {
            let bit = 1_u64 << (kind as u32 % 64);
            if self.once & bit != 0 {
                return Some(format!("2.03 allows one <{}>", element.name()));
            }
            self.once |= bit;
        }
        objection
    }

    /// Writes an element that is not a result. Answers why exports will leave it out, `None` where they will not.
    pub(crate) fn write(
        &mut self,
        element: &ActivityElement,
        xml: &str,
    ) -> Result<Option<String>, Error> {
        let row = self.write_columns(element, xml)?;
        row.write(self.db, xml)?;
        Ok(row.omitted_because)
    }

    /// Writes the columns of an element that is not a result. Answers the row that is still to be written of it.
    pub(crate) fn write_columns(
        &mut self,
        element: &ActivityElement,
        xml: &str,
    ) -> Result<ElementRow, Error> {
        let omitted_because = self.objection(element, xml);
        let place = self.next_place(element.kind());
        let of = (self.project, self.root);
        columns::write(self.db, of, place, element, self.default_currency)?;
        let name = match element.kind().name() {
            "" => Cow::Owned(element.name().to_owned()),
            name => Cow::Borrowed(name),
        };
        Ok(ElementRow {
            project: self.project,
            root: self.root,
            place,
            name,
            omitted_because,
        })
    }
}

/// The row of an element, but for its fragment.
#[derive(Debug)]
pub(crate) struct ElementRow {
    project: ProjectId,
    root: Root,
    place: i64,
    name: Cow<'static, str>,
    /// Why exports will leave it out, `None` where they will not.
    pub(crate) omitted_because: Option<String>,
}

impl ElementRow {
    /// Writes the row.
    pub(crate) fn write(&self, db: &dyn Session, xml: &str) -> Result<(), Error> {
        let reason = self.omitted_because.as_deref();
        db.put(
            &PROJECT_ELEMENTS,
            params![
                self.project,
                self.place,
                &*self.name,
                xml,
                reason,
                self.root
            ],
        )
    }

    /// The same with the fragment in column `xml` of another table, which then never leaves the database.
    pub(crate) fn write_from(
        &self,
        db: &dyn Session,
        table: &str,
        key: &str,
        id: i64,
    ) -> Result<(), Error> {
        let sql = format!(
            "INSERT INTO project_elements (project_id, place, name, xml, omitted_because /*!, root_id */)
             SELECT CAST(?1 AS BIGINT), CAST(?2 AS BIGINT), CAST(?3 AS TEXT), xml, CAST(?4 AS TEXT)
                 /*!, CAST(?root AS BIGINT) */
             FROM {table} WHERE {key} = ?5"
        );
        let reason = self.omitted_because.as_deref();
        let n = db.execute(
            &sql,
            params![self.project, self.place, &*self.name, reason, id, self.root],
        )?;
        debug_assert!(n == 1, "the fragment is there");
        Ok(())
    }
}

/// Places of one kind are 2³² apart from those of the next.
pub(crate) fn place(kind: ElementKind, nth: i64) -> i64 {
    (i64::from(kind as u32) << 32) | nth
}
