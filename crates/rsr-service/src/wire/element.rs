//! A project as lists show it.

use serde::Serialize;

/// One element of a list of projects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Element {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) subtitle: String,
    pub(crate) planned_start: Option<String>,
    pub(crate) planned_end: Option<String>,
    pub(crate) actual_start: Option<String>,
    pub(crate) actual_end: Option<String>,
    pub(crate) status: &'static str,
    pub(crate) is_public: bool,
    pub(crate) sectors: Vec<Sector>,
    pub(crate) countries: Vec<String>,
    pub(crate) recipient_countries: Vec<String>,
    pub(crate) primary_organisation: Option<Organisation>,
    pub(crate) roles: Vec<String>,
    pub(crate) use_project_roles: bool,
    pub(crate) is_program: bool,
    pub(crate) parent: Option<ParentElement>,
    pub(crate) editable: bool,
    pub(crate) restricted: bool,
    pub(crate) children_count: u64,
}

/// A sector, by its code in a vocabulary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Sector {
    pub(crate) vocabulary: String,
    pub(crate) code: String,
    pub(crate) name: String,
}

/// An organisation, shown short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Organisation {
    pub(crate) id: i64,
    pub(crate) name: String,
}

/// The parent of an element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ParentElement {
    pub(crate) id: i64,
    pub(crate) title: String,
    /// Whether it leads a hierarchy: a root with a program record.
    pub(crate) is_lead: bool,
}
