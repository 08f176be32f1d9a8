//! Children and counts, by parent links along indexes.

use std::num::NonZeroU32;

use rsr_base::ProjectId;
use rsr_hierarchy::{BranchNode, Key, Node, NodeSource, Scope, SortField, Viewer};

use super::row::{ChildRow, children_counts, rows};
use super::scope::{Query, expression, is_visible, order};
use super::{Resume, branches};
use crate::error::Error;
use crate::rows::Project;
use crate::snapshot::Snapshot;
use crate::sql::{Row, id_list};

impl NodeSource for Snapshot {
    type Row = ChildRow;
    type Error = Error;
    type Resume = Resume;

    fn is_visible(&mut self, project: ProjectId, viewer: Viewer) -> Result<bool, Error> {
        is_visible(self.db(), project, viewer)
    }

    fn count_descendants(
        &mut self,
        scope: &Scope<'_>,
        project: ProjectId,
        depth_max: Option<NonZeroU32>,
        at_most: u64,
    ) -> Result<u64, Error> {
        self.count_from(scope, &[project], depth_max, Some(at_most))
    }

    fn child_keys(
        &mut self,
        scope: &Scope<'_>,
        parent: ProjectId,
        after: Option<&Key>,
        n: usize,
        keys: &mut Vec<Key>,
    ) -> Result<(), Error> {
        let value = expression(scope.sort.field).unwrap_or("NULL");
        let mut query = Query::default();
        let tail = children_of(&mut query, scope, parent, after, n);
        let sql = format!("SELECT p.id, {value} FROM projects p {tail}");
        self.db().query(&sql, &query.params(), &mut |row| {
            keys.push(Key {
                id: ProjectId(row.int(0)?),
                value: row.opt_string(1)?,
            });
            Ok(())
        })
    }

    fn count_below(
        &mut self,
        scope: &Scope<'_>,
        nodes: &[Key],
        depth_max: NonZeroU32,
    ) -> Result<u64, Error> {
        let ids: Vec<ProjectId> = nodes.iter().map(|key| key.id).collect();
        self.count_from(scope, &ids, Some(depth_max), None)
    }

    fn children(
        &mut self,
        scope: &Scope<'_>,
        parent: ProjectId,
        after: Option<&Key>,
        n: usize,
        nodes: &mut Vec<Node<ChildRow>>,
    ) -> Result<Option<Key>, Error> {
        let mut query = Query::default();
        let tail = children_of(&mut query, scope, parent, after, n);
        let sql = format!("SELECT {} FROM projects p {tail}", Project::COLUMNS);
        let projects = self.db().rows(&sql, &query.params(), Project::read)?;
        let last = projects
            .last()
            .map(|project| key_of(scope.sort.field, project));
        let ids: Vec<ProjectId> = projects.iter().map(|project| project.id).collect();
        let counts = children_counts(self.db(), scope, &ids)?;
        for row in rows(self.db(), scope.viewer, projects)? {
            nodes.push(Node {
                id: row.project.id,
                parent,
                depth: 1,
                children_count: counts.get(&row.project.id.0).copied().unwrap_or(0),
                row,
            });
        }
        Ok(last)
    }

    fn branches(
        &mut self,
        scope: &Scope<'_>,
        of: &[ProjectId],
        depth_max: Option<NonZeroU32>,
        resume: Option<Resume>,
        n: usize,
        nodes: &mut Vec<BranchNode<ChildRow>>,
    ) -> Result<Option<Resume>, Error> {
        branches::read(self.db(), scope, of, depth_max, resume, n, nodes)
    }
}

impl Snapshot {
    /// Descendants in the scope below all of these, to a depth, counted to `at_most`.
    fn count_from(
        &self,
        scope: &Scope<'_>,
        of: &[ProjectId],
        depth_max: Option<NonZeroU32>,
        at_most: Option<u64>,
    ) -> Result<u64, Error> {
        let mut query = Query::default();
        let list = query.text(id_list(of.iter().map(|id| id.0)));
        let within = query.within(scope);
        let depth_max = query.int(depth_max.map_or(i64::MAX, |depth| i64::from(depth.get())));
        let at_most = at_most.map_or(i64::MAX, |n| i64::try_from(n).unwrap_or(i64::MAX));
        let at_most = query.int(at_most);
        // The limit also ends the walk where broken links lead round in a circle.
        let sql = format!(
            "WITH RECURSIVE below(id, depth) AS (
                 SELECT p.id, CAST(1 AS BIGINT) FROM projects p
                 WHERE p.parent_id IN (SELECT value FROM json_each({list})) AND {within}
                 UNION ALL
                 SELECT p.id, below.depth + 1 FROM below JOIN projects p ON p.parent_id = below.id
                 WHERE below.depth < {depth_max} AND {within})
             SELECT count(*) FROM (SELECT 1 FROM below LIMIT {at_most}) AS counted"
        );
        Ok(self.db().number(&sql, &query.params())?.unsigned_abs())
    }
}

/// The end of a statement about the next children of a project.
fn children_of<'a>(
    query: &mut Query<'a>,
    scope: &Scope<'a>,
    parent: ProjectId,
    after: Option<&'a Key>,
    n: usize,
) -> String {
    let parent = query.int(parent.0);
    let within = query.within(scope);
    let after = query.after(scope.sort, after);
    let n = query.int(i64::try_from(n).unwrap_or(i64::MAX));
    let order = order(scope.sort);
    format!("WHERE p.parent_id = {parent} AND {within} AND {after} ORDER BY {order} LIMIT {n}")
}

pub(super) fn key_of(field: SortField, project: &Project) -> Key {
    let value = match field {
        SortField::Id => None,
        SortField::Title => Some(project.title.as_str()),
        SortField::PlannedStart => project.planned_start.as_deref(),
        SortField::PlannedEnd => project.planned_end.as_deref(),
        SortField::ActualStart => project.actual_start.as_deref(),
        SortField::ActualEnd => project.actual_end.as_deref(),
    };
    Key::new(value, project.id)
}

/// The projects with these ids, in any order.
pub(super) fn projects_by_id(
    db: &dyn crate::sql::Session,
    ids: impl Iterator<Item = i64>,
) -> Result<Vec<Project>, Error> {
    let mut query = Query::default();
    let list = query.text(id_list(ids));
    let sql = format!(
        "SELECT {} FROM projects p WHERE p.id IN (SELECT value FROM json_each({list}))",
        Project::COLUMNS
    );
    db.rows(&sql, &query.params(), |row: &dyn Row| Project::read(row))
}
