//! Writing 2.03, in an order that no caller can break.
//!
//! A [`FileWriter`] gives out one [`ActivityWriter`] at a time, and that takes elements in the order of 2.03 alone:
//! anything else is an error that names both elements. An activity whose required elements are missing never reaches the
//! file. Forbidden characters become U+FFFD and are counted.
//!
//! ```
//! use rsr_iati::model::{ActivityElement, ActivityHead, Identifier, TextBlock};
//! use rsr_iati::writer::{FileOptions, FileWriter, WriteError};
//!
//! let mut file = FileWriter::new(Vec::new(), &FileOptions::default());
//! let mut activity = file.activity(&ActivityHead::default());
//! activity.element(&ActivityElement::Title(TextBlock::new("Wells")))?;
//! let error = activity.element(&ActivityElement::Identifier(Identifier::new("XM-1"))).unwrap_err();
//! assert_eq!(error.to_string(), "<iati-identifier> cannot come after <title>");
//! # Ok::<(), WriteError>(())
//! ```

mod activity;

use std::io::{self, Write};
use std::marker::PhantomData;

use activity::FLUSH_BYTES;
pub use activity::{Gaps, SubjectWriter};

use crate::model::{
    ActivityElement, ActivityHead, Child, DateTime, Gap, OrganisationElement, OrganisationHead,
};
use crate::xml::escape_attribute;

/// What the root of a file says.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FileOptions {
    /// `@generated-datetime`; left out where there is none, so that the same input gives the same bytes.
    pub generated: Option<DateTime>,
    /// `@linked-data-default`.
    pub linked_data_default: Option<String>,
    /// Prefixes and namespaces of extensions, declared once on the root. Others are declared where they are used.
    pub namespaces: Vec<(String, String)>,
    /// What becomes of elements with gaps.
    pub gaps: Gaps,
}

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Elements in another order than that of 2.03. Nothing of the element was written; the activity may go on.
    #[error("<{element}> cannot come after <{after}>")]
    OutOfOrder {
        /// The element that came too late.
        element: &'static str,
        /// The last one written.
        after: &'static str,
    },
    /// A second element of a kind that stands once. Nothing of it was written; the activity may go on.
    #[error("<{element}> may stand once")]
    Repeated {
        /// Its name.
        element: &'static str,
    },
    /// The standard has no such element. Nothing of it was written; the activity may go on.
    #[error("the standard has no <{element}>")]
    Unknown {
        /// Its name.
        element: String,
    },
    /// The element has gaps. Nothing of it was written; the activity may go on.
    #[error("{}", list(.gaps))]
    Gaps {
        /// All of them, at least one.
        gaps: Vec<Gap>,
    },
    /// The activity lacks an element that every activity has. Nothing of the activity was written; what is still to come
    /// of it is refused.
    #[error("the {subject} has no <{element}>")]
    Missing {
        /// "activity" or "organisation".
        subject: &'static str,
        /// Its name.
        element: &'static str,
    },
    /// An activity was dropped after part of it was written.
    #[error("an activity was given up half-way, so the file is not complete")]
    Unfinished,
    /// The file could not be written.
    #[error("the file cannot be written")]
    Io(#[from] io::Error),
}

fn list(gaps: &[Gap]) -> String {
    let texts: Vec<String> = gaps.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

/// Takes the elements of one activity.
pub type ActivityWriter<'f, W> = SubjectWriter<'f, W, ActivityElement>;

/// Takes the elements of one organisation.
pub type OrganisationWriter<'f, W> = SubjectWriter<'f, W, OrganisationElement>;

/// A file of organisations.
///
/// ```
/// use rsr_iati::model::{Identifier, OrganisationElement, OrganisationHead, TextBlock};
/// use rsr_iati::writer::{FileOptions, OrganisationFileWriter, WriteError};
///
/// let mut file = OrganisationFileWriter::of_organisations(Vec::new(), &FileOptions::default());
/// let mut organisation = file.organisation(&OrganisationHead::default());
/// organisation.element(&OrganisationElement::Name(TextBlock::new("Wells for all")))?;
/// let identifier = OrganisationElement::Identifier(Identifier::new("XM-1"));
/// let error = organisation.element(&identifier).unwrap_err();
/// assert_eq!(error.to_string(), "<organisation-identifier> cannot come after <name>");
/// assert_eq!(organisation.end().unwrap_err().to_string(), "the organisation has no <organisation-identifier>");
/// # Ok::<(), WriteError>(())
/// ```
pub type OrganisationFileWriter<W> = FileWriter<W, OrganisationElement>;

/// A file of activities, or of organisations. Memory: a buffer of 64 KiB and the element at hand.
#[derive(Debug)]
pub struct FileWriter<W, E = ActivityElement> {
    out: W,
    elements: PhantomData<fn(E)>,
    options: FileOptions,
    /// What is not yet in `out`.
    buffer: String,
    n_bytes: u64,
    n_activities: u64,
    n_replaced: u64,
    n_left_out: u64,
    unfinished: bool,
}

impl<W: Write> FileWriter<W> {
    /// Begins a file of activities. Nothing is written before its first activity.
    #[must_use]
    pub fn new(out: W, options: &FileOptions) -> Self {
        Self::begin(out, options)
    }

    /// Begins an activity.
    pub fn activity(&mut self, head: &ActivityHead) -> ActivityWriter<'_, W> {
        self.subject(head)
    }
}

