//! What people may do.

/// What a user may do in a project, or in all projects of an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything, access included.
    Admin,
    /// Change it and approve updates.
    Editor,
    /// Report updates.
    Reporter,
    /// See it.
    Viewer,
}

impl Role {
    const ALL: [Self; 4] = [Self::Admin, Self::Editor, Self::Reporter, Self::Viewer];

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
}
