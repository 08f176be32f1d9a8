//! Giving a node another parent.

use rsr_base::ProjectId;

use crate::{Ancestors, ClimbError, Parent, ParentSource};

/// Why a move was refused. What the source failed with is [`MoveError::Source`]; the rest is for the person who asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError<E> {
    /// One of the two is not stored (404).
    #[error("project {0} is not known")]
    Unknown(ProjectId),
    /// The new parent is the node itself (409).
    #[error("same node: project {0} cannot be its own parent")]
    SameNode(ProjectId),
    /// The new parent is the present one already (409).
    #[error("same parent: project {0} has this parent already")]
    SameParent(ProjectId),
    /// The new parent lies below the node (409).
    #[error("would break the tree: project {parent} lies below project {node}")]
    WouldBreakTree {
        /// What was to be moved.
        node: ProjectId,
        /// What it was to be moved under.
        parent: ProjectId,
    },
    /// The node holds results inherited from its present parent, and the move was not forced (409).
    #[error(
        "project {0} has results inherited from its present parent; force the move to keep them apart"
    )]
    HasInheritedResults(ProjectId),
    /// The links above the new parent lead in a circle already (409).
    #[error("project {0} is its own ancestor; mend that first")]
    Broken(ProjectId),
    /// The source failed.
    #[error("the hierarchy could not be read")]
    Source(#[source] E),
}

/// What a move needs to know beyond the links.
pub trait MoveSource: ParentSource {
    /// Whether the node has results whose originals are in its present parent.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn has_inherited_results(&mut self, node: ProjectId) -> Result<bool, Self::Error>;
}

/// Looks whether `node` may be put under `parent` (rule 4); gives its present parent, `None` for a root. Read it in the
/// transaction that moves, under the lock that keeps two moves of a tree apart.
///
/// # Errors
///
/// [`MoveError`], the first that applies, in the order of its variants.
pub fn check_move<S: MoveSource>(
    source: &mut S,
    node: ProjectId,
    parent: ProjectId,
    force: bool,
) -> Result<Option<ProjectId>, MoveError<S::Error>> {
    let present = match source.parent(node).map_err(MoveError::Source)? {
        Parent::Unknown => return Err(MoveError::Unknown(node)),
        Parent::Root => None,
        Parent::Node(present) => Some(present),
    };
    if source.parent(parent).map_err(MoveError::Source)? == Parent::Unknown {
        return Err(MoveError::Unknown(parent));
    }
    if node == parent {
        return Err(MoveError::SameNode(node));
    }
    if present == Some(parent) {
        return Err(MoveError::SameParent(node));
    }
    let above = Ancestors::of(source, parent).map_err(as_move_error)?;
    for ancestor in above {
        if ancestor.map_err(as_move_error)? == node {
            return Err(MoveError::WouldBreakTree { node, parent });
        }
    }
    let is_bound = !force
        && present.is_some()
        && source
            .has_inherited_results(node)
            .map_err(MoveError::Source)?;
    if is_bound {
        return Err(MoveError::HasInheritedResults(node));
    }
    Ok(present)
}

fn as_move_error<E>(error: ClimbError<E>) -> MoveError<E> {
    match error {
        ClimbError::Unknown(id) => MoveError::Unknown(id),
        ClimbError::Cycle(id) => MoveError::Broken(id),
        ClimbError::Source(error) => MoveError::Source(error),
    }
}
