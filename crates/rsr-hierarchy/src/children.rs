//! The children of a project: the head of the answer first, then its elements, a chunk at a time.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use rsr_base::ProjectId;

use crate::{BranchNode, ChildrenRequest, CursorKey, Key, Limits, Node, NodeSource, Scope};

/// Whether more descendants exist than one answer's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// They all fit.
    Standard,
    /// There are more.
    Chunked,
}

impl Mode {
    /// The value of `X-Memory-Protection`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Chunked => "chunked",
        }
    }
}

/// What is known of an answer before its first byte; the headers of rule 15.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// `chunked` where the descendants to the request's depth, elements of other answers included, pass the setting;
    /// a smaller limit of the client does not matter here.
    pub mode: Mode,
    /// Descendants read for this answer: its elements and what lies below them to the request's depth.
    pub total_processed: u64,
    /// Elements of the top-level array.
    pub children_count: usize,
    /// The key of the last element, exactly where elements follow after it.
    pub next: Option<Key>,
}

impl Head {
    /// Whether elements follow after the last one of this answer.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.next.is_some()
    }

    /// The text that goes into the link to the next answer.
    #[must_use]
    pub fn next_cursor(&self, key: &CursorKey, request: &ChildrenRequest) -> Option<String> {
        self.next.as_ref().map(|last| key.seal(last, request))
    }
}

/// Why an answer could not be opened.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError<E> {
    /// The project does not exist for this viewer (404).
    #[error("project {0} is not known")]
    UnknownProject(ProjectId),
    /// What the stream was to go on from is not below the project any more (400): it must be read from its start.
    #[error("project {0} is not where the cursor left it")]
    Moved(ProjectId),
    /// The source failed.
    #[error("the hierarchy could not be read")]
    Source(#[from] E),
}

/// The elements of one answer, in order; with nested lists, each element is followed by its branch, depth first.
///
/// Holds one chunk of elements and one chunk of their branches, however many there are. An iterator: it reads when what
/// was read has been taken, so a consumer that sends each [`Children::buffered`] run before it goes on never
/// holds more. After an error it ends.
#[derive(Debug)]
pub struct Children<'a, S: NodeSource> {
    source: &'a mut S,
    request: &'a ChildrenRequest,
    chunk_size: usize,
    head: Head,
    /// Elements of this answer that are not read yet.
    remaining: usize,
    last: Option<Key>,
    elements: VecDeque<Node<S::Row>>,
    /// The elements of the present chunk, by the index that branches name, and how many of them were given.
    owners: Vec<ProjectId>,
    n_given: usize,
    branches: VecDeque<BranchNode<S::Row>>,
    /// `None` once the branches of the present chunk are all read.
    more_branches: Option<Start<S::Resume>>,
    /// Where rows are read into, kept for its room.
    element_buffer: Vec<Node<S::Row>>,
    branch_buffer: Vec<BranchNode<S::Row>>,
}

#[derive(Debug)]
enum Start<R> {
    First,
    After(R),
}

impl<'a, S: NodeSource> Children<'a, S> {
    /// Counts what the head needs, in chunks and through indexes alone: first all descendants to limit + 1; then, only
    /// where not all of them are shown, the keys of this answer's elements and what lies below those.
    ///
    /// # Errors
    ///
    /// [`OpenError::UnknownProject`] where the viewer may not know of it, else the source's error.
    pub fn open(
        source: &'a mut S,
        request: &'a ChildrenRequest,
        limits: &Limits,
    ) -> Result<Self, OpenError<S::Error>> {
        if !source.is_visible(request.project, request.viewer)? {
            return Err(OpenError::UnknownProject(request.project));
        }
        let head = read_head(source, request, limits)?;
        Ok(Self {
            source,
            request,
            chunk_size: limits.chunk_size.get(),
            remaining: head.children_count,
            head,
            last: request.after.clone(),
            elements: VecDeque::new(),
            owners: Vec::new(),
            n_given: 0,
            branches: VecDeque::new(),
            more_branches: None,
            element_buffer: Vec::new(),
            branch_buffer: Vec::new(),
        })
    }

    /// What the headers say.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Nodes that can be taken before the source is asked again. Zero: the next step may read, so send what you have.
    #[must_use]
    pub fn buffered(&self) -> usize {
        if !self.branches.is_empty() {
            self.branches.len()
        } else if self.more_branches.is_none() {
            self.elements.len()
        } else {
            0
        }
    }