impl<W: Write> OrganisationFileWriter<W> {
    /// Begins a file of organisations. Nothing is written before its first organisation.
    #[must_use]
    pub fn of_organisations(out: W, options: &FileOptions) -> Self {
        Self::begin(out, options)
    }

    /// Begins an organisation.
    pub fn organisation(&mut self, head: &OrganisationHead) -> OrganisationWriter<'_, W> {
        self.subject(head)
    }
}

#[expect(
    private_bounds,
    reason = "an activity and an organisation are all there is to write"
)]
impl<W: Write, E: Child> FileWriter<W, E> {
    pub(crate) fn begin(out: W, options: &FileOptions) -> Self {
        let mut file = Self {
            out,
            elements: PhantomData,
            options: options.clone(),
            buffer: String::new(),
            n_bytes: 0,
            n_activities: 0,
            n_replaced: 0,
            n_left_out: 0,
            unfinished: false,
        };
        file.write_root();
        file
    }

    pub(crate) fn subject(&mut self, head: &E::Head) -> SubjectWriter<'_, W, E> {
        SubjectWriter::new(self, head)
    }

    fn write_root(&mut self) {
        let buffer = &mut self.buffer;
        buffer.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<");
        buffer.push_str(E::ROOT);
        buffer.push_str(" version=\"2.03\"");
        let mut attribute = |name: &str, value: &str| {
            buffer.push(' ');
            buffer.push_str(name);
            buffer.push_str("=\"");
            self.n_replaced += escape_attribute(value, buffer);
            buffer.push('"');
        };
        if let Some(generated) = &self.options.generated {
            attribute("generated-datetime", generated.as_str());
        }
        // Organisation files have no such attribute.
        let uri = &self.options.linked_data_default;
        if let Some(uri) = uri.as_ref().filter(|_| E::ROOT == ActivityElement::ROOT) {
            attribute("linked-data-default", uri);
        }
        // The default namespace is IATI's own: none.
        self.options
            .namespaces
            .retain(|(prefix, namespace)| !prefix.is_empty() && !namespace.is_empty());
        for (prefix, namespace) in &self.options.namespaces {
            attribute(&format!("xmlns:{prefix}"), namespace);
        }
        buffer.push_str(">\n");
    }

    /// Ends the file and gives back what it was written to, flushed. Without an activity nothing was written to it: a file
    /// of none is not valid.
    ///
    /// # Errors
    ///
    /// [`WriteError::Io`], and [`WriteError::Unfinished`] where an activity was dropped after part of it was written.
    pub fn finish(mut self) -> Result<W, WriteError> {
        if self.unfinished {
            return Err(WriteError::Unfinished);
        }
        if self.n_activities > 0 {
            for piece in ["</", E::ROOT, ">\n"] {
                self.buffer.push_str(piece);
            }
            self.flush_buffer()?;
        }
        self.out.flush()?;
        Ok(self.out)
    }

    /// Bytes handed to the output so far.
    #[must_use]
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// Activities, or organisations, written.
    #[must_use]
    pub fn n_activities(&self) -> u64 {
        self.n_activities
    }

    /// Forbidden characters that U+FFFD took the place of.
    #[must_use]
    pub fn n_replaced(&self) -> u64 {
        self.n_replaced
    }

    /// Attributes and elements inside of others that 2.03 has no place for and that were left out.
    #[must_use]
    pub fn n_left_out(&self) -> u64 {
        self.n_left_out
    }

    /// Bytes of the file so far, those included that are still in the buffer.
    pub(crate) fn offset(&self) -> u64 {
        self.n_bytes + self.buffer.len() as u64
    }

    /// Bytes of the file if it were ended now.
    pub(crate) fn size_ended(&self) -> u64 {
        self.offset() + ("</".len() + E::ROOT.len() + ">\n".len()) as u64
    }

    pub(crate) fn out_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Counts the last activity in another file, where its bytes went.
    pub(crate) fn give_last(&mut self, n_bytes: u64, to: &mut Self) {
        self.n_activities -= 1;
        self.n_bytes -= n_bytes;
        to.n_activities += 1;
        to.n_bytes += n_bytes;
    }

    pub(crate) fn flush_buffer(&mut self) -> io::Result<()> {
        self.out.write_all(self.buffer.as_bytes())?;
        self.n_bytes += self.buffer.len() as u64;
        self.buffer.clear();
        // After a huge element, give the memory back.
        self.buffer.shrink_to(4 * FLUSH_BYTES);
        Ok(())
    }
}
