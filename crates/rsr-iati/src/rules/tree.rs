//! The part of an element that rules look at, kept while the element is read.

use super::xpath::{Name, NameBits};

/// The place of a node in its [`Tree`].
pub(super) type NodeId = u32;

const NONE: NodeId = NodeId::MAX;

/// A piece of the tree's text.
type Span = (u32, u32);

#[derive(Clone, Copy, Debug)]
struct Node {
    name: Name,
    parent: NodeId,
    first_child: NodeId,
    last_child: NodeId,
    next: NodeId,
    first_attribute: u32,
    n_attributes: u16,
    has_text: bool,
    text: Span,
    line: u32,
    /// The names of its children.
    children: NameBits,
}

/// Elements with some of their attributes and text. The first node is the top.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// The names of all of them.
    names: NameBits,
    attributes: Vec<(Name, Span)>,
    /// The values of the attributes.
    values: String,
    /// The text of the elements whose text is wanted.
    text: String,
}

impl Tree {
    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.names = NameBits::default();
        self.attributes.clear();
        self.values.clear();
        self.text.clear();
    }

    /// Bytes in use, about.
    pub(super) fn size(&self) -> usize {
        self.nodes.len() * size_of::<Node>()
            + self.attributes.len() * size_of::<(Name, Span)>()
            + self.values.len()
            + self.text.len()
    }

    /// Gives back memory that an unusual element took.
    pub(super) fn shrink(&mut self, nodes: usize) {
        self.nodes.shrink_to(nodes);
        self.attributes.shrink_to(nodes);
        self.values.shrink_to(nodes * 16);
        self.text.shrink_to(nodes * 16);
    }

    /// Adds an element below another, or the top. Its attributes have to follow at once.
    pub(super) fn add(&mut self, parent: Option<NodeId>, name: Name, line: u64) -> NodeId {
        let id = short(self.nodes.len());
        let text = short(self.text.len());
        self.nodes.push(Node {
            name,
            parent: parent.unwrap_or(NONE),
            first_child: NONE,
            last_child: NONE,
            next: NONE,
            first_attribute: short(self.attributes.len()),
            n_attributes: 0,
            has_text: false,
            text: (text, text),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            children: NameBits::default(),
        });
        self.names.add(name);
        if let Some(parent) = parent {
            let last = self.node(parent).map_or(NONE, |parent| parent.last_child);
            if let Some(last) = self.node_mut(last) {
                last.next = id;
            }
            if let Some(parent) = self.node_mut(parent) {
                parent.last_child = id;
                parent.children.add(name);
                if parent.first_child == NONE {
                    parent.first_child = id;
                }
            }
        }
        id
    }

    pub(super) fn add_attribute(&mut self, node: NodeId, name: Name, value: &str) {
        let from = short(self.values.len());
        self.values.push_str(value);
        self.attributes
            .push((name, (from, short(self.values.len()))));
        if let Some(node) = self.node_mut(node) {
            node.n_attributes += 1;
        }
    }

    pub(super) fn add_text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn mark_text(&mut self, node: NodeId) {
        if let Some(node) = self.node_mut(node) {
            node.has_text = true;
        }
    }

    /// Ends an element whose text is wanted: its text is what was added since it began.
    pub(super) fn end_text(&mut self, node: NodeId) {
        let end = short(self.text.len());
        if let Some(node) = self.node_mut(node) {
            node.text.1 = end;
        }
    }

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id as usize)
    }

    pub(super) fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.node(id)
            .map(|node| node.parent)
            .filter(|parent| *parent != NONE)
    }

    /// Whether there may be elements of all these names, somewhere.
    pub(super) fn may_have_all(&self, names: NameBits) -> bool {
        self.names.may_have_all(names)
    }

    pub(super) fn children(&self, id: NodeId, name: Name) -> impl Iterator<Item = NodeId> {
        let parent = self.node(id).filter(|node| node.children.may_have(name));
        let first = parent.map_or(NONE, |node| node.first_child);
        let exists = move |id: NodeId| self.node(id).map(|node| (id, node));
        std::iter::successors(exists(first), move |(_, node)| exists(node.next))
            .filter(move |(_, node)| node.name == name)
            .map(|(id, _)| id)
    }

    /// The place of an attribute of an element.
    pub(super) fn attribute(&self, id: NodeId, name: Name) -> Option<u32> {
        let node = self.node(id)?;
        let from = node.first_attribute;
        let to = from + u32::from(node.n_attributes);
        let own = self.attributes.get(from as usize..to as usize)?;
        let place = own.iter().position(|(known, _)| *known == name)?;
        Some(from + short(place))
    }

    pub(super) fn attribute_value(&self, place: u32) -> &str {
        self.attributes
            .get(place as usize)
            .map_or("", |(_, span)| piece(&self.values, *span))
    }

    pub(super) fn text_of(&self, id: NodeId) -> &str {
        self.node(id)
            .map_or("", |node| piece(&self.text, node.text))
    }

    pub(super) fn has_text(&self, id: NodeId) -> bool {
        self.node(id).is_some_and(|node| node.has_text)
    }

    pub(super) fn line(&self, id: NodeId) -> u64 {
        self.node(id).map_or(0, |node| u64::from(node.line))
    }
}

fn piece(text: &str, (from, to): Span) -> &str {
    text.get(from as usize..to as usize).unwrap_or_default()
}

/// The tree is bounded far below four thousand million.
fn short(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
