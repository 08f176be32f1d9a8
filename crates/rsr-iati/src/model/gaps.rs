//! What 2.03 asks for and an element does not have.

use std::fmt;

use crate::model::element::{Element, Slot};
use crate::model::value::Value;

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

/// Gaps on their way to be told.
#[derive(Debug)]
pub(crate) struct Gaps {
    path: String,
    list: Vec<Gap>,
}

impl Gaps {
    pub(crate) fn of(name: &str) -> Self {
        Self {
            path: name.to_owned(),
            list: Vec::new(),
        }
    }

    pub(crate) fn into_list(self) -> Vec<Gap> {
        self.list
    }

    pub(crate) fn attribute<V: Value>(&mut self, name: &str, value: Option<&V>, required: bool) {
        match value {
            Some(value) if value.is_valid() => {}
            Some(_) => self.push(&format!("@{name}"), GapKind::Not(V::KIND)),
            None if required => self.push(&format!("@{name}"), GapKind::Missing),
            None => {}
        }
    }

    pub(crate) fn text<V: Value>(&mut self, value: &V) {
        if !value.is_valid() {
            self.push("", GapKind::Not(V::KIND));
        }
    }

    pub(crate) fn children<E: Element>(
        &mut self,
        name: &str,
        children: &impl Slot<E>,
        required: bool,
    ) {
        let mut any = false;
        let mark = self.path.len();
        for child in children.each() {
            if !any {
                self.path.push('/');
                self.path.push_str(name);
                any = true;
            }
            child.find_gaps(self);
        }
        self.path.truncate(mark);
        if required && !any {
            self.push(name, GapKind::Missing);
        }
    }

    pub(crate) fn push(&mut self, part: &str, kind: GapKind) {
        if self.list.len() < TOLD_MAX {
            self.list.push(Gap {
                path: self.path.clone(),
                part: part.to_owned(),
                kind,
            });
        }
    }
}
