//! Children and counts, by parent links along indexes.

use std::num::NonZeroU32;
use std::ops::ControlFlow::{Break, Continue};

use rsr_base::ProjectId;
use rsr_hierarchy::{BranchNode, Key, Node, NodeSource, Scope, SortField, Viewer, Waypoint};

use super::row::{ChildRow, children_counts, rows};
use super::scope::{Query, expression, is_visible, stretches};
use super::{Resume, branches};
use crate::error::Error;
use crate::rows::Project;
use crate::snapshot::Snapshot;
use crate::sql::{Root, Roots, Row, id_list};

impl NodeSource for Snapshot {
    type Row = ChildRow;
    type Error = Error;
    type Resume = Resume;

    fn is_visible(&mut self, project: ProjectId, viewer: Viewer) -> Result<bool, Error> {
        is_visible(self.db(), project, self.root_of(project)?, viewer)
    }

    fn count_descendants(
        &mut self,
        scope: &Scope<'_>,
        project: ProjectId,
        depth_max: Option<NonZeroU32>,
        at_most: u64,
    ) -> Result<u64, Error> {
        self.count_levels(scope, project, depth_max, at_most)
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
        let columns = format!("p.id, {value}");
        self.each_child(scope, parent, (after, n), &columns, &mut |row| {
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
        self.count_all(scope, &ids, depth_max)
    }

    fn children(
        &mut self,
        scope: &Scope<'_>,
        parent: ProjectId,
        after: Option<&Key>,
        n: usize,
        nodes: &mut Vec<Node<ChildRow>>,
    ) -> Result<Option<Key>, Error> {
        let mut projects = Vec::new();
        self.each_child(scope, parent, (after, n), Project::COLUMNS, &mut |row| {
            projects.push(Project::read(row)?);
            Ok(())
        })?;
        let last = projects
            .last()
            .map(|project| key_of(scope.sort.field, project));
        let ids: Vec<ProjectId> = projects.iter().map(|project| project.id).collect();
        let roots = Roots::from(self.root_of(parent)?);
        let counts = children_counts(self.db(), scope, &ids, &roots)?;
        for row in rows(self.db(), scope.viewer, projects, &roots)? {
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

    fn resume_after(
        &mut self,
        scope: &Scope<'_>,
        top: ProjectId,
        last: &Waypoint,
    ) -> Result<Option<Resume>, Error> {
        branches::resume_after(self.db(), scope, top, last)
    }
}

impl Snapshot {
    /// Calls `read` with the next statement about the children of a project, stretch by stretch of their order, until
    /// it has handed out `n` rows or the children end.
    fn each_child(
        &self,
        scope: &Scope<'_>,
        parent: ProjectId,
        (after, n): (Option<&Key>, usize),
        columns: &str,
        read: &mut dyn FnMut(&dyn Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut left = n;
        for stretch in stretches(scope.sort, after) {
            if left == 0 {
                break;
            }
            let mut query = Query::default();
            query.root(self.root_of(parent)?);
            let parent = query.int(parent.0);
            let within = query.within(scope);
            let beyond = query.stretch(scope.sort, &stretch);
            let order = stretch.order(scope.sort);
            // A number that is written out lets a planner see that few rows are wanted.
            let sql = format!(
                "SELECT {columns} FROM projects p
                 WHERE p.parent_id = {parent} /*! AND p.root_id = ?root */ AND {within} AND {beyond} ORDER BY {order} LIMIT {n}"
            );
            let _whole = self.db().query_until(&sql, &query.params(), &mut |row| {
                left -= 1;
                read(row)?;
                Ok(if left == 0 { Break(()) } else { Continue(()) })
            })?;
        }
        Ok(())
    }

    /// Descendants in the scope, level by level, counted to `at_most` and never further: no level is read beyond what
    /// is still to be counted. Holds 8 bytes for each that was counted and has two levels below it: the last two levels
    /// are counted where they are stored.
    fn count_levels(
        &self,
        scope: &Scope<'_>,
        top: ProjectId,
        depth_max: Option<NonZeroU32>,
        at_most: u64,
    ) -> Result<u64, Error> {
        let root = self.root_of(top)?;
        let mut level = vec![top.0];
        let mut depth = 0;
        let mut counted = 0;
        while !level.is_empty() && counted < at_most {
            depth += 1;
            let levels_left = depth_max.map(|max| max.get() - depth);
            let mut next = Vec::new();
            for above in level.chunks(COUNTED_PER_QUERY) {
                let left = |counted| at_most - counted;
                match levels_left {
                    Some(0) => {
                        counted += self.count_below_ids(scope, (root, above), 1, left(counted))?;
                    }
                    Some(1) => {
                        for n_levels in [1, 2] {
                            let n = left(counted);
                            counted += self.count_below_ids(scope, (root, above), n_levels, n)?;
                        }
                    }
                    _ => {
                        let found = next.len();
                        self.ids_below(scope, (root, above), left(counted), &mut next)?;
                        counted += (next.len() - found) as u64;
                    }
                }
                if counted >= at_most {
                    break;
                }
            }
            level = next;
        }
        Ok(counted)
    }

    /// Appends the ids of the children of all these, up to `n`.
    fn ids_below(
        &self,
        scope: &Scope<'_>,
        (root, above): (Root, &[i64]),
        n: u64,
        ids: &mut Vec<i64>,
    ) -> Result<(), Error> {
        let mut query = Query::default();
        query.root(root);
        let list = query.text(id_list(above.iter().copied()));
        let within = query.within(scope);
        let n = query.int(i64::try_from(n).unwrap_or(i64::MAX));
        let sql = format!(
            "SELECT p.id FROM projects p WHERE p.parent_id IN (SELECT value FROM json_each({list})) /*! AND p.root_id = ?root */
             AND {within} LIMIT {n}"
        );
        self.db().query(&sql, &query.params(), &mut |row| {
            ids.push(row.int(0)?);
            Ok(())
        })
    }

    /// What lies exactly one level below all these, or exactly two, counted to `n`.
    fn count_below_ids(
        &self,
        scope: &Scope<'_>,
        (root, above): (Root, &[i64]),
        n_levels: u32,
        n: u64,
    ) -> Result<u64, Error> {
        if n == 0 {
            return Ok(0);
        }
        let mut query = Query::default();
        query.root(root);
        let list = query.text(id_list(above.iter().copied()));
        let within = query.within(scope);
        let n = query.int(i64::try_from(n).unwrap_or(i64::MAX));
        let children = format!(
            "projects p WHERE p.parent_id IN (SELECT value FROM json_each({list})) /*! AND p.root_id = ?root */
             AND {within}"
        );
        let counted = if n_levels == 1 {
            format!("SELECT p.id FROM {children}")
        } else {
            // A join rather than a list of ids within, which a database may first put down in full.
            format!(
                "SELECT p.id FROM (SELECT p.id AS above FROM {children}) AS upper
                 JOIN projects p ON p.parent_id = upper.above /*! AND p.root_id = ?root */ WHERE {within}"
            )
        };
        let sql = format!("SELECT count(*) FROM ({counted} LIMIT {n}) AS counted");
        Ok(self.db().number(&sql, &query.params())?.unsigned_abs())
    }

    /// Descendants in the scope below all of these, to a depth.
    fn count_all(
        &self,
        scope: &Scope<'_>,
        of: &[ProjectId],
        depth_max: NonZeroU32,
    ) -> Result<u64, Error> {
        let mut query = Query::default();
        query.roots(&Roots::of_projects(self.db(), of.iter().map(|id| id.0))?);
        let list = query.text(id_list(of.iter().map(|id| id.0)));
        let within = query.within(scope);
        let children = format!(
            "projects p WHERE p.parent_id IN (SELECT value FROM json_each({list})) /*! AND p.root_id IN ?roots */
             AND {within}"
        );
        let sql = if depth_max == NonZeroU32::MIN {
            format!("SELECT count(*) FROM {children}")
        } else {
            let depth_max = query.int(i64::from(depth_max.get()));
            format!(
                "WITH RECURSIVE below(id, depth /*!, root_id */) AS (
                     SELECT p.id, CAST(1 AS BIGINT) /*!, p.root_id */ FROM {children}
                     UNION ALL
                     SELECT p.id, below.depth + 1 /*!, p.root_id */
                     FROM below JOIN projects p ON p.parent_id = below.id /*! AND p.root_id = below.root_id */
                     WHERE below.depth < {depth_max} AND {within})
                 SELECT count(*) FROM below"
            )
        };
        Ok(self.db().number(&sql, &query.params())?.unsigned_abs())
    }
}

/// Nodes whose children are counted by one statement.
const COUNTED_PER_QUERY: usize = 1_000;

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
