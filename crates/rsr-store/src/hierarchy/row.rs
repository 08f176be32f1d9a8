//! What is shown of a project in an answer about the tree, read for a whole chunk at once.

use std::collections::{BTreeSet, HashMap};

use rsr_base::{OrganisationId, ProjectId, UserId};
use rsr_hierarchy::{Scope, Viewer};

use super::scope::{COVERS, Query};
use crate::error::Error;
use crate::rows::{Project, Role};
use crate::sql::{IDS, Roots, Session, id_list, params};

/// Everything that is shown of one project, but its place in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildRow {
    /// Its own columns.
    pub project: Project,
    /// Its sectors, in the order of the activity.
    pub sectors: Vec<SectorRow>,
    /// Countries of its locations, each once.
    pub countries: Vec<String>,
    /// Its recipient countries.
    pub recipient_countries: Vec<String>,
    /// Its primary organisation.
    pub organisation: Option<NamedOrganisation>,
    /// The roles people have in it.
    pub roles: Vec<RoleRow>,
    /// Its parent, where the viewer may know of it.
    pub parent: Option<ParentRow>,
    /// Whether the viewer may change it.
    pub is_editable: bool,
    /// Whether the viewer sees it without having a role in it, while it goes by roles.
    pub is_restricted: bool,
}

/// A sector of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectorRow {
    /// Code of the vocabulary.
    pub vocabulary: String,
    /// Code of the sector.
    pub code: String,
    /// Its name, as far as the activity says it.
    pub name: String,
    /// Its share, as written.
    pub percentage: Option<String>,
}

/// An organisation by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedOrganisation {
    /// The organisation.
    pub id: OrganisationId,
    /// Its name.
    pub name: String,
}

/// A role of a user in a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRow {
    /// The user.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// The parent of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentRow {
    /// The parent.
    pub id: ProjectId,
    /// Its title.
    pub title: String,
    /// Whether it leads a hierarchy: a root with a program record.
    pub leads_hierarchy: bool,
}

/// Direct children of each of these projects, of trees with these roots, in the scope. Projects without any are not in the map.
pub(super) fn children_counts(
    db: &dyn Session,
    scope: &Scope<'_>,
    ids: &[ProjectId],
    roots: &Roots,
) -> Result<HashMap<i64, u64>, Error> {
    let mut query = Query::default();
    query.roots(roots);
    let list = query.text(id_list(ids.iter().map(|id| id.0)));
    let within = query.within(scope);
    let sql = format!(
        "SELECT p.parent_id, count(*) FROM projects p
         WHERE p.parent_id IN (SELECT value FROM json_each({list})) /*! AND p.root_id IN ?roots */ AND {within}
         GROUP BY p.parent_id"
    );
    let counts = db.rows(&sql, &query.params(), |row| {
        Ok((row.int(0)?, row.int(1)?.unsigned_abs()))
    })?;
    Ok(counts.into_iter().collect())
}

