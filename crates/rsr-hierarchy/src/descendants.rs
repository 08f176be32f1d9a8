//! Everything below a project, as a stream.

use std::num::NonZeroU32;

use rsr_base::ProjectId;

use crate::{BranchNode, Limits, Node, NodeSource, OpenError, Scope, Waypoint};

/// All descendants of a project, parents before children, children newest id first, each with its depth and parent
/// (rule 29). Holds one chunk at any size and depth. An iterator that ends after an error.
#[derive(Debug)]
pub struct Descendants<'a, S: NodeSource> {
    source: &'a mut S,
    scope: Scope<'a>,
    of: [ProjectId; 1],
    depth_max: Option<NonZeroU32>,
    chunk_size: usize,
    state: State<S::Resume>,
    chunk: std::vec::IntoIter<BranchNode<S::Row>>,
}

#[derive(Debug)]
enum State<R> {
    Start,
    After(R),
    End,
}

impl<'a, S: NodeSource> Descendants<'a, S> {
    /// Reads nothing but whether the project exists. `depth_max` of `None` means all levels.
    ///
    /// # Errors
    ///
    /// [`OpenError::UnknownProject`] where the viewer may not know of it, else the source's error.
    pub fn open(
        source: &'a mut S,
        scope: Scope<'a>,
        project: ProjectId,
        depth_max: Option<NonZeroU32>,
        limits: &Limits,
    ) -> Result<Self, OpenError<S::Error>> {
        if !source.is_visible(project, scope.viewer)? {
            return Err(OpenError::UnknownProject(project));
        }
        Ok(Self {
            source,
            scope,
            of: [project],
            depth_max,
            chunk_size: limits.chunk_size.get(),
            state: State::Start,
            chunk: Vec::new().into_iter(),
        })
    }

    /// As [`Descendants::open`], from behind a node that an earlier stream of the same project ended with. What was
    /// stored, moved or removed meanwhile is there or not; nothing else is missing or comes twice.
    ///
    /// # Errors
    ///
    /// Those of [`Descendants::open`], and [`OpenError::Moved`].
    pub fn open_after(
        source: &'a mut S,
        scope: Scope<'a>,
        project: ProjectId,
        depth_max: Option<NonZeroU32>,
        limits: &Limits,
        last: &Waypoint,
    ) -> Result<Self, OpenError<S::Error>> {
        let mut all = Self::open(source, scope, project, depth_max, limits)?;
        let resume = all.source.resume_after(&scope, project, last)?;
        all.state = State::After(resume.ok_or(OpenError::Moved(last.parent))?);
        Ok(all)
    }

    /// Nodes that can be taken before the source is asked again.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.chunk.len()
    }

    fn step(&mut self) -> Result<Option<Node<S::Row>>, S::Error> {
        loop {
            if let Some(next) = self.chunk.next() {
                return Ok(Some(next.node));
            }
            let resume = match std::mem::replace(&mut self.state, State::End) {
                State::Start => None,
                State::After(resume) => Some(resume),
                State::End => return Ok(None),
            };
            let mut nodes = Vec::new();
            let resume = self.source.branches(
                &self.scope,
                &self.of,
                self.depth_max,
                resume,
                self.chunk_size,
                &mut nodes,
            )?;
            self.state = resume.map_or(State::End, State::After);
            self.chunk = nodes.into_iter();
        }
    }
}

impl<S: NodeSource> Iterator for Descendants<'_, S> {
    type Item = Result<Node<S::Row>, S::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
