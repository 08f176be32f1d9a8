//! Totals that are kept up to date, change by change.

use std::collections::HashMap;
use std::hash::Hash;

use crate::tally::{Standing, Tally, contributes};
use crate::{Measure, Numbers, TooLarge, Total};

/// Marks the end of a list, and a root.
const NONE: u32 = u32::MAX;

/// By which rules a node of a [`Live`] adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A period of this measure.
    Period(Measure),
    /// A period's part for one dimension value: three sums side by side.
    Disaggregation,
}

impl Rule {
    fn takes(self, child: &Numbers) -> bool {
        match self {
            Self::Period(measure) => contributes(measure, child),
            Self::Disaggregation => !child.is_none(),
        }
    }
}

/// Why a change was refused. Nothing was changed, but for [`LiveError::TooLarge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// There is no such node, or parent.
    #[error("not known")]
    Unknown,
    /// There is such a node already.
    #[error("known already")]
    Known,
    /// The new parent is the node, or lies below it.
    #[error("would break the tree")]
    WouldBreakTree,
    /// There are 2^32 - 1 nodes.
    #[error("too many nodes")]
    TooMany,
    /// A sum left the range of 128 bits. Totals above the node may be stale: let go of the whole.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

#[derive(Clone, Debug)]
struct Node<I> {
    id: I,
    rule: Rule,
    parent: u32,
    is_open: bool,
    first_child: u32,
    next_sibling: u32,
    previous_sibling: u32,
    own: Numbers,
    has_updates: bool,
    manual: Option<Numbers>,
    /// What the children that contribute hold, and how many they are.
    children: Tally,
    n_contributors: u32,
    total: Total,
}

/// Periods, or disaggregations, with their totals at every moment. A changed own part, manual value or switch costs
/// O(depth), as does a move with all that is below; removing a node and changing its rule cost its children on top.
///
/// Every change gives the nodes whose totals it changed, lowest first. The totals are those of [`Rollup`](crate::Rollup)
/// and of single climbs, to the last digit.
///
/// ```
/// use rsr_aggregation::{Hundredths, Live, Measure, Numbers, Rule};
///
/// let mut live = Live::new();
/// live.insert("top", Rule::Period(Measure::Unit), None)?;
/// live.insert("leaf", Rule::Period(Measure::Unit), Some(("top", true)))?;
/// let two = Numbers::of_value(Hundredths::from_hundredths(200));
/// assert_eq!(live.set_own("leaf", true, two)?, ["leaf", "top"]);
/// assert_eq!(live.set_open("leaf", false)?, ["top"]);
/// assert_eq!(live.total("top").unwrap().numbers, Numbers::NONE);
/// # Ok::<(), rsr_aggregation::LiveError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Live<I> {
    slots: HashMap<I, u32>,
    nodes: Vec<Node<I>>,
}

impl<I> Default for Live<I> {
    fn default() -> Self {
        Self {
            slots: HashMap::new(),
            nodes: Vec::new(),
        }
    }
}

impl<I: Copy + Eq + Hash> Live<I> {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What stands at a node.
    #[must_use]
    pub fn total(&self, id: I) -> Option<&Total> {
        let slot = *self.slots.get(&id)?;
        Some(&self.nodes[slot as usize].total)
    }

    /// Adds a node without numbers, below a parent by an edge that is open or not, or as a root.
    ///
    /// # Errors
    ///
    /// [`LiveError::Known`], [`LiveError::Unknown`] for the parent, [`LiveError::TooMany`].
    pub fn insert(
        &mut self,
        id: I,
        rule: Rule,
        parent: Option<(I, bool)>,
    ) -> Result<(), LiveError> {
        if self.slots.contains_key(&id) {
            return Err(LiveError::Known);
        }
        let parent = self.resolve(parent)?;
        let slot = u32::try_from(self.nodes.len())
            .ok()
            .filter(|&slot| slot != NONE)
            .ok_or(LiveError::TooMany)?;
        self.nodes.push(Node {
            id,
            rule,
            parent: NONE,
            is_open: false,
            first_child: NONE,
            next_sibling: NONE,
            previous_sibling: NONE,
            own: Numbers::NONE,
            has_updates: false,
            manual: None,
            children: Tally::default(),
            n_contributors: 0,
            total: Total::default(),
        });
        self.slots.insert(id, slot);
        self.link(slot, parent);
        Ok(())
    }

