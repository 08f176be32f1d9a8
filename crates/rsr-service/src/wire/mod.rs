//! What JSON looks like outside: every type that is written or read, apart from the domain's.

mod element;
mod nested;

pub(crate) use element::{Element, Organisation, ParentElement, Sector};
pub(crate) use nested::NestedArray;
