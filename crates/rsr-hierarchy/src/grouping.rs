//! Putting descendants that come in any order into the lists of their parents.

use std::collections::{HashMap, HashSet};

use rsr_base::ProjectId;

/// Descendants by parent, in the order received (rules 27, 28). Filled chunk by chunk it is the same as filled at once,
/// also where a parent comes after its child.
///
/// Holds everything that was put in, so it is for what is bounded already; the stream of an answer needs none of it.
///
/// ```
/// use rsr_base::ProjectId;
/// use rsr_hierarchy::Grouping;
///
/// let mut grouping = Grouping::below(ProjectId(1));
/// grouping.add(ProjectId(3), Some(ProjectId(2)), "grandchild");
/// grouping.add(ProjectId(2), Some(ProjectId(1)), "child");
/// grouping.add(ProjectId(9), None, "a root belongs to nobody");
/// assert_eq!(grouping.children_of(ProjectId(1)), [(ProjectId(2), "child")]);
/// let depths: Vec<_> = grouping.shown().map(|(depth, id, _)| (depth, id.0)).collect();
/// assert_eq!(depths, [(1, 2), (2, 3)]);
/// ```
#[derive(Clone, Debug)]
pub struct Grouping<T> {
    node: ProjectId,
    lists: HashMap<ProjectId, Vec<(ProjectId, T)>>,
    seen: HashSet<ProjectId>,
}

impl<T> Grouping<T> {
    /// An empty grouping of what lies below `node`.
    #[must_use]
    pub fn below(node: ProjectId) -> Self {
        Self {
            node,
            lists: HashMap::new(),
            seen: HashSet::new(),
        }
    }

    /// Puts a descendant into its parent's list. A root, the node itself, and an id that came before are left
    /// out; so nothing is shown twice and no list leads in a circle.
    pub fn add(&mut self, id: ProjectId, parent: Option<ProjectId>, value: T) {
        if let Some(parent) = parent
            && id != self.node
            && self.seen.insert(id)
        {
            self.lists.entry(parent).or_default().push((id, value));
        }
    }

    /// The children of a node in the order received, whether the node itself is shown or not.
    #[must_use]
    pub fn children_of(&self, parent: ProjectId) -> &[(ProjectId, T)] {
        self.lists.get(&parent).map_or(&[], Vec::as_slice)
    }

    /// What is shown, depth first, with its level: everything that hangs on the node by links that are all here. What
    /// hangs on something that never came is left out.
    pub fn shown(&self) -> impl Iterator<Item = (usize, ProjectId, &T)> {
        let mut open = vec![self.children_of(self.node).iter()];
        std::iter::from_fn(move || {
            loop {
                let depth = open.len();
                match open.last_mut()?.next() {
                    Some((id, value)) => {
                        open.push(self.children_of(*id).iter());
                        return Some((depth, *id, value));
                    }
                    None => {
                        open.pop();
                    }
                }
            }
        })
    }
}
