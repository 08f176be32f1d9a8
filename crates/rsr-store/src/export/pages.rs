//! Heads a chunk at a time, elements a page at a time, both by key.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use rsr_hierarchy::Viewer;

use super::ActivityFilter;
use super::results::Results;
use crate::error::Error;
use crate::hierarchy::COVERS;
use crate::sql::{Root, Roots, Session, Value, id_list, params};

/// Most rows asked for at once: an engine on a server may send all of them before the page is full.
const PAGE_ROWS: i64 = 1_024;
/// Bytes of fragments after which a page ends.
const PAGE_BYTES: usize = 1 << 20;

/// The attributes of an activity.
pub(super) struct HeadRow {
    pub(super) project: i64,
    pub(super) identifier: Option<String>,
    pub(super) head_xml: String,
    root: i64,
}

/// The activities to come.
pub(super) struct Heads {
    filter: ActivityFilter,
    chunk_size: usize,
    chunk: VecDeque<HeadRow>,
    /// The last project of the chunk.
    last: i64,
    /// The projects of the chunk, where there may be others between them.
    listed: Option<String>,
    /// The trees that the chunk's activities lie in.
    pub(super) roots: Roots,
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
            listed: None,
            roots: Roots::from_ids(Vec::new()),
            is_end: false,
        }
    }

    /// The next activity; a new chunk makes `pages` and `results` begin anew behind it.
    pub(super) fn next(
        &mut self,
        db: &dyn Session,
        pages: &mut Pages,
        results: &mut Results,
    ) -> Result<Option<HeadRow>, Error> {
        if self.chunk.is_empty() && !self.is_end {
            let after = self.last;
            self.chunk = self.read(db)?;
            self.is_end = self.chunk.len() < self.chunk_size;
            if let Some(last) = self.chunk.back() {
                self.last = last.project;
            }
            let is_filtered = self.filter != ActivityFilter::default();
            self.listed = is_filtered.then(|| id_list(self.chunk.iter().map(|head| head.project)));
            self.roots = Roots::from_ids(self.chunk.iter().map(|head| head.root).collect());
            *pages = Pages {
                after: (after, i64::MAX),
                ..Pages::default()
            };
            *results = Results::behind(after);
        }
        Ok(self.chunk.pop_front())
    }

    fn read(&self, db: &dyn Session) -> Result<VecDeque<HeadRow>, Error> {
        let n = i64::try_from(self.chunk_size).unwrap_or(i64::MAX);
        let mut params = vec![Value::from(self.last), Value::from(n)];
        let mut sql =
            "SELECT p.id, p.iati_identifier, p.head_xml /*!, p.root_id */ FROM projects p WHERE p.id > ?1".to_owned();
        let asking = match self.filter.visible_to {
            None | Some(Viewer::Administrator) => None,
            Some(Viewer::Anonymous) => Some(Value::Int(NOBODY)),
            Some(Viewer::User(user)) => Some(Value::from(user)),
        };
        if let Some(user) = asking {
            params.push(user);
            sql.push_str(&format!(
                " AND ((p.is_public = 1 AND p.is_published = 1)
                   OR EXISTS (SELECT 1 FROM roles r WHERE r.user_id = ?{} AND {COVERS}))",
                params.len()
            ));
        }
        if let Some(project) = self.filter.project {
            params.push(Value::from(project));
            sql.push_str(&format!(
                " AND p.id = ?{} /*! AND p.root_id = ?root */",
                params.len()
            ));
        }
        if let Some(reference) = &self.filter.reporting_ref {
            params.push(Value::from(reference));
            sql.push_str(&format!(" AND p.reporting_ref = ?{}", params.len()));
        }
        sql.push_str(" ORDER BY p.id LIMIT ?2");
        if let Some(project) = self.filter.project {
            params.push(Value::from(Root::of_project(db, project)?));
        }
        let has_roots = db.has_roots();
        let rows = db.rows(&sql, &params, |row| {
            Ok(HeadRow {
                project: row.int(0)?,
                identifier: row.opt_string(1)?,
                head_xml: row.string(2)?,
                root: if has_roots { row.int(3)? } else { 0 },
            })
        })?;
        Ok(rows.into())
    }

    /// What keeps a page among the activities of the chunk: a condition on `project_id` and its parameters, the first of
    /// which is the parameter `nth`, and which are the last ones.
    pub(super) fn within(&self, nth: usize) -> (String, Vec<Value<'_>>) {
        let mut sql = format!("project_id <= ?{nth}");
        let mut params = vec![Value::from(self.last)];
        if let Some(listed) = &self.listed {
            sql.push_str(&format!(
                " AND project_id IN (SELECT value FROM json_each(?{}))",
                nth + 1
            ));
            params.push(Value::from(listed));
        }
        sql.push_str(" /*! AND root_id IN ?roots */");
        params.push(Value::from(&self.roots));
        (sql, params)
    }
}

/// The id that no user has: ids begin with 1.
const NOBODY: i64 = 0;

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
        let (within, mut chunk) = heads.within(4);
        let sql = format!(
            "SELECT project_id, place, name, CASE WHEN omitted_because IS NULL THEN xml ELSE '' END, omitted_because
             FROM project_elements WHERE (project_id, place) > (?1, ?2) AND {within}
             ORDER BY project_id, place LIMIT ?3"
        );
        let (after_project, after_place) = self.after;
        let mut params = params![after_project, after_place, PAGE_ROWS].to_vec();
        params.append(&mut chunk);
        let page = &mut self.page;
        let (mut n_bytes, mut n_rows) = (0, 0);
        let flow = db.query_until(&sql, &params, &mut |row| {
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
        })?;
        self.is_end = flow.is_continue() && n_rows < PAGE_ROWS;
        if let Some(last) = self.page.back() {
            self.after = (last.project, last.place);
        }
        Ok(())
    }
}
