//! The kinds of schema findings.

use crate::report::{Finding, Severity};

/// The rules of the schemas that a file can break. The codes are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The root element is not one that an IATI file may begin with.
    Root,
    /// `@version` is none that there is a schema for.
    UnknownVersion,
    /// An element that no schema knows at this place.
    UnknownElement,
    /// An element that is known here, at the wrong place or too often.
    UnexpectedElement,
    /// A required element is not there.
    MissingElement,
    /// An element inside one that holds text alone.
    ElementInText,
    /// Text inside an element that holds elements alone.
    TextNotAllowed,
    /// A required attribute is not there.
    MissingAttribute,
    /// An attribute that the element does not have.
    UnknownAttribute,
    /// A text or an attribute that is no value of its type.
    BadValue,
    /// `xsi:nil` on an element that may not be nil.
    NotNillable,
    /// `xsi:type` with a type that does not exist or does not fit.
    BadType,
    /// Not well-formed XML.
    NotWellFormed,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Root,
        Self::UnknownVersion,
        Self::UnknownElement,
        Self::UnexpectedElement,
        Self::MissingElement,
        Self::ElementInText,
        Self::TextNotAllowed,
        Self::MissingAttribute,
        Self::UnknownAttribute,
        Self::BadValue,
        Self::NotNillable,
        Self::BadType,
        Self::NotWellFormed,
    ];

    /// The code in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "schema-root",
            Self::UnknownVersion => "schema-unknown-version",
            Self::UnknownElement => "schema-unknown-element",
            Self::UnexpectedElement => "schema-unexpected-element",
            Self::MissingElement => "schema-missing-element",
            Self::ElementInText => "schema-element-in-text",
            Self::TextNotAllowed => "schema-text-not-allowed",
            Self::MissingAttribute => "schema-missing-attribute",
            Self::UnknownAttribute => "schema-unknown-attribute",
            Self::BadValue => "schema-bad-value",
            Self::NotNillable => "schema-not-nillable",
            Self::BadType => "schema-bad-type",
            Self::NotWellFormed => "xml-not-well-formed",
        }
    }

    /// The rule in a sentence or two.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Root => {
                "An IATI file begins with iati-activities or iati-organisations, in no namespace."
            }
            Self::UnknownVersion => {
                "The version attribute of the root names the schema that the file is read by: 1.01 to 1.05 or 2.01 to \
                 2.03. A missing one and 1.0 count as 1.01; a file with any other is checked against 2.03."
            }
            Self::UnknownElement => {
                "The schema has no such element at this place. Elements of other namespaces are welcome where the \
                 schema leaves room for them, usually last."
            }
            Self::UnexpectedElement => {
                "The element exists but not here: from version 2.01 on the schemas fix the order of elements, and many \
                 may stand only once."
            }
            Self::MissingElement => "The schema requires an element that is not there.",
            Self::ElementInText => "The element holds text alone; markup inside it is not allowed.",
            Self::TextNotAllowed => {
                "The element holds other elements alone; since 2.01 text for people stands in narrative elements."
            }
            Self::MissingAttribute => "The schema requires an attribute that is not there.",
            Self::UnknownAttribute => {
                "The element has no such attribute. Attributes of other namespaces are welcome on most elements."
            }
            Self::BadValue => {
                "The text or attribute is no value of the type that the schema gives it."
            }
            Self::NotNillable => {
                "No IATI element may say whether it is nil with xsi:nil, not even that it is not."
            }
            Self::BadType => {
                "xsi:type names a type that the schema does not have or that does not fit the element."
            }
            Self::NotWellFormed => {
                "The file is not XML from this place on, so nothing after it can be read. Every tag that is opened has to \
                 be closed, in order."
            }
        }
    }

    /// A finding of this kind.
    pub(crate) fn at(self, message: String, path: String, line: u64) -> Finding {
        // A file of a version to come may be in order; all else breaks the structure.
        let severity = if self == Self::UnknownVersion {
            Severity::Error
        } else {
            Severity::Critical
        };
        Finding::new(severity, self.as_str(), message).at_line(line, path)
    }
}
