//! What the standard does not name, kept as it came.

/// An attribute as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RawAttribute {
    /// With its prefix.
    pub name: String,
    /// Of its prefix, where one is declared.
    pub namespace: Option<String>,
    /// Its value.
    pub value: String,
}

/// A piece of what an element holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RawNode {
    /// Text.
    Text(String),
    /// An element.
    Element(RawElement),
}

/// An element as it was written, comments and instructions aside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RawElement {
    /// With its prefix.
    pub name: String,
    /// Of its prefix or by default.
    pub namespace: Option<String>,
    /// In the order they were written.
    pub attributes: Vec<RawAttribute>,
    /// In order; texts that touch are one.
    pub children: Vec<RawNode>,
}

impl RawElement {
    /// The value of the attribute of this name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| attribute.value.as_str())
    }

    /// All text directly inside.
    #[must_use]
    pub fn text(&self) -> String {
        self.children
            .iter()
            .filter_map(|node| match node {
                RawNode::Text(text) => Some(text.as_str()),
                RawNode::Element(_) => None,
            })
            .collect()
    }

    /// The elements directly inside.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            RawNode::Element(element) => Some(element),
            RawNode::Text(_) => None,
        })
    }
}

/// What stood on or in an element and has no field of its own: extensions, which 2.03 allows and exports give back, and
/// names that mean nothing there, which are kept and never exported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Extra(Option<Box<Content>>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Content {
    attributes: Vec<RawAttribute>,
    elements: Vec<RawElement>,
}

impl Extra {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The attributes.
    #[must_use]
    pub fn attributes(&self) -> &[RawAttribute] {
        self.0.as_ref().map_or(&[], |content| &content.attributes)
    }

    /// The elements.
    #[must_use]
    pub fn elements(&self) -> &[RawElement] {
        self.0.as_ref().map_or(&[], |content| &content.elements)
    }

    /// Adds an attribute.
    pub fn push_attribute(&mut self, attribute: RawAttribute) {
        self.0.get_or_insert_default().attributes.push(attribute);
    }

    /// Adds an element.
    pub fn push_element(&mut self, element: RawElement) {
        self.0.get_or_insert_default().elements.push(element);
    }
}

/// Whether 2.03 allows the name as an extension: it is in a namespace that is not XML's own.
pub(crate) fn is_extension(namespace: Option<&str>) -> bool {
    namespace.is_some_and(|namespace| !namespace.is_empty())
}
