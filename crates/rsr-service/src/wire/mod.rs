//! What JSON looks like outside: every type that is written or read, apart from the domain's.

mod caches;
mod element;
mod input;
mod nested;
mod project;
mod results;
mod time;

pub(crate) use caches::{CAUSES, CacheFigures, cleanup, deletions, global, issue, sweep};
pub(crate) use element::Element;
pub(crate) use input::{Fields, LINE_MAX_CHARS, TEXT_MAX_CHARS, refused, required};
pub(crate) use nested::NestedArray;
pub(crate) use project::Project;
pub(crate) use results::{ResultJson, indicator, job, period, result, update};
pub(crate) use time::rfc3339;
