//! How a file of either kind begins.

use super::Version;
use crate::finding::Severity;
use crate::model::{Input, Pull};
use crate::xml::Reader;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// It holds activities.
    Activities,
    /// It is an organisation file: it holds no activities and none are looked for.
    Organisations,
    /// It is XML of another kind. Activities inside are found all the same.
    Other,
}

/// What the start of a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileHead {
    /// What it is.
    pub kind: FileKind,
    /// The version its activities are read as.
    pub version: Version,
    /// The version as written.
    pub version_text: Option<String>,
    /// `@generated-datetime` as written.
    pub generated: Option<String>,
    /// `@linked-data-default`.
    pub linked_data_default: Option<String>,
    /// Prefixes declared on the root, with their namespaces.
    pub namespaces: Vec<(String, String)>,
}

impl FileHead {
    /// What is known before anything is read.
    pub(super) fn unread() -> Self {
        Self {
            kind: FileKind::Other,
            version: Version::V101,
            version_text: None,
            generated: None,
            linked_data_default: None,
            namespaces: Vec::new(),
        }
    }

    /// What the root says whose start tag is at hand.
    pub(super) fn read(kind: FileKind, pull: &mut Pull<'_, '_>) -> Self {
        let owned = |name| pull.xml.attribute(name).map(str::to_owned);
        let mut head = Self {
            kind,
            version: Version::V101,
            version_text: owned("version"),
            generated: owned("generated-datetime"),
            linked_data_default: owned("linked-data-default"),
            namespaces: own_namespaces(pull.xml),
        };
        let text = head.version_text.as_deref().unwrap_or_default();
        head.version = version_of(text, pull);
        head
    }

    /// The root is none of the standard's: what stands inside may be all the same.
    pub(super) fn read_other(&mut self, expected: &str, pull: &mut Pull<'_, '_>) {
        self.namespaces = own_namespaces(pull.xml);
        let message = format!("the root is <{}>, not <{expected}>", pull.xml.name());
        pull.find(Severity::Error, "not-iati", &message);
    }
}

/// The version of that name; the nearest one, and a finding, where there is none.
pub(super) fn version_of(name: &str, pull: &mut Pull<'_, '_>) -> Version {
    Version::of_attribute(Some(name)).unwrap_or_else(|| {
        let version = if name.trim_start().starts_with('1') {
            Version::V105
        } else {
            Version::V203
        };
        let message = format!("the standard has no version {name:?}; read as {version}");
        pull.find(Severity::Error, "unknown-version", &message);
        version
    })
}

fn own_namespaces(xml: &Reader<Input<'_>>) -> Vec<(String, String)> {
    xml.declarations()
        .map(|(prefix, namespace)| (prefix.to_owned(), namespace.to_owned()))
        .collect()
}
