//! A project's own columns.

use rsr_base::{OrganisationId, ProjectId};
use uuid::Uuid;

use crate::error::Error;
use crate::sql::Row;

/// A stored project.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of a project, each a column"
)]
pub struct Project {
    /// Never changes, and is never used again.
    pub id: ProjectId,
    /// Never changes.
    pub uuid: Uuid,
    /// The project above; it may name one that is not stored.
    pub parent: Option<ProjectId>,
    /// The IATI identifier; unique.
    pub iati_identifier: Option<String>,
    /// The title, empty where there is none.
    pub title: String,
    /// The subtitle, empty where there is none.
    pub subtitle: String,
    /// The code of the IATI activity status, empty where there is none.
    pub activity_status: String,
    /// When it was planned to start.
    pub planned_start: Option<String>,
    /// When it was planned to end.
    pub planned_end: Option<String>,
    /// When it started.
    pub actual_start: Option<String>,
    /// When it ended.
    pub actual_end: Option<String>,
    /// Whether it is published.
    pub is_published: bool,
    /// Whether everybody may see it once published.
    pub is_public: bool,
    /// Whether it has a program record.
    pub is_program: bool,
    /// Whether access goes by roles in the project.
    pub use_project_roles: bool,
    /// Whether its results count in its parent.
    pub aggregate_to_parent: bool,
    /// Whether its children's results count in it.
    pub aggregate_children: bool,
    /// The primary organisation.
    pub organisation: Option<OrganisationId>,
    /// The reporting organisation's reference.
    pub reporting_ref: Option<String>,
    /// Currency of amounts that name none.
    pub default_currency: String,
    /// `last-updated-datetime` as it was imported.
    pub last_updated: Option<String>,
    /// When it was stored.
    pub created_ms: i64,
    /// When it was last changed.
    pub changed_ms: i64,
}

impl Project {
    pub(crate) const COLUMNS: &'static str = "p.id, p.uuid, p.parent_id, p.iati_identifier, p.title, p.subtitle, \
         p.activity_status, p.planned_start, p.planned_end, p.actual_start, p.actual_end, p.is_published, \
         p.is_public, p.is_program, p.use_project_roles, p.aggregate_to_parent, p.aggregate_children, \
         p.organisation_id, p.reporting_ref, p.default_currency, p.last_updated, p.created_ms, p.changed_ms";
    /// How many these are: the column from which on a statement has others.
    pub(crate) const N_COLUMNS: usize = 23;

    pub(crate) fn read(row: &dyn Row) -> Result<Self, Error> {
        let id = row.int(0)?;
        let uuid = row.opt_blob(1)?.unwrap_or_default();
        Ok(Self {
            id: ProjectId(id),
            uuid: Uuid::from_slice(uuid).map_err(|error| Error::BadRow {
                what: "projects.uuid",
                id,
                found: error.to_string(),
            })?,
            parent: row.opt_int(2)?.map(ProjectId),
            iati_identifier: row.opt_string(3)?,
            title: row.string(4)?,
            subtitle: row.string(5)?,
            activity_status: row.string(6)?,
            planned_start: row.opt_string(7)?,
            planned_end: row.opt_string(8)?,
            actual_start: row.opt_string(9)?,
            actual_end: row.opt_string(10)?,
            is_published: row.flag(11)?,
            is_public: row.flag(12)?,
            is_program: row.flag(13)?,
            use_project_roles: row.flag(14)?,
            aggregate_to_parent: row.flag(15)?,
            aggregate_children: row.flag(16)?,
            organisation: row.opt_int(17)?.map(OrganisationId),
            reporting_ref: row.opt_string(18)?,
            default_currency: row.string(19)?,
            last_updated: row.opt_string(20)?,
            created_ms: row.int(21)?,
            changed_ms: row.int(22)?,
        })
    }
}

/// A project to store. Its IATI elements are added one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of a project, each a column"
)]
pub struct NewProject {
    /// The project above.
    pub parent: Option<ProjectId>,
    /// A uuid of the caller's, or a random one.
    pub uuid: Option<Uuid>,
    /// The IATI identifier.
    pub iati_identifier: Option<String>,
    /// The title.
    pub title: String,
    /// The subtitle.
    pub subtitle: String,
    /// Whether it is published.
    pub is_published: bool,
    /// Whether it is hidden from everybody without a role.
    pub is_private: bool,
    /// Whether it has a program record.
    pub is_program: bool,
    /// Whether access goes by roles in the project.
    pub use_project_roles: bool,
    /// The primary organisation.
    pub organisation: Option<OrganisationId>,
    /// Currency of amounts that name none.
    pub default_currency: String,
}

/// What to change of a project; `None` leaves a column as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectEdit {
    /// The title.
    pub title: Option<String>,
    /// The subtitle.
    pub subtitle: Option<String>,
    /// Whether it is published.
    pub is_published: Option<bool>,
    /// Whether everybody may see it once published.
    pub is_public: Option<bool>,
    /// Whether it has a program record.
    pub is_program: Option<bool>,
    /// Whether access goes by roles in the project.
    pub use_project_roles: Option<bool>,
    /// Whether its results count in its parent. A change queues what it touches.
    pub aggregate_to_parent: Option<bool>,
    /// Whether its children's results count in it. A change queues what it touches.
    pub aggregate_children: Option<bool>,
    /// The primary organisation.
    pub organisation: Option<OrganisationId>,
}