    fn read_elements(&mut self) -> Result<(), S::Error> {
        let n = self.chunk_size.min(self.remaining);
        self.element_buffer.clear();
        let scope = Scope::from(self.request);
        let last = self.source.children(
            &scope,
            self.request.project,
            self.last.as_ref(),
            n,
            &mut self.element_buffer,
        )?;
        self.remaining = if self.element_buffer.len() < n {
            0
        } else {
            self.remaining - n
        };
        self.last = last;
        self.owners.clear();
        self.n_given = 0;
        let nested = self.request.nested && self.request.depth_max.get() > 1;
        if nested
            && self
                .element_buffer
                .iter()
                .any(|node| node.children_count > 0)
        {
            self.owners
                .extend(self.element_buffer.iter().map(|node| node.id));
            self.more_branches = Some(Start::First);
        }
        self.elements.extend(self.element_buffer.drain(..));
        Ok(())
    }

    fn read_branches(&mut self, start: Start<S::Resume>) -> Result<(), S::Error> {
        self.branch_buffer.clear();
        let resume = match start {
            Start::First => None,
            Start::After(resume) => Some(resume),
        };
        let depth_max = NonZeroU32::new(self.request.depth_max.get() - 1);
        let resume = self.source.branches(
            &Scope::from(self.request),
            &self.owners,
            depth_max,
            resume,
            self.chunk_size,
            &mut self.branch_buffer,
        )?;
        self.more_branches = resume.map(Start::After);
        self.branches.extend(self.branch_buffer.drain(..));
        Ok(())
    }

    fn step(&mut self) -> Result<Option<Node<S::Row>>, S::Error> {
        // What lies below the elements given so far comes before the next element.
        if self.n_given > 0 {
            while self.branches.is_empty()
                && let Some(start) = self.more_branches.take()
            {
                self.read_branches(start)?;
            }
            if let Some(next) = self.branches.pop_front_if(|b| b.nth < self.n_given) {
                let mut node = next.node;
                node.depth += 1;
                return Ok(Some(node));
            }
        }
        if self.elements.is_empty() && self.remaining > 0 {
            self.read_elements()?;
        }
        let node = self.elements.pop_front();
        if node.is_some() {
            self.n_given += 1;
        }
        Ok(node)
    }
}

impl<S: NodeSource> Iterator for Children<'_, S> {
    type Item = Result<Node<S::Row>, S::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.step();
        if item.is_err() {
            self.remaining = 0;
            self.more_branches = None;
            self.elements.clear();
            self.branches.clear();
        }
        item.transpose()
    }
}

fn read_head<S: NodeSource>(
    source: &mut S,
    request: &ChildrenRequest,
    limits: &Limits,
) -> Result<Head, S::Error> {
    let scope = Scope::from(request);
    let limit = limits.max_descendants_per_request.get();
    let page_size = request.page_size(limits).get();
    let counted = source.count_descendants(
        &scope,
        request.project,
        Some(request.depth_max),
        limit as u64 + 1,
    )?;
    let mode = if counted > limit as u64 {
        Mode::Chunked
    } else {
        Mode::Standard
    };
    // The client's own limit may cut what the setting lets pass, so both must hold.
    if mode == Mode::Standard && request.after.is_none() && counted <= page_size as u64 {
        let children = if request.depth_max.get() == 1 || counted == 0 {
            counted
        } else {
            source.count_descendants(&scope, request.project, Some(NonZeroU32::MIN), counted)?
        };
        return Ok(Head {
            mode,
            total_processed: counted,
            children_count: usize::try_from(children)
                .unwrap_or(page_size)
                .min(page_size),
            next: None,
        });
    }
    count_page(source, request, limits, mode)
}

/// Counts the elements of this answer and what lies below them, and looks whether one more follows.
fn count_page<S: NodeSource>(
    source: &mut S,
    request: &ChildrenRequest,
    limits: &Limits,
    mode: Mode,
) -> Result<Head, S::Error> {
    let scope = Scope::from(request);
    let page_size = request.page_size(limits).get();
    let chunk_size = limits.chunk_size.get();
    let below = NonZeroU32::new(request.depth_max.get() - 1);
    let mut keys = Vec::new();
    let mut last = request.after.clone();
    let mut children_count = 0;
    let mut total_processed = 0;
    let mut more = false;
    loop {
        let wanted = page_size - children_count;
        let n = wanted.saturating_add(1).min(chunk_size);
        keys.clear();
        source.child_keys(&scope, request.project, last.as_ref(), n, &mut keys)?;
        let ended = keys.len() < n;
        more = more || keys.len() > wanted;
        keys.truncate(wanted);
        children_count += keys.len();
        total_processed += keys.len() as u64;
        if let Some(depth_max) = below
            && !keys.is_empty()
        {
            total_processed += source.count_below(&scope, &keys, depth_max)?;
        }
        if let Some(key) = keys.pop() {
            last = Some(key);
        }
        if ended || more {
            break;
        }
    }
    Ok(Head {
        mode,
        total_processed,
        children_count,
        next: if more { last } else { None },
    })
}
