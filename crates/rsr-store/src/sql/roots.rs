//! Which tree rows lie in, for engines that can spread trees over servers.
//!
//! Every row of a project, and of what hangs on it, has the id of the project at the top of its tree in a column `root_id`,
//! which is part of its key. A statement that names it is answered by the one server that has that tree. So work about a
//! tree begins by asking for its root, once, and names it from then on. The questions that find a root by the id of something
//! are the doors: all of them are in this file.

use rsr_base::ProjectId;

use super::{IDS, Session, id_list, params};
use crate::error::Error;

/// The project at the top of a tree.
///
/// Where the engine has no roots it is never asked for and never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Root(pub(crate) i64);

/// The root of what no root leads to: projects whose parents lead round in a circle, and those below. All of them lie in one
/// place, so that what refers to each other among them stays together.
const CIRCLES: Root = Root(0);

/// What a root is asked for by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Result,
    Indicator,
    Period,
    Update,
    DimensionName,
    DimensionValue,
}

impl Kind {
    /// How people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Indicator => "indicator",
            Self::Period => "period",
            Self::Update => "update",
            Self::DimensionName => "dimension name",
            Self::DimensionValue => "dimension value",
        }
    }

    pub(crate) fn table(self) -> &'static str {
        match self {
            Self::Result => "results",
            Self::Indicator => "indicators",
            Self::Period => "periods",
            Self::Update => "updates",
            Self::DimensionName => "dimension_names",
            Self::DimensionValue => "dimension_values",
        }
    }
}

impl Root {
    /// The root of a project's tree: positions say it, of which every server has all. Of a project that is not stored it is
    /// a root below which nothing of that id is found.
    pub(crate) fn of_project(db: &dyn Session, project: ProjectId) -> Result<Self, Error> {
        if !db.has_roots() {
            return Ok(CIRCLES);
        }
        let root = db.row(
            "SELECT root_id FROM positions WHERE project_id = ?1",
            params![project],
            |row| row.int(0),
        )?;
        Ok(root.map_or(CIRCLES, Self))
    }

    /// The root of a row that is known by its id alone; as for a project where it is not stored.
    pub(crate) fn of(db: &dyn Session, kind: Kind, id: i64) -> Result<Self, Error> {
        if !db.has_roots() {
            return Ok(CIRCLES);
        }
        let sql = format!(
            "SELECT door.root_id FROM {} AS door WHERE door.id = ?1",
            kind.table()
        );
        let root = db.row(&sql, params![id], |row| row.int(0))?;
        Ok(root.map_or(CIRCLES, Self))
    }
}

/// The roots of some rows, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Roots(String);

impl Roots {
    /// Those of projects.
    pub(crate) fn of_projects(
        db: &dyn Session,
        projects: impl Iterator<Item = i64>,
    ) -> Result<Self, Error> {
        let sql = format!("SELECT root_id FROM positions WHERE project_id IN {IDS}");
        Self::found(db, &sql, projects)
    }

    /// Those of rows of one kind.
    pub(crate) fn of(
        db: &dyn Session,
        kind: Kind,
        ids: impl Iterator<Item = i64>,
    ) -> Result<Self, Error> {
        let table = kind.table();
        let sql = format!("SELECT door.root_id FROM {table} AS door WHERE door.id IN {IDS}");
        Self::found(db, &sql, ids)
    }

    /// These, in any order and any number of times.
    pub(crate) fn from_ids(mut roots: Vec<i64>) -> Self {
        roots.sort_unstable();
        roots.dedup();
        Self(id_list(roots.into_iter()))
    }

    fn found(db: &dyn Session, sql: &str, ids: impl Iterator<Item = i64>) -> Result<Self, Error> {
        if !db.has_roots() {
            return Ok(Self(String::new()));
        }
        let ids: Vec<i64> = ids.collect();
        let mut roots = db.rows(sql, params![&id_list(ids.iter().copied())], |row| {
            row.int(0)
        })?;
        if roots.len() < ids.len() {
            roots.push(CIRCLES.0);
        }
        Ok(Self::from_ids(roots))
    }

    /// As one parameter.
    pub(crate) fn list(&self) -> &str {
        &self.0
    }
}

impl From<Root> for Roots {
    fn from(root: Root) -> Self {
        Self(id_list(std::iter::once(root.0)))
    }
}