/// The rows of these projects, of trees with these roots, in their order: a fixed number of queries for any number of projects.
pub(super) fn rows(
    db: &dyn Session,
    viewer: Viewer,
    projects: Vec<Project>,
    roots: &Roots,
) -> Result<Vec<ChildRow>, Error> {
    let index: HashMap<i64, usize> = (0..).zip(&projects).map(|(nth, p)| (p.id.0, nth)).collect();
    let ids = id_list(projects.iter().map(|project| project.id.0));
    let mut rows: Vec<ChildRow> = projects
        .into_iter()
        .map(|project| ChildRow {
            is_editable: viewer == Viewer::Administrator,
            is_restricted: viewer != Viewer::Administrator && project.use_project_roles,
            project,
            sectors: Vec::new(),
            countries: Vec::new(),
            recipient_countries: Vec::new(),
            organisation: None,
            roles: Vec::new(),
            parent: None,
        })
        .collect();
    let mut each =
        |sql: &str,
         fill: &mut dyn FnMut(&mut ChildRow, &dyn crate::sql::Row) -> Result<(), Error>| {
            let sql = sql.replace("IDS", IDS);
            let params = params![&ids, roots];
            let params = if sql.contains("?roots") {
                &params[..]
            } else {
                &params[..1]
            };
            db.query(&sql, params, &mut |row| match index
                .get(&row.int(0)?)
                .and_then(|nth| rows.get_mut(*nth))
            {
                Some(child) => fill(child, row),
                None => Ok(()),
            })
        };
    each(
        "SELECT project_id, vocabulary, code, name, percentage FROM sectors
         WHERE project_id IN IDS /*! AND root_id IN ?roots */ ORDER BY project_id, place",
        &mut |child, row| {
            child.sectors.push(SectorRow {
                vocabulary: row.string(1)?,
                code: row.string(2)?,
                name: row.string(3)?,
                percentage: row.opt_string(4)?,
            });
            Ok(())
        },
    )?;
    each(
        "SELECT project_id, country FROM locations
         WHERE project_id IN IDS /*! AND root_id IN ?roots */ AND country IS NOT NULL
         GROUP BY project_id, country ORDER BY project_id, min(place)",
        &mut |child, row| {
            child.countries.push(row.string(1)?);
            Ok(())
        },
    )?;
    each(
        "SELECT project_id, code FROM recipient_countries
         WHERE project_id IN IDS /*! AND root_id IN ?roots */ ORDER BY project_id, place",
        &mut |child, row| {
            child.recipient_countries.push(row.string(1)?);
            Ok(())
        },
    )?;
    each(
        "SELECT r.project_id, u.id, u.name, r.role FROM roles r JOIN users u ON u.id = r.user_id
         WHERE r.project_id IN IDS ORDER BY r.project_id, u.id, r.role",
        &mut |child, row| {
            let role = RoleRow {
                user: UserId(row.int(1)?),
                name: row.string(2)?,
                role: Role::from_code(row.text(3)?).unwrap_or(Role::Viewer),
            };
            child.roles.push(role);
            Ok(())
        },
    )?;
    name_organisations(db, &mut rows)?;
    name_parents(db, viewer, &mut rows, roots)?;
    if let Viewer::User(user) = viewer {
        let sql = format!(
            "SELECT p.id, r.role FROM projects p JOIN roles r ON r.user_id = ?2
             WHERE p.id IN {IDS} /*! AND p.root_id IN ?roots */ AND {COVERS}"
        );
        db.query(&sql, params![&ids, user, roots], &mut |row| {
            if let Some(child) = index.get(&row.int(0)?).and_then(|nth| rows.get_mut(*nth)) {
                child.is_editable |= Role::from_code(row.text(1)?).is_some_and(Role::may_edit);
                child.is_restricted = false;
            }
            Ok(())
        })?;
    }
    Ok(rows)
}

/// Each organisation is read once, however many projects of a chunk it has.
fn name_organisations(db: &dyn Session, rows: &mut [ChildRow]) -> Result<(), Error> {
    let ids = distinct(
        rows.iter()
            .filter_map(|row| Some(row.project.organisation?.0)),
    );
    let sql = format!("SELECT id, name FROM organisations WHERE id IN {IDS}");
    let named = db.rows(&sql, params![&ids], |row| Ok((row.int(0)?, row.string(1)?)))?;
    let named: HashMap<i64, String> = named.into_iter().collect();
    for row in rows {
        row.organisation = row.project.organisation.and_then(|id| {
            let name = named.get(&id.0)?.clone();
            Some(NamedOrganisation { id, name })
        });
    }
    Ok(())
}

/// Each parent that the viewer may see is read once: siblings have but one.
fn name_parents(
    db: &dyn Session,
    viewer: Viewer,
    rows: &mut [ChildRow],
    roots: &Roots,
) -> Result<(), Error> {
    let mut query = Query::default();
    query.roots(roots);
    query.text(distinct(
        rows.iter().filter_map(|row| Some(row.project.parent?.0)),
    ));
    let visible = query.visible(viewer);
    let sql = format!(
        "SELECT p.id, p.title, p.is_program = 1 AND p.parent_id IS NULL FROM projects p
         WHERE p.id IN {IDS} /*! AND p.root_id IN ?roots */ AND {visible}"
    );
    let named = db.rows(&sql, &query.params(), |row| {
        Ok(ParentRow {
            id: ProjectId(row.int(0)?),
            title: row.string(1)?,
            leads_hierarchy: row.flag(2)?,
        })
    })?;
    let named: HashMap<ProjectId, ParentRow> = named.into_iter().map(|row| (row.id, row)).collect();
    for row in rows {
        row.parent = row.project.parent.and_then(|id| named.get(&id).cloned());
    }
    Ok(())
}

/// The ids, each once, as one parameter.
fn distinct(ids: impl Iterator<Item = i64>) -> String {
    let ids: BTreeSet<i64> = ids.collect();
    id_list(ids.into_iter())
}
