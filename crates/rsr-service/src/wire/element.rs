//! A project as lists show it.

use rsr_hierarchy::Node;
use rsr_store::{ChildRow, NamedOrganisation, ParentRow, RoleRow, SectorRow};
use serde::Serialize;

/// One element of a list of projects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent flags of a project, each a field of the JSON"
)]
pub(crate) struct Element {
    id: i64,
    title: String,
    subtitle: String,
    planned_start: Option<String>,
    planned_end: Option<String>,
    actual_start: Option<String>,
    actual_end: Option<String>,
    status: &'static str,
    is_public: bool,
    sectors: Vec<Sector>,
    countries: Vec<String>,
    recipient_countries: Vec<String>,
    primary_organisation: Option<Organisation>,
    roles: Vec<Role>,
    use_project_roles: bool,
    is_program: bool,
    parent: Option<Parent>,
    editable: bool,
    restricted: bool,
    children_count: u64,
}

/// The word for whether a project is published; a filter knows the same two.
pub(super) const fn status(is_published: bool) -> &'static str {
    if is_published {
        "published"
    } else {
        "unpublished"
    }
}

impl From<Node<ChildRow>> for Element {
    fn from(node: Node<ChildRow>) -> Self {
        Self::from((node.row, node.children_count))
    }
}

/// A row, and the number of its direct children.
impl From<(ChildRow, u64)> for Element {
    fn from((row, children_count): (ChildRow, u64)) -> Self {
        let project = row.project;
        Self {
            id: project.id.0,
            title: project.title,
            subtitle: project.subtitle,
            planned_start: project.planned_start,
            planned_end: project.planned_end,
            actual_start: project.actual_start,
            actual_end: project.actual_end,
            status: status(project.is_published),
            is_public: project.is_public,
            sectors: row.sectors.into_iter().map(Sector::from).collect(),
            countries: row.countries,
            recipient_countries: row.recipient_countries,
            primary_organisation: row.organisation.map(Organisation::from),
            roles: row.roles.into_iter().map(Role::from).collect(),
            use_project_roles: project.use_project_roles,
            is_program: project.is_program,
            parent: row.parent.map(Parent::from),
            editable: row.is_editable,
            restricted: row.is_restricted,
            children_count,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Sector {
    vocabulary: String,
    code: String,
    name: String,
    percentage: Option<String>,
}

impl From<SectorRow> for Sector {
    fn from(row: SectorRow) -> Self {
        Self {
            vocabulary: row.vocabulary,
            code: row.code,
            name: row.name,
            percentage: row.percentage,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Organisation {
    id: i64,
    name: String,
}

impl From<NamedOrganisation> for Organisation {
    fn from(row: NamedOrganisation) -> Self {
        Self {
            id: row.id.0,
            name: row.name,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Role {
    user: i64,
    name: String,
    role: &'static str,
}

impl From<RoleRow> for Role {
    fn from(row: RoleRow) -> Self {
        Self {
            user: row.user.0,
            name: row.name,
            role: row.role.code(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Parent {
    id: i64,
    title: String,
    /// Whether it leads a hierarchy: a root with a program record.
    is_lead: bool,
}

impl From<ParentRow> for Parent {
    fn from(row: ParentRow) -> Self {
        Self {
            id: row.id.0,
            title: row.title,
            is_lead: row.leads_hierarchy,
        }
    }
}
