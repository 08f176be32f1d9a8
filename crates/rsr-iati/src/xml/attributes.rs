//! The attributes and declarations of the start tag that the cursor stands on.

use std::io::Read;

use super::reader::{Reader, Token};
use super::tag::{RawAttribute, Value};

/// One attribute of the start tag at hand. Namespace declarations are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// As written, with its prefix.
    pub name: &'a str,
    /// Without its prefix.
    pub local_name: &'a str,
    /// Of its prefix; an attribute without a prefix is in none.
    pub namespace: Option<&'a str>,
    /// With references resolved and white space turned to spaces.
    pub value: &'a str,
}

impl<R: Read> Reader<R> {
    /// The attributes of the start tag at hand in the order they are written, without namespace declarations.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
        let tag = (self.token == Token::Start).then_some(&self.tag.attributes);
        tag.into_iter()
            .flatten()
            .filter(|raw| !raw.is_declaration)
            .map(|raw| self.attribute_of(raw))
    }

    /// How many attributes the start tag at hand has, namespace declarations among them. For the start tag alone.
    pub(crate) fn n_attributes(&self) -> usize {
        self.tag.attributes.len()
    }

    /// The bytes of the names of the same, as written.
    pub(crate) fn attribute_names(&self) -> impl Iterator<Item = &[u8]> {
        let text = self.window.text().as_bytes();
        let name = |raw: &RawAttribute| text.get(raw.name.0..raw.name.1).unwrap_or_default();
        self.tag.attributes.iter().map(name)
    }

    /// One of the same; `None` for a namespace declaration.
    pub(crate) fn attribute_at(&self, place: usize) -> Option<Attribute<'_>> {
        let raw = self.tag.attributes.get(place)?;
        (!raw.is_declaration).then(|| self.attribute_of(raw))
    }

    /// The value of one of the same.
    pub(crate) fn value_at(&self, place: usize) -> &str {
        let raw = self.tag.attributes.get(place);
        raw.map_or("", |raw| self.value_of(raw))
    }

    /// Whether the start tag at hand has a prefix other than `xml`, or a namespace declaration, anywhere.
    pub(crate) fn has_prefixes(&self) -> bool {
        self.tag.has_prefixes
    }

    /// The value of the attribute of this name, prefix included, of the start tag at hand.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        if self.token != Token::Start {
            return None;
        }
        let is_it = |raw: &&RawAttribute| {
            raw.name.1 - raw.name.0 == name.len()
                && !raw.is_declaration
                && self.window.slice(raw.name.0, raw.name.1) == name
        };
        let raw = self.tag.attributes.iter().find(is_it)?;
        Some(self.value_of(raw))
    }

    /// `xml:lang` of the start tag at hand.
    #[must_use]
    pub fn language(&self) -> Option<&str> {
        self.attribute("xml:lang")
    }

    /// The namespace declarations of the start tag at hand: prefix (empty for the default) and namespace.
    pub fn declarations(&self) -> impl Iterator<Item = (&str, &str)> {
        let tag = (self.token == Token::Start).then_some(&self.tag.attributes);
        tag.into_iter()
            .flatten()
            .filter(|raw| raw.is_declaration)
            .map(|raw| {
                let name = self.window.slice(raw.name.0, raw.name.1);
                (
                    name.strip_prefix("xmlns:").unwrap_or_default(),
                    self.value_of(raw),
                )
            })
    }

    fn attribute_of(&self, raw: &RawAttribute) -> Attribute<'_> {
        let name = self.window.slice(raw.name.0, raw.name.1);
        Attribute {
            name,
            local_name: if raw.local == raw.name.0 {
                name
            } else {
                self.window.slice(raw.local, raw.name.1)
            },
            namespace: self.namespaces.name(raw.namespace),
            value: self.value_of(raw),
        }
    }

    fn value_of(&self, raw: &RawAttribute) -> &str {
        match raw.value {
            Value::Window((from, to)) => self.window.slice(from, to),
            Value::Resolved((from, to)) => self.tag.values.get(from..to).unwrap_or_default(),
        }
    }
}
