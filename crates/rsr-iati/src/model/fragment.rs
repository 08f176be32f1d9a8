//! Typed structs out, as XML in the order of 2.03.

use crate::model::children::Head;
use crate::model::element::{Element, Slot};
use crate::model::raw::{RawAttribute, RawElement, RawNode, is_extension};
use crate::model::value::Value;
use crate::xml::{XML_NAMESPACE, escape_attribute, escape_text};

/// Writes elements. Names and order come from the model, so what it writes is well-formed by construction.
#[derive(Debug)]
pub(crate) struct Fragment<'a> {
    out: &'a mut String,
    /// Prefixes in force and their namespaces, innermost last.
    scope: Vec<(String, String)>,
    /// A start tag is open and has not had its bracket.
    open: bool,
    /// Forbidden characters that U+FFFD took the place of.
    pub(crate) n_replaced: u64,
    /// Things left out because 2.03 has no place for them.
    pub(crate) n_left_out: u64,
    /// The activity's language: a narrative that has the same does not repeat it.
    language: Option<&'a str>,
}

impl<'a> Fragment<'a> {
    pub(crate) fn new(out: &'a mut String) -> Self {
        Self {
            out,
            scope: Vec::new(),
            open: false,
            n_replaced: 0,
            n_left_out: 0,
            language: None,
        }
    }

    /// With prefixes that the document around it declares.
    pub(crate) fn with_scope(mut self, scope: &[(String, String)]) -> Self {
        self.scope.extend_from_slice(scope);
        self
    }

    /// Inside an activity of that language.
    pub(crate) fn with_language(mut self, language: Option<&'a str>) -> Self {
        self.language = language;
        self
    }

    pub(crate) fn element<E: Element>(&mut self, name: &str, element: &E) {
        let mark = self.scope.len();
        self.start(name);
        element.write_attributes(self);
        for attribute in element.extra().attributes() {
            if !E::IS_OPEN {
                self.n_left_out += 1;
                continue;
            }
            self.raw_attribute(attribute);
        }
        element.write_content(self);
        for raw in element.extra().elements() {
            // Elements that hold text hold no elements, not even extensions.
            if !E::HOLDS_TEXT && is_extension(raw.namespace.as_deref()) {
                self.raw(raw);
            } else {
                self.n_left_out += 1;
            }
        }
        self.end(name);
        self.scope.truncate(mark);
    }

    pub(crate) fn children<E: Element>(&mut self, name: &str, children: &impl Slot<E>) {
        for child in children.each() {
            self.element(name, child);
        }
    }

    pub(crate) fn attribute<V: Value>(&mut self, name: &str, value: Option<&V>) {
        let Some(value) = value else { return };
        if name == "xml:lang" && self.language == Some(value.text()) {
            return;
        }
        self.plain_attribute(name, value.text());
    }

    pub(crate) fn value<V: Value>(&mut self, value: &V) {
        if !value.text().is_empty() {
            self.text(value.text());
        }
    }

    /// Writes a start tag whose bracket is still to come.
    pub(crate) fn start(&mut self, name: &str) {
        self.close_start();
        self.out.push('<');
        self.out.push_str(name);
        self.open = true;
    }

    /// Ends the start tag that is open, for a caller that goes on by hand.
    pub(crate) fn close_start(&mut self) {
        if self.open {
            self.out.push('>');
            self.open = false;
        }
    }

    pub(crate) fn plain_attribute(&mut self, name: &str, value: &str) {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        self.n_replaced += escape_attribute(value, self.out);
        self.out.push('"');
    }

    fn text(&mut self, text: &str) {
        self.close_start();
        self.n_replaced += escape_text(text, self.out);
    }

    fn end(&mut self, name: &str) {
        if self.open {
            self.out.push_str("/>");
            self.open = false;
        } else {
            self.out.push_str("</");
            self.out.push_str(name);
            self.out.push('>');
        }
    }

    pub(crate) fn raw_attribute(&mut self, attribute: &RawAttribute) {
        match (
            attribute.name.split_once(':'),
            attribute.namespace.as_deref(),
        ) {
            (Some(_), Some(XML_NAMESPACE)) => {}
            (Some((prefix, _)), Some(namespace)) => self.declare(prefix, namespace),
            // No namespace: 2.03 has no place for it.
            _ => {
                self.n_left_out += 1;
                return;
            }
        }
        self.plain_attribute(&attribute.name, &attribute.value);
    }

    /// Writes a raw element, extension or not, as it was.
    pub(crate) fn raw(&mut self, raw: &RawElement) {
        let mark = self.scope.len();
        self.start(&raw.name);
        let prefix = raw.name.split_once(':').map_or("", |(prefix, _)| prefix);
        match raw.namespace.as_deref() {
            Some(namespace) => self.declare(prefix, namespace),
            None if prefix.is_empty() => self.declare("", ""),
            None => {}
        }
        for attribute in &raw.attributes {
            match (
                attribute.name.split_once(':'),
                attribute.namespace.as_deref(),
            ) {
                (Some((prefix, _)), Some(namespace)) if namespace != XML_NAMESPACE => {
                    self.declare(prefix, namespace);
                }
                _ => {}
            }
            self.plain_attribute(&attribute.name, &attribute.value);
        }
        for child in &raw.children {
            match child {
                RawNode::Text(text) => self.text(text),
                RawNode::Element(element) => self.raw(element),
            }
        }
        self.end(&raw.name);
        self.scope.truncate(mark);
    }

    /// Writes a namespace declaration unless it is in force.
    fn declare(&mut self, prefix: &str, namespace: &str) {
        let known = self
            .scope
            .iter()
            .rev()
            .find(|(known, _)| known == prefix)
            .map_or("", |(_, namespace)| namespace);
        if known == namespace {
            return;
        }
        if prefix.is_empty() {
            self.plain_attribute("xmlns", namespace);
        } else {
            self.plain_attribute(&format!("xmlns:{prefix}"), namespace);
        }
        self.scope.push((prefix.to_owned(), namespace.to_owned()));
    }
}

/// A raw element as it was.
pub(crate) fn write_raw(raw: &RawElement) -> String {
    let mut out = String::new();
    Fragment::new(&mut out).raw(raw);
    out
}

/// The start tag of an activity or an organisation, with the prefixes that are in force. Gives how many characters were
/// replaced and how many attributes left out.
pub(crate) fn write_head<H: Head>(
    subject: &str,
    head: &H,
    scope: &[(String, String)],
    out: &mut String,
) -> (u64, u64) {
    let mut fragment = Fragment::new(out).with_scope(scope);
    fragment.start(subject);
    head.write_attributes(&mut fragment);
    for attribute in head.extra().attributes() {
        fragment.raw_attribute(attribute);
    }
    fragment.close_start();
    (fragment.n_replaced, fragment.n_left_out)
}
