//! What 2.03 asks for and an element does not have.

use std::fmt;

use crate::model::element::{Element, Slot};
use crate::model::value::Value;
use crate::schema::is_reference;

/// Something that a valid element has and this one has not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gap {
    /// The elements down to the one it is about, from the activity's child on: `result/indicator`.
    pub path: String,
    /// The attribute (`@measure`) or child (`title`); empty where it is the text itself.
    pub part: String,
    /// What is wrong with it.
    pub kind: GapKind,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GapKind {
    /// It is not there.
    Missing,
    /// It is there and is no value of this kind.
    Not(&'static str),
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = if self.part.is_empty() {
            "its text"
        } else {
            &self.part
        };
        match self.kind {
            GapKind::Missing => write!(f, "<{}> has no {part}", self.path),
            GapKind::Not(kind) => write!(f, "<{}>: {part} is not {kind}", self.path),
        }
    }
}

/// How many gaps of one element are told.
const TOLD_MAX: usize = 16;

/// What an attribute or a text has to be beside its type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    required: bool,
    form: Option<Form>,
}

/// What a text of this form is called, and whether one is it.
type Form = (&'static str, fn(&str) -> bool);

impl Rules {
    pub(crate) const NONE: Self = Self {
        required: false,
        form: None,
    };

    /// It must be there.
    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// A web address, `xsd:anyURI`.
    pub(crate) const fn uri(mut self) -> Self {
        self.form = Some(("a web address", is_uri));
        self
    }

    /// A language, as `xml:lang` has it.
    pub(crate) const fn language(mut self) -> Self {
        self.form = Some(("a language", is_language));
        self
    }

    /// `xsd:NMTOKEN`.
    pub(crate) const fn token(mut self) -> Self {
        self.form = Some(("a token", is_token));
        self
    }
}

fn is_uri(text: &str) -> bool {
    is_reference(text.trim_matches([' ', '\t', '\n', '\r']))
}

/// Whether `xml:lang` may say so: nothing, or letters with more letters and digits after hyphens.
pub(crate) fn is_language(text: &str) -> bool {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    let is_part = |part: &str, digits: bool| {
        (1..=8).contains(&part.len())
            && part
                .bytes()
                .all(|b| b.is_ascii_alphabetic() || digits && b.is_ascii_digit())
    };
    let mut parts = text.split('-');
    text.is_empty()
        || parts.next().is_some_and(|part| is_part(part, false))
            && parts.all(|part| is_part(part, true))
}

/// A little stricter than XML outside ASCII: letters and digits alone.
fn is_token(text: &str) -> bool {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'))
}

/// Gaps on their way to be told.
#[derive(Debug)]
pub(crate) struct Gaps<'a> {
    root: &'a str,
    below: Vec<&'static str>,
    list: Vec<Gap>,
}

impl<'a> Gaps<'a> {
    pub(crate) fn of(name: &'a str) -> Self {
        Self {
            root: name,
            below: Vec::new(),
            list: Vec::new(),
        }
    }

    pub(crate) fn into_list(self) -> Vec<Gap> {
        self.list
    }

    pub(crate) fn attribute<V: Value>(&mut self, name: &str, value: Option<&V>, rules: Rules) {
        match value {
            Some(value) => {
                if let Some(kind) = not(value, rules) {
                    self.push(&format!("@{name}"), GapKind::Not(kind));
                }
            }
            None if rules.required => self.push(&format!("@{name}"), GapKind::Missing),
            None => {}
        }
    }

    pub(crate) fn text<V: Value>(&mut self, value: &V, rules: Rules) {
        if let Some(kind) = not(value, rules) {
            self.push("", GapKind::Not(kind));
        }
    }

    pub(crate) fn children<E: Element>(
        &mut self,
        name: &'static str,
        children: &impl Slot<E>,
        required: bool,
    ) {
        let mut any = false;
        for child in children.each() {
            if !any {
                self.below.push(name);
                any = true;
            }
            child.find_gaps(self);
        }
        if any {
            self.below.pop();
        } else if required {
            self.push(name, GapKind::Missing);
        }
    }

    pub(crate) fn push(&mut self, part: &str, kind: GapKind) {
        if self.list.len() < TOLD_MAX {
            let mut path = self.root.to_owned();
            for name in &self.below {
                path.push('/');
                path.push_str(name);
            }
            self.list.push(Gap {
                path,
                part: part.to_owned(),
                kind,
            });
        }
    }
}

/// The kind of value that it is not.
fn not<V: Value>(value: &V, rules: Rules) -> Option<&'static str> {
    if !value.is_valid() {
        return Some(V::KIND);
    }
    rules
        .form
        .filter(|(_, is_it)| !is_it(value.text()))
        .map(|(kind, _)| kind)
}
