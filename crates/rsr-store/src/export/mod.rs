//! Activities out of the database, as `rsr-iati` asks for them.

mod pages;
mod results;

use rsr_base::ProjectId;
use rsr_hierarchy::Viewer;
use rsr_iati::export::ActivitySource;
use rsr_iati::model::{ActivityElement, ActivityHead, ElementKind};
use rsr_iati::schema::FragmentChecker;

use crate::elements::{head_from_xml, place};
use crate::error::Error;
use crate::snapshot::Snapshot;
use pages::{Heads, Pages};
use results::Results;

/// Which activities to give.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActivityFilter {
    /// Only those reported by the organisation of this reference.
    pub reporting_ref: Option<String>,
    /// Only this one.
    pub project: Option<ProjectId>,
    /// Only those that this viewer may see; `None` for all.
    pub visible_to: Option<Viewer>,
}

/// An element that is stored and cannot stand in a valid activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Omission<'o> {
    /// The activity.
    pub project: ProjectId,
    /// Its IATI identifier.
    pub identifier: Option<&'o str>,
    /// The element's name.
    pub element: &'o str,
    /// Why it is left out.
    pub reason: &'o str,
}

/// The activities of one snapshot, oldest first, element by element in the order of 2.03.
///
/// Memory: a chunk of heads, a page of elements (1 MiB and its last element) and a page of results (1 MiB, or one result).
pub struct Activities<'s> {
    snapshot: &'s Snapshot,
    heads: Heads,
    pages: Pages,
    results: Results,
    checker: FragmentChecker,
    omit: &'s mut dyn FnMut(Omission<'_>),
    current: Option<Current>,
}

/// The activity at hand.
struct Current {
    project: ProjectId,
    identifier: Option<String>,
    /// Whether all its results were given.
    is_past_results: bool,
}

impl std::fmt::Debug for Activities<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Activities")
            .field("snapshot", &self.snapshot)
            .finish_non_exhaustive()
    }
}

impl Snapshot {
    /// The activities to export, `chunk_size` heads read at a time. `omit` hears of each stored element that is left out.
    pub fn activities<'s>(
        &'s self,
        filter: &ActivityFilter,
        chunk_size: usize,
        omit: &'s mut dyn FnMut(Omission<'_>),
    ) -> Activities<'s> {
        Activities {
            snapshot: self,
            heads: Heads::new(filter.clone(), chunk_size),
            pages: Pages::default(),
            results: Results::behind(i64::MIN),
            checker: FragmentChecker::new(),
            omit,
            current: None,
        }
    }
}

impl ActivitySource for Activities<'_> {
    type Error = Error;

    fn next_activity(&mut self) -> Result<Option<ActivityHead>, Error> {
        let Some(row) = self
            .heads
            .next(self.snapshot.db(), &mut self.pages, &mut self.results)?
        else {
            self.current = None;
            return Ok(None);
        };
        let head = head_from_xml(&row.head_xml);
        self.current = Some(Current {
            project: ProjectId(row.project),
            identifier: row.identifier,
            is_past_results: false,
        });
        Ok(Some(head))
    }

    fn next_element(&mut self) -> Result<Option<ActivityElement>, Error> {
        let db = self.snapshot.db();
        let Some(current) = &mut self.current else {
            return Ok(None);
        };
        loop {
            let next = self.pages.peek(db, current.project.0, &self.heads)?;
            let before_results =
                next.is_some_and(|next| next.place < place(ElementKind::Result, 0));
            if !before_results && !current.is_past_results {
                let Some(row) = self.results.next(db, current.project.0, &self.heads)? else {
                    current.is_past_results = true;
                    continue;
                };
                let Some(reason) = row.objection(&mut self.checker) else {
                    return Ok(Some(row.element));
                };
                (self.omit)(current.omission("result", &reason));
                continue;
            }
            let Some(row) = self.pages.pop(current.project.0) else {
                return Ok(None);
            };
            if let Some(reason) = &row.omitted_because {
                (self.omit)(current.omission(&row.name, reason));
                continue;
            }
            match ActivityElement::from_xml(&row.xml) {
                Ok(element) => return Ok(Some(element)),
                Err(error) => (self.omit)(current.omission(&row.name, &error.to_string())),
            }
        }
    }
}

impl Current {
    fn omission<'o>(&'o self, element: &'o str, reason: &'o str) -> Omission<'o> {
        Omission {
            project: self.project,
            identifier: self.identifier.as_deref(),
            element,
            reason,
        }
    }
}
