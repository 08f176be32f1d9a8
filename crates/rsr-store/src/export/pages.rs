//! Heads a chunk at a time, elements a page at a time, both by key.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use rsr_hierarchy::Viewer;

use super::ActivityFilter;
use crate::error::Error;
use crate::hierarchy::COVERS;
use crate::sql::{Session, Value};

/// Most rows asked for at once: an engine on a server may send all of them before the page is full.
const PAGE_ROWS: i64 = 1_024;
/// Bytes of fragments after which a page ends.
const PAGE_BYTES: usize = 1 << 20;

/// The attributes of an activity.
pub(super) struct HeadRow {
    pub(super) project: i64,
    pub(super) identifier: Option<String>,
    pub(super) head_xml: String,
}

/// The activities to come.
pub(super) struct Heads {
    filter: ActivityFilter,
    chunk_size: usize,
    chunk: VecDeque<HeadRow>,
    /// The last project of the chunk.
    last: i64,
    is_end: bool,
}

/// An element of an activity.
pub(super) struct ElementRow {
    pub(super) project: i64,
    pub(super) place: i64,
    pub(super) name: String,
    pub(super) xml: String,
    pub(super) omitted_because: Option<String>,
}

/// The elements to come of the chunk's activities.
#[derive(Default)]
pub(super) struct Pages {
    page: VecDeque<ElementRow>,
    /// The last row read.
    after: (i64, i64),
    is_end: bool,
}

impl Heads {
    pub(super) fn new(filter: ActivityFilter, chunk_size: usize) -> Self {
        Self {
            filter,
            chunk_size: chunk_size.max(1),
            chunk: VecDeque::new(),
            last: i64::MIN,
            is_end: false,
        }
    }

    /// The next activity; a new chunk makes `pages` begin anew behind it.
    pub(super) fn next(
        &mut self,
        db: &dyn Session,
        pages: &mut Pages,
    ) -> Result<Option<HeadRow>, Error> {
        if self.chunk.is_empty() && !self.is_end {
            let after = self.last;
            let n = i64::try_from(self.chunk_size).unwrap_or(i64::MAX);
            let passes = passes();
            let sql = format!(
                "SELECT p.id, p.iati_identifier, p.head_xml FROM projects p
                 WHERE p.id > ?1 AND {passes} ORDER BY p.id LIMIT ?5"
            );
            let [project, reporting, public] = self.condition();
            self.chunk = db
                .rows(
                    &sql,
                    &[
                        Value::from(after),
                        project,
                        reporting,
                        public,
                        Value::from(n),
                    ],
                    |row| {
                        Ok(HeadRow {
                            project: row.int(0)?,
                            identifier: row.opt_string(1)?,
                            head_xml: row.string(2)?,
                        })
                    },
                )?
                .into();
            self.is_end = self.chunk.len() < self.chunk_size;
            if let Some(last) = self.chunk.back() {
                self.last = last.project;
            }
            *pages = Pages {
                after: (after, i64::MAX),
                ..Pages::default()
            };
        }
        Ok(self.chunk.pop_front())
    }

    fn condition(&self) -> [Value<'_>; 3] {
        [
            Value::from(self.filter.project),
            Value::from(self.filter.reporting_ref.as_deref()),
            match self.filter.visible_to {
                None | Some(Viewer::Administrator) => Value::Null,
                Some(Viewer::Anonymous) => Value::Int(NOBODY),
                Some(Viewer::User(user)) => Value::from(user),
            },
        ]
    }
}

/// The id that no user has: ids begin with 1.
const NOBODY: i64 = 0;

/// What the filter lets pass, with its three parts in ?2 to ?4: project, reporting organisation, and the user who asks.
fn passes() -> String {
    format!(
        "(p.id = ?2 OR ?2 IS NULL) AND (p.reporting_ref = ?3 OR ?3 IS NULL)
         AND (CAST(?4 AS BIGINT) IS NULL OR (p.is_public = 1 AND p.is_published = 1)
             OR EXISTS (SELECT 1 FROM roles r WHERE r.user_id = ?4 AND {COVERS}))"
    )
}

impl Pages {
    /// The next element of a project, left where it is. Elements of projects before it are passed over.
    pub(super) fn peek(
        &mut self,
        db: &dyn Session,
        project: i64,
        heads: &Heads,
    ) -> Result<Option<&ElementRow>, Error> {
        loop {
            while self.page.front().is_some_and(|row| row.project < project) {
                self.page.pop_front();
            }
            if !self.page.is_empty() || self.is_end {
                break;
            }
            // Whoever passed activities over does not read their elements.
            self.after = self.after.max((project - 1, i64::MAX));
            self.read(db, heads)?;
        }
        Ok(self.page.front().filter(|row| row.project == project))
    }

    /// Takes the next element of a project.
    pub(super) fn pop(&mut self, project: i64) -> Option<ElementRow> {
        self.page.pop_front_if(|row| row.project == project)
    }

    fn read(&mut self, db: &dyn Session, heads: &Heads) -> Result<(), Error> {
        let passes = passes();
        let sql = format!(
            "SELECT e.project_id, e.place, e.name, CASE WHEN e.omitted_because IS NULL THEN e.xml ELSE '' END,
                 e.omitted_because
             FROM project_elements e JOIN projects p ON p.id = e.project_id
             WHERE (e.project_id, e.place) > (?1, ?5) AND e.project_id <= ?6 AND {passes}
             ORDER BY e.project_id, e.place LIMIT ?7"
        );
        let [project, reporting, public] = heads.condition();
        let (after_project, after_place) = self.after;
        let page = &mut self.page;
        let (mut n_bytes, mut n_rows) = (0, 0);
        let flow = db.query_until(
            &sql,
            &[
                Value::from(after_project),
                project,
                reporting,
                public,
                Value::from(after_place),
                Value::from(heads.last),
                Value::from(PAGE_ROWS),
            ],
            &mut |row| {
                let element = ElementRow {
                    project: row.int(0)?,
                    place: row.int(1)?,
                    name: row.string(2)?,
                    xml: row.string(3)?,
                    omitted_because: row.opt_string(4)?,
                };
                n_bytes += element.xml.len();
                n_rows += 1;
                page.push_back(element);
                Ok(match n_bytes > PAGE_BYTES {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                })
            },
        )?;
        self.is_end = flow.is_continue() && n_rows < PAGE_ROWS;
        if let Some(last) = self.page.back() {
            self.after = (last.project, last.place);
        }
        Ok(())
    }
}