    /// Sets a node's own part: the sums of its updates, and whether there are any.
    ///
    /// # Errors
    ///
    /// [`LiveError::Unknown`], [`LiveError::TooLarge`].
    pub fn set_own(
        &mut self,
        id: I,
        has_updates: bool,
        numbers: Numbers,
    ) -> Result<Vec<I>, LiveError> {
        let slot = self.slot(id)?;
        let node = &mut self.nodes[slot as usize];
        node.own = numbers;
        node.has_updates = has_updates;
        self.settle(slot)
    }

    /// Sets or takes away a node's manual value.
    ///
    /// # Errors
    ///
    /// [`LiveError::Unknown`], [`LiveError::TooLarge`].
    pub fn set_manual(&mut self, id: I, manual: Option<Numbers>) -> Result<Vec<I>, LiveError> {
        let slot = self.slot(id)?;
        self.nodes[slot as usize].manual = manual;
        self.settle(slot)
    }

    /// Opens or closes the edge to a node's parent; of no effect at a root.
    ///
    /// # Errors
    ///
    /// [`LiveError::Unknown`], [`LiveError::TooLarge`].
    pub fn set_open(&mut self, id: I, is_open: bool) -> Result<Vec<I>, LiveError> {
        let slot = self.slot(id)?;
        let node = &self.nodes[slot as usize];
        let (parent, was_open) = (node.parent, node.is_open);
        self.nodes[slot as usize].is_open = is_open;
        if parent == NONE || was_open == is_open {
            return Ok(Vec::new());
        }
        let numbers = self.nodes[slot as usize].total.numbers;
        let (old, new) = if is_open {
            (None, Some(numbers))
        } else {
            (Some(numbers), None)
        };
        self.exchange(parent, old, new)?;
        self.settle(parent)
    }

    /// Changes how a node adds up.
    ///
    /// # Errors
    ///
    /// [`LiveError::Unknown`], [`LiveError::TooLarge`].
    pub fn set_rule(&mut self, id: I, rule: Rule) -> Result<Vec<I>, LiveError> {
        let slot = self.slot(id)?;
        let node = &mut self.nodes[slot as usize];
        node.rule = rule;
        node.children = Tally::default();
        node.n_contributors = 0;
        let mut child = node.first_child;
        while child != NONE {
            let Node {
                next_sibling,
                is_open,
                total,
                ..
            } = self.nodes[child as usize];
            if is_open {
                self.exchange(slot, None, Some(total.numbers))?;
            }
            child = next_sibling;
        }
        self.settle(slot)
    }

    /// Gives a node another parent, or none, with everything below it.
    ///
    /// # Errors
    ///
    /// [`LiveError::Unknown`], [`LiveError::WouldBreakTree`], [`LiveError::TooLarge`].
    pub fn move_to(&mut self, id: I, parent: Option<(I, bool)>) -> Result<Vec<I>, LiveError> {
        let slot = self.slot(id)?;
        let new = self.resolve(parent)?;
        let mut above = new.map_or(NONE, |(parent, _)| parent);
        while above != NONE {
            if above == slot {
                return Err(LiveError::WouldBreakTree);
            }
            above = self.nodes[above as usize].parent;
        }
        let mut changed = self.cut(slot)?;
        self.link(slot, new);
        if let Some((parent, true)) = new {
            let numbers = self.nodes[slot as usize].total.numbers;
            self.exchange(parent, None, Some(numbers))?;
            changed.extend(self.settle(parent)?);
        }
        Ok(changed)
    }

    /// Removes a node; its children become roots.
    ///
    /// # Errors
    ///
    /// [`LiveError::Unknown`], [`LiveError::TooLarge`].
    pub fn remove(&mut self, id: I) -> Result<Vec<I>, LiveError> {
        let slot = self.slot(id)?;
        let changed = self.cut(slot)?;
        let mut child = self.nodes[slot as usize].first_child;
        while child != NONE {
            let node = &mut self.nodes[child as usize];
            node.parent = NONE;
            node.is_open = false;
            node.previous_sibling = NONE;
            child = std::mem::replace(&mut node.next_sibling, NONE);
        }
        self.slots.remove(&id);
        self.nodes.swap_remove(slot as usize);
        self.renumber(slot);
        Ok(changed)
    }

