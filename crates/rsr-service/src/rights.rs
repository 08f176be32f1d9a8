//! What a caller may do in a project, as the database says at that moment: nothing about it is kept.

use rsr_base::{ProjectId, UpdateId};
use rsr_hierarchy::Viewer;
use rsr_store::{Error, Role, Snapshot, UpdateStatus};

use crate::access::{self, Caller};
use crate::problem::{Kind, Problem};
use crate::target::Target;

/// What a change needs in the projects it touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Reporting on a project.
    Report,
    /// Changing a project, its results and the approval of reports.
    Edit,
    /// Deleting a project.
    Own,
}

impl Right {
    const fn is_in(self, role: Role) -> bool {
        match self {
            Self::Report => role.may_report(),
            Self::Edit => role.may_edit(),
            Self::Own => matches!(role, Role::Admin),
        }
    }

    const fn named(self) -> &'static str {
        match self {
            Self::Report => "reporter",
            Self::Edit => "editor",
            Self::Own => "admin",
        }
    }
}

/// Refuses a caller who lacks the right in one of the targets. What they may not see is not there for them; a target that
/// is not stored is left to the change itself, which says so. Where there is none, the change is an administrator's.
pub(crate) fn require(
    snapshot: &Snapshot,
    caller: &Caller,
    right: Right,
    targets: &[Target],
) -> Result<(), Problem> {
    if let Caller::Holder(holder) = caller
        && !snapshot.still_holds(holder)?
    {
        return Err(access::no_valid_token());
    }
    if caller.viewer() == Viewer::Administrator {
        return Ok(());
    }
    if targets.is_empty() {
        return Err(Problem::new(
            Kind::Forbidden,
            "a project without one above it is made by administrators alone",
        ));
    }
    for target in targets {
        let project = match target.project(snapshot) {
            Err(Error::NotFound { .. }) => continue,
            found => found?,
        };
        let Some(role) = role(snapshot, caller, project)? else {
            if snapshot.may_see(project, caller.viewer())? {
                return Err(lacking(right));
            }
            let (kind, id) = target.named();
            return Err(Problem::not_found(kind, id));
        };
        if !right.is_in(role) {
            return Err(lacking(right));
        }
    }
    Ok(())
}

/// Refuses a change of a report to one who reports: others' reports, and what is approved, are their editors'.
pub(crate) fn require_own_report(
    snapshot: &Snapshot,
    caller: &Caller,
    update: UpdateId,
) -> Result<(), Problem> {
    let Viewer::User(user) = caller.viewer() else {
        return Ok(());
    };
    let stored = snapshot.update(update)?;
    let is_own = stored.user == user && stored.status != UpdateStatus::Approved;
    if is_own {
        return Ok(());
    }
    require(snapshot, caller, Right::Edit, &[Target::Update(update)])
}

fn role(snapshot: &Snapshot, caller: &Caller, project: ProjectId) -> Result<Option<Role>, Problem> {
    match caller.viewer() {
        Viewer::User(user) => Ok(snapshot.role_in(project, user)?),
        Viewer::Administrator => Ok(Some(Role::Admin)),
        Viewer::Anonymous => Ok(None),
    }
}

fn lacking(right: Right) -> Problem {
    Problem::new(
        Kind::Forbidden,
        format!(
            "this needs the role {} in the project or one above it",
            right.named()
        ),
    )
}
