//! The way up from a node, and what stops it.

use rsr_base::ProjectId;

use crate::{Parent, ParentSource};

/// Why a way up did not end at a root.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClimbError<E> {
    /// The node asked about is not stored.
    #[error("project {0} is not known")]
    Unknown(ProjectId),
    /// The parent links above the node lead in a circle through this node.
    #[error("project {0} is its own ancestor")]
    Cycle(ProjectId),
    /// The source failed.
    #[error("the hierarchy could not be read")]
    Source(#[from] E),
}

/// The ancestors of a node, nearest first, without itself. An iterator that ends after an error.
///
/// Holds one chunk of ids at any depth. A cycle is found after at most three rounds of it, in constant memory, so some
/// ids may come more than once before the error; nothing loops for ever.
#[derive(Debug)]
pub struct Ancestors<'a, S> {
    source: &'a mut S,
    at: Option<ProjectId>,
    chunk: std::vec::IntoIter<ProjectId>,
    chunk_size: usize,
    is_last_chunk: bool,
    /// Brent's tortoise: an earlier node, renewed whenever the number of steps doubles.
    mark: ProjectId,
    steps: u64,
    renew_at: u64,
}

impl<'a, S: ParentSource> Ancestors<'a, S> {
    /// Ids that are read at a time.
    const CHUNK: usize = 256;

    /// The way up from a node.
    ///
    /// # Errors
    ///
    /// [`ClimbError::Unknown`] where there is no such node, else the source's error.
    pub fn of(source: &'a mut S, node: ProjectId) -> Result<Self, ClimbError<S::Error>> {
        if source.parent(node)? == Parent::Unknown {
            return Err(ClimbError::Unknown(node));
        }
        Ok(Self {
            source,
            at: Some(node),
            chunk: Vec::new().into_iter(),
            // Most trees are shallow; a deep one is read in growing steps.
            chunk_size: 8,
            is_last_chunk: false,
            mark: node,
            steps: 0,
            renew_at: 1,
        })
    }

    fn step(&mut self) -> Result<Option<ProjectId>, ClimbError<S::Error>> {
        let Some(at) = self.at else { return Ok(None) };
        let next = match self.chunk.next() {
            Some(next) => next,
            None if self.is_last_chunk => return Ok(None),
            None => {
                let mut ids = Vec::with_capacity(self.chunk_size);
                self.source.ancestors(at, self.chunk_size, &mut ids)?;
                self.is_last_chunk = ids.len() < self.chunk_size;
                self.chunk_size = (self.chunk_size * 2).min(Self::CHUNK);
                self.chunk = ids.into_iter();
                match self.chunk.next() {
                    Some(next) => next,
                    None => return Ok(None),
                }
            }
        };
        if next == self.mark {
            return Err(ClimbError::Cycle(next));
        }
        self.steps += 1;
        if self.steps == self.renew_at {
            self.mark = next;
            self.renew_at *= 2;
        }
        self.at = Some(next);
        Ok(Some(next))
    }
}

impl<S: ParentSource> Iterator for Ancestors<'_, S> {
    type Item = Result<ProjectId, ClimbError<S::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.step();
        if !matches!(item, Ok(Some(_))) {
            self.at = None;
        }
        item.transpose()
    }
}

/// The root above a node: itself for a root.
///
/// # Errors
///
/// As [`Ancestors`].
pub fn root_of<S: ParentSource>(
    source: &mut S,
    node: ProjectId,
) -> Result<ProjectId, ClimbError<S::Error>> {
    Ancestors::of(source, node)?.last().unwrap_or(Ok(node))
}