    fn slot(&self, id: I) -> Result<u32, LiveError> {
        self.slots.get(&id).copied().ok_or(LiveError::Unknown)
    }

    fn resolve(&self, parent: Option<(I, bool)>) -> Result<Option<(u32, bool)>, LiveError> {
        parent
            .map(|(id, is_open)| Ok((self.slot(id)?, is_open)))
            .transpose()
    }

    /// Takes a node out of its parent's list and sums.
    fn cut(&mut self, slot: u32) -> Result<Vec<I>, LiveError> {
        let Node {
            parent,
            is_open,
            next_sibling,
            previous_sibling,
            total,
            ..
        } = self.nodes[slot as usize];
        if parent == NONE {
            return Ok(Vec::new());
        }
        match previous_sibling {
            NONE => self.nodes[parent as usize].first_child = next_sibling,
            before => self.nodes[before as usize].next_sibling = next_sibling,
        }
        if next_sibling != NONE {
            self.nodes[next_sibling as usize].previous_sibling = previous_sibling;
        }
        let node = &mut self.nodes[slot as usize];
        node.parent = NONE;
        node.is_open = false;
        node.next_sibling = NONE;
        node.previous_sibling = NONE;
        if !is_open {
            return Ok(Vec::new());
        }
        self.exchange(parent, Some(total.numbers), None)?;
        self.settle(parent)
    }

    /// Puts a node that has no parent in front of its new parent's list.
    fn link(&mut self, slot: u32, parent: Option<(u32, bool)>) {
        let Some((parent, is_open)) = parent else {
            return;
        };
        let first = std::mem::replace(&mut self.nodes[parent as usize].first_child, slot);
        if first != NONE {
            self.nodes[first as usize].previous_sibling = slot;
        }
        let node = &mut self.nodes[slot as usize];
        node.parent = parent;
        node.is_open = is_open;
        node.next_sibling = first;
    }

    /// After the last node took the place of a removed one: whoever named it names the place.
    fn renumber(&mut self, slot: u32) {
        let Some(node) = self.nodes.get(slot as usize) else {
            return;
        };
        let (id, parent, before, after, mut child) = (
            node.id,
            node.parent,
            node.previous_sibling,
            node.next_sibling,
            node.first_child,
        );
        self.slots.insert(id, slot);
        if before != NONE {
            self.nodes[before as usize].next_sibling = slot;
        } else if parent != NONE {
            self.nodes[parent as usize].first_child = slot;
        }
        if after != NONE {
            self.nodes[after as usize].previous_sibling = slot;
        }
        while child != NONE {
            let node = &mut self.nodes[child as usize];
            node.parent = slot;
            child = node.next_sibling;
        }
    }

    /// Replaces what a child gives to a parent.
    fn exchange(
        &mut self,
        parent: u32,
        old: Option<Numbers>,
        new: Option<Numbers>,
    ) -> Result<(), TooLarge> {
        let node = &mut self.nodes[parent as usize];
        if let Some(old) = old.filter(|old| node.rule.takes(old)) {
            node.children.remove(&old)?;
            node.n_contributors -= 1;
        }
        if let Some(new) = new.filter(|new| node.rule.takes(new)) {
            node.children.add(&new)?;
            node.n_contributors += 1;
        }
        Ok(())
    }

    /// Brings a node's total up to date, and those above as far as they change.
    fn settle(&mut self, slot: u32) -> Result<Vec<I>, LiveError> {
        let mut changed = Vec::new();
        let mut at = slot;
        loop {
            let node = &mut self.nodes[at as usize];
            let mut sum = node.children;
            sum.add(&node.own)?;
            let standing = Standing {
                sum: sum.numbers(),
                has_updates: node.has_updates,
                has_contributors: node.n_contributors > 0,
                manual: node.manual.as_ref(),
            };
            let total = match node.rule {
                Rule::Period(measure) => standing.period(measure)?,
                Rule::Disaggregation => standing.disaggregation(),
            };
            let old = std::mem::replace(&mut node.total, total);
            if old == total {
                return Ok(changed);
            }
            changed.push(node.id);
            let (parent, is_open) = (node.parent, node.is_open);
            if parent == NONE || !is_open || old.numbers == total.numbers {
                return Ok(changed);
            }
            self.exchange(parent, Some(old.numbers), Some(total.numbers))?;
            at = parent;
        }
    }
}
