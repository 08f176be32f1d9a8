//! People, and what they may do.

use rsr_base::{OrganisationId, ProjectId, UserId};

/// What a user may do in a project and all below it, or in all projects of an organisation. Each includes the ones
/// before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// See it.
    Viewer,
    /// Report updates.
    Reporter,
    /// Change it and approve updates.
    Editor,
    /// Everything, deleting it included.
    Admin,
}

/// What a role is given in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grant {
    /// A project, with all below it.
    Project(ProjectId),
    /// The projects of an organisation that have no roles of their own.
    Organisation(OrganisationId),
}

/// A stored user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserRow {
    /// Names the user.
    pub id: UserId,
    /// What people call them.
    pub name: String,
    /// Their address.
    pub email: Option<String>,
    /// Whether they see and may change everything.
    pub is_admin: bool,
    /// Whether they have access: it was not taken away.
    pub is_active: bool,
    /// When they were stored.
    pub created_ms: i64,
    /// What they may do, and in what.
    pub roles: Vec<(Grant, Role)>,
}

impl Role {
    const ALL: [Self; 4] = [Self::Viewer, Self::Reporter, Self::Editor, Self::Admin];

    /// The word that stands for it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Editor => "editor",
            Self::Reporter => "reporter",
            Self::Viewer => "viewer",
        }
    }

    /// The role a word stands for.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }

    /// Whether it allows to change the project.
    #[must_use]
    pub const fn may_edit(self) -> bool {
        matches!(self, Self::Admin | Self::Editor)
    }

    /// Whether it allows to report on the project.
    #[must_use]
    pub const fn may_report(self) -> bool {
        !matches!(self, Self::Viewer)
    }
}
