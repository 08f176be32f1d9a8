//! Projects of all levels in one list.

use rsr_hierarchy::{Key, Scope};

use super::nodes::key_of;
use super::row::{ChildRow, children_counts, rows};
use super::scope::{Query, expression, order};
use crate::error::Error;
use crate::rows::Project;
use crate::snapshot::Snapshot;
use crate::sql::Roots;
use rsr_base::ProjectId;

/// A run of the list of projects.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedProjects {
    /// The projects, each with the number of its direct children in the scope.
    pub rows: Vec<(ChildRow, u64)>,
    /// The key of the last one; `None` where there was none.
    pub last: Option<Key>,
}

impl Snapshot {
    /// Keys of the projects in the scope after `after`, in its order, `n` at most; fewer only where they end.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn project_keys(
        &self,
        scope: &Scope<'_>,
        after: Option<&Key>,
        n: usize,
    ) -> Result<Vec<Key>, Error> {
        let value = expression(scope.sort.field).unwrap_or("NULL");
        let mut query = Query::default();
        let tail = all(&mut query, scope, after, n);
        let sql = format!("SELECT p.id, {value} FROM projects p {tail}");
        self.db().rows(&sql, &query.params(), |row| {
            Ok(Key {
                id: ProjectId(row.int(0)?),
                value: row.opt_string(1)?,
            })
        })
    }

    /// The projects in the scope after `after`, in its order, `n` at most; fewer only where they end. A fixed number of
    /// queries for any number of rows.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn projects(
        &self,
        scope: &Scope<'_>,
        after: Option<&Key>,
        n: usize,
    ) -> Result<ListedProjects, Error> {
        let mut query = Query::default();
        let tail = all(&mut query, scope, after, n);
        let sql = format!("SELECT {} FROM projects p {tail}", Project::COLUMNS);
        let projects = self.db().rows(&sql, &query.params(), Project::read)?;
        let last = projects
            .last()
            .map(|project| key_of(scope.sort.field, project));
        let ids: Vec<ProjectId> = projects.iter().map(|project| project.id).collect();
        let roots = Roots::of_projects(self.db(), ids.iter().map(|id| id.0))?;
        let counts = children_counts(self.db(), scope, &ids, &roots)?;
        let rows = rows(self.db(), scope.viewer, projects, &roots)?
            .into_iter()
            .map(|row| {
                let count = counts.get(&row.project.id.0).copied().unwrap_or(0);
                (row, count)
            })
            .collect();
        Ok(ListedProjects { rows, last })
    }
}

/// The end of a statement about the next projects.
fn all<'a>(query: &mut Query<'a>, scope: &Scope<'a>, after: Option<&'a Key>, n: usize) -> String {
    let within = query.within(scope);
    let after = query.after(scope.sort, after);
    let n = query.int(i64::try_from(n).unwrap_or(i64::MAX));
    let order = order(scope.sort);
    format!("WHERE {within} AND {after} ORDER BY {order} LIMIT {n}")
}
