//! What activities and organisations have in common while they stream by.

use std::io::Read;

use rsr_iati::model::{
    ActivityElement, ActivityHead, ElementKind, FragmentError, OrganisationElement,
    OrganisationElementKind, OrganisationHead,
};
use rsr_iati::reader::{
    ActivityReader, Counts, Event, Finding, OrganisationEvent, OrganisationReader, ReadError,
    ReadOptions,
};
use rsr_iati::schema::FragmentChecker;

/// An element of one of the two, and how such are read.
pub(crate) trait Subject: Sized {
    /// The attributes of what it stands in.
    type Head;
    /// What reads the files.
    type Reader<'r>: Reading<Self>;
    /// What a file holds, for messages.
    const MANY: &'static str;
    /// Kinds of element, extensions and unknown ones included: ranks are below.
    const N_KINDS: usize;

    /// Begins to read a file.
    fn reader<'r>(read: impl Read + Send + 'r, options: &ReadOptions) -> Self::Reader<'r>;

    fn standing(&self) -> Standing;
    fn rank(&self) -> usize;
    fn name(&self) -> &str;
    fn identifier(&self) -> Option<&str>;
    fn to_xml(&self) -> String;
    fn from_xml(fragment: &str) -> Result<Self, FragmentError>;

    /// Why it cannot stand in a valid file.
    fn objection(&self, checker: &mut FragmentChecker, xml: &str) -> Option<String>;
}

/// Whether the standard knows an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Named,
    Extension,
    Unknown,
}

/// Reads files of one kind.
pub(crate) trait Reading<E: Subject> {
    fn next_step(&mut self) -> Result<Option<Step<E>>, ReadError>;
    fn take_findings(&mut self) -> Vec<Finding>;
    fn counts(&self) -> Counts;
}

/// What a reader comes upon.
pub(crate) enum Step<E: Subject> {
    Start(E::Head),
    Element(E),
    End,
    Skipped(Finding),
}

impl Reading<ActivityElement> for ActivityReader<'_> {
    fn next_step(&mut self) -> Result<Option<Step<ActivityElement>>, ReadError> {
        Ok(self.next_event()?.map(|event| match event {
            Event::ActivityStart(head, _) => Step::Start(head),
            Event::Element(element, _) => Step::Element(element),
            Event::ActivityEnd => Step::End,
            Event::ActivitySkipped(finding) => Step::Skipped(finding),
        }))
    }

    fn take_findings(&mut self) -> Vec<Finding> {
        self.take_findings()
    }

    fn counts(&self) -> Counts {
        self.counts()
    }
}

impl Reading<OrganisationElement> for OrganisationReader<'_> {
    fn next_step(&mut self) -> Result<Option<Step<OrganisationElement>>, ReadError> {
        Ok(self.next_event()?.map(|event| match event {
            OrganisationEvent::Start(head, _) => Step::Start(head),
            OrganisationEvent::Element(element, _) => Step::Element(element),
            OrganisationEvent::End => Step::End,
            OrganisationEvent::Skipped(finding) => Step::Skipped(finding),
        }))
    }

    fn take_findings(&mut self) -> Vec<Finding> {
        self.take_findings()
    }

    fn counts(&self) -> Counts {
        self.counts()
    }
}

/// What the two enums of elements say of themselves under the same names.
macro_rules! subject {
    ($Element:ident, $Kind:ident, $Head:ident, $Reader:ident, $many:literal) => {
        impl Subject for $Element {
            type Head = $Head;
            type Reader<'r> = $Reader<'r>;
            const MANY: &'static str = $many;
            const N_KINDS: usize = $Kind::NAMED.len() + 2;

            fn reader<'r>(read: impl Read + Send + 'r, options: &ReadOptions) -> $Reader<'r> {
                $Reader::with_options(read, options)
            }

            fn standing(&self) -> Standing {
                match self.kind() {
                    $Kind::Extension => Standing::Extension,
                    $Kind::Unknown => Standing::Unknown,
                    _ => Standing::Named,
                }
            }

            fn rank(&self) -> usize {
                self.rank()
            }

            fn name(&self) -> &str {
                self.name()
            }

            fn identifier(&self) -> Option<&str> {
                match self {
                    Self::Identifier(identifier) => Some(identifier.identifier()),
                    _ => None,
                }
            }

            fn to_xml(&self) -> String {
                self.to_xml()
            }

            fn from_xml(fragment: &str) -> Result<Self, FragmentError> {
                Self::from_xml(fragment)
            }

            fn objection(&self, checker: &mut FragmentChecker, xml: &str) -> Option<String> {
                checker.objection(self, xml)
            }
        }
    };
}

subject!(
    ActivityElement,
    ElementKind,
    ActivityHead,
    ActivityReader,
    "activities"
);
subject!(
    OrganisationElement,
    OrganisationElementKind,
    OrganisationHead,
    OrganisationReader,
    "organisations"
);
