//! A project by itself.

use serde::Serialize;

use super::element::status;

/// A project's own fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of a project, each a field of the JSON"
)]
pub(crate) struct Project {
    id: i64,
    uuid: String,
    parent: Option<i64>,
    iati_identifier: Option<String>,
    title: String,
    subtitle: String,
    activity_status: String,
    planned_start: Option<String>,
    planned_end: Option<String>,
    actual_start: Option<String>,
    actual_end: Option<String>,
    status: &'static str,
    is_public: bool,
    is_program: bool,
    use_project_roles: bool,
    aggregate_to_parent: bool,
    aggregate_children: bool,
    primary_organisation: Option<i64>,
    reporting_org: Option<String>,
    default_currency: String,
}

impl From<rsr_store::Project> for Project {
    fn from(project: rsr_store::Project) -> Self {
        Self {
            id: project.id.0,
            uuid: project.uuid.hyphenated().to_string(),
            parent: project.parent.map(|parent| parent.0),
            iati_identifier: project.iati_identifier,
            title: project.title,
            subtitle: project.subtitle,
            activity_status: project.activity_status,
            planned_start: project.planned_start,
            planned_end: project.planned_end,
            actual_start: project.actual_start,
            actual_end: project.actual_end,
            status: status(project.is_published),
            is_public: project.is_public,
            is_program: project.is_program,
            use_project_roles: project.use_project_roles,
            aggregate_to_parent: project.aggregate_to_parent,
            aggregate_children: project.aggregate_children,
            primary_organisation: project.organisation.map(|organisation| organisation.0),
            reporting_org: project.reporting_ref,
            default_currency: project.default_currency,
        }
    }
}
