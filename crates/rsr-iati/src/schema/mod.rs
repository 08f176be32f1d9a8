//! Checking against the IATI schemas while reading, in constant memory.
//!
//! The facts of the schemas 1.01 to 2.03 are compiled in as tables (`generated.rs`, refreshed by
//! `cargo xtask iati-tables FOLDER`); [`Checker`] walks them with the tags of a file. The verdict, and the line of the
//! first finding, are those of `xmllint --schema`.
//!
//! ```
//! use rsr_iati::schema;
//!
//! assert!(schema::check_fragment("activity-status", r#"<activity-status code="2"/>"#).is_empty());
//!
//! let findings = schema::check_fragment("activity-date", r#"<activity-date type="1" iso-date="2024-02-30"/>"#);
//! assert_eq!(findings[0].code, "schema-bad-value");
//! ```

mod attributes;
mod checker;
mod code;
mod fragment;
#[rustfmt::skip]
mod generated;
mod simple;
mod tables;
#[cfg(test)]
mod tests;
mod uri;

use std::io::Read;

use crate::xml::Reader;

pub use crate::version::Version;
pub use checker::Checker;
pub use code::Code;
pub use fragment::{FragmentChecker, check_children, check_fragment};
pub(crate) use uri::is_reference;

/// The place of a name among those that some schema knows: a fast way to tell most names apart.
pub(crate) fn number_of_name(name: &str) -> Option<usize> {
    let number = tables::lookup(name.as_bytes());
    (number != tables::NO_NAME).then_some(usize::from(number))
}

/// What every check asks of a start tag, found once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StartTag {
    /// The number of its name, [`tables::NO_NAME`] where no schema knows it; `None` for names of another namespace.
    pub(crate) name: Option<u16>,
    /// The line where it ends, as libxml2 counts.
    pub(crate) line: u64,
    /// The numbers of the names of its first attributes.
    attributes: [u16; NUMBERED],
}

/// Of so many attributes the numbers are kept; few elements have more.
const NUMBERED: usize = 12;

impl StartTag {
    /// The start tag that the reader stands on, in a text that begins so many lines into its file.
    pub(crate) fn of<R: Read>(reader: &Reader<R>, line_shift: u64) -> Self {
        let is_ours = reader.is_unqualified();
        let mut attributes = [tables::NO_NAME; NUMBERED];
        for (number, name) in attributes.iter_mut().zip(reader.attribute_names()) {
            *number = tables::lookup(name);
        }
        Self {
            name: is_ours.then(|| tables::lookup(reader.local_name().as_bytes())),
            line: reader.end_line() + line_shift,
            attributes,
        }
    }

    /// The number of the name of an attribute, as written, by its place; [`tables::NO_NAME`] where no schema knows it.
    pub(crate) fn attribute<R: Read>(&self, place: usize, reader: &Reader<R>) -> u16 {
        if let Some(number) = self.attributes.get(place) {
            return *number;
        }
        let name = reader.attribute_at(place).map_or("", |it| it.name);
        tables::lookup(name.as_bytes())
    }

    /// The number of a name that some schema knows.
    pub(crate) fn known_name(&self) -> Option<usize> {
        self.name
            .filter(|name| *name != tables::NO_NAME)
            .map(usize::from)
    }
}

/// Names that have a number: all numbers are below.
pub(crate) const N_NAMES: usize = generated::NAMES.len();

/// The two kinds of IATI file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// The root is `iati-activities`.
    Activities,
    /// The root is `iati-organisations`.
    Organisations,
}
