//! What a store must be able to answer, so that everything else here works on it.

use std::num::NonZeroU32;

use rsr_base::ProjectId;

use crate::{ChildrenRequest, Filter, Key, Sort, Viewer};

/// What of the tree exists for one question: who asks, narrowed to what, in which order.
///
/// A node that the viewer may not see or the filter does not let pass does not exist, and nothing below it does
/// (rule 28); this holds for every method that takes a scope, and for every count.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'r> {
    /// Who asks.
    pub viewer: Viewer,
    /// What it is narrowed to.
    pub filter: &'r Filter,
    /// The order of children at level 1.
    pub sort: Sort,
}

impl<'r> From<&'r ChildrenRequest> for Scope<'r> {
    fn from(request: &'r ChildrenRequest) -> Self {
        Self {
            viewer: request.viewer,
            filter: &request.filter,
            sort: request.sort,
        }
    }
}

/// One node of an answer, with the row that the source filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node<R> {
    /// The node.
    pub id: ProjectId,
    /// Its parent.
    pub parent: ProjectId,
    /// Levels below the node asked about: its children are 1.
    pub depth: u32,
    /// Direct children of this node in the same scope, also at the last level.
    pub children_count: u64,
    /// Everything else that is shown of it.
    pub row: R,
}

/// A node of a branch, and which of the branches asked for it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchNode<R> {
    /// Which of the nodes asked about it lies below: an index into them.
    pub nth: usize,
    /// The node; its depth counts from the node asked about, whose children are 1.
    pub node: Node<R>,
}

/// A node of a stream by which the stream can be gone on from later, in another snapshot.
///
/// The parent is part of it, so that there is a way on where the node itself has been removed or moved meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Waypoint {
    /// The node.
    pub id: ProjectId,
    /// Its parent at that time.
    pub parent: ProjectId,
}

/// One snapshot of the tree. Everything one answer needs is read through one value of this (rule 22).
///
/// Every method reads by key, never by offset, and makes a fixed number of queries whatever the number of rows: what a
/// row shows of other tables is read by the chunk's ids (rules 21, 24).
pub trait NodeSource {
    /// What is shown of a node beyond its place in the tree.
    type Row;
    /// Why a read failed.
    type Error;
    /// Where [`NodeSource::branches`] stopped; whatever the source needs to go on.
    type Resume;

    /// Whether the project exists for this viewer. The filter does not apply to the node asked about.
    ///
    /// # Errors
    ///
    /// Where the read fails; so in every method here.
    fn is_visible(&mut self, project: ProjectId, viewer: Viewer) -> Result<bool, Self::Error>;

    /// Descendants of the project at levels 1 to `depth_max` (`None`: all), counted to `at_most` and no further.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn count_descendants(
        &mut self,
        scope: &Scope<'_>,
        project: ProjectId,
        depth_max: Option<NonZeroU32>,
        at_most: u64,
    ) -> Result<u64, Self::Error>;

    /// Keys of the children of `parent` after `after`, in the scope's order, `n` at most; fewer only where the children
    /// end. Appends to `keys`.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn child_keys(
        &mut self,
        scope: &Scope<'_>,
        parent: ProjectId,
        after: Option<&Key>,
        n: usize,
        keys: &mut Vec<Key>,
    ) -> Result<(), Self::Error>;

    /// Descendants of all these nodes together, at levels 1 to `depth_max` below each; the nodes themselves do not
    /// count. They are siblings that came from [`NodeSource::child_keys`], never more than a chunk.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn count_below(
        &mut self,
        scope: &Scope<'_>,
        nodes: &[Key],
        depth_max: NonZeroU32,
    ) -> Result<u64, Self::Error>;

    /// The children of `parent` after `after`, in the scope's order, `n` at most, with depth 1, counts and rows; fewer
    /// only where the children end. Appends to `nodes`; gives the key of the last one, `None` where there was none.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn children(
        &mut self,
        scope: &Scope<'_>,
        parent: ProjectId,
        after: Option<&Key>,
        n: usize,
        nodes: &mut Vec<Node<Self::Row>>,
    ) -> Result<Option<Key>, Self::Error>;

    /// What lies below these nodes at levels 1 to `depth_max` (`None`: all): the branches in the order of `of`, each
    /// depth first, parents before children, children newest id first; `n` nodes at most. Appends to `nodes`; gives
    /// where to go on, `None` where all has been read. The nodes of `of` are themselves left out, exist in the scope, and are never
    /// more than a chunk. A `resume` comes from a call with the same scope, `of` and `depth_max`.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn branches(
        &mut self,
        scope: &Scope<'_>,
        of: &[ProjectId],
        depth_max: Option<NonZeroU32>,
        resume: Option<Self::Resume>,
        n: usize,
        nodes: &mut Vec<BranchNode<Self::Row>>,
    ) -> Result<Option<Self::Resume>, Self::Error>;

    /// Where the branch of `top` goes on after a node that an earlier snapshot ended with: behind the node where it is
    /// still below that parent, else before the parent's next older child; behind whatever above it no longer exists in
    /// the scope. `None` where the parent is not below `top` any more.
    ///
    /// The provided method finds none: streams of the source cannot be gone on with.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn resume_after(
        &mut self,
        scope: &Scope<'_>,
        top: ProjectId,
        last: &Waypoint,
    ) -> Result<Option<Self::Resume>, Self::Error> {
        let _nothing_is_read = (scope, top, last);
        Ok(None)
    }
}

/// What the parent of a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parent {
    /// There is no such node.
    Unknown,
    /// The node is a root.
    Root,
    /// The node's parent. It may itself be unknown where data is broken.
    Node(ProjectId),
}

/// Parent links as they are stored, broken ones included.
pub trait ParentSource {
    /// Why a read failed.
    type Error;

    /// The parent of one node.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn parent(&mut self, node: ProjectId) -> Result<Parent, Self::Error>;

    /// The next ancestors of `node`, nearest first, `n` at most; fewer only where they end, at a root or at a parent
    /// that is not stored. Appends to `ancestors` ids that are stored. A cycle may repeat ids; the caller finds it.
    ///
    /// The provided method asks for one parent after the other; a source that can follow links in one query should.
    ///
    /// # Errors
    ///
    /// Where the read fails.
    fn ancestors(
        &mut self,
        node: ProjectId,
        n: usize,
        ancestors: &mut Vec<ProjectId>,
    ) -> Result<(), Self::Error> {
        let mut at = self.parent(node)?;
        for _ in 0..n {
            let Parent::Node(parent) = at else { break };
            at = self.parent(parent)?;
            if at == Parent::Unknown {
                break;
            }
            ancestors.push(parent);
        }
        Ok(())
    }
}
