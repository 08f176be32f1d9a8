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

use activity::FLUSH_BYTES;
pub use activity::{ActivityWriter, Gaps};

use crate::model::{ActivityHead, DateTime, ElementKind, Gap};
use crate::xml::escape_attribute;

/// What comes after the last activity.
pub(crate) const CLOSING: &str = "</iati-activities>\n";

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
    #[error("<{element}> stands once in an activity")]
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
    #[error("the activity has no <{element}>")]
    Missing {
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

/// A file of activities. Memory: a buffer of 64 KiB and the element at hand.
#[derive(Debug)]
pub struct FileWriter<W> {
    out: W,
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
    /// Begins a file. Nothing is written before its first activity.
    #[must_use]
    pub fn new(out: W, options: &FileOptions) -> Self {
        let mut file = Self {
            out,
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

    fn write_root(&mut self) {
        let buffer = &mut self.buffer;
        buffer.push_str(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<iati-activities version=\"2.03\"",
        );
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
        if let Some(uri) = &self.options.linked_data_default {
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

    /// Begins an activity.
    pub fn activity(&mut self, head: &ActivityHead) -> ActivityWriter<'_, W> {
        ActivityWriter::new(self, head)
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
            self.buffer.push_str(CLOSING);
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

    /// Activities written.
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

/// The kinds that every activity has.
fn required() -> impl Iterator<Item = ElementKind> {
    ElementKind::NAMED
        .iter()
        .copied()
        .filter(|kind| kind.is_required())
}
