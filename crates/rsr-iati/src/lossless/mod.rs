//! Activities passed on byte for byte: extract, filter, split, merge.
//!
//! Nothing of an activity is understood but its identifier and attributes, so nothing of it changes: files of every
//! version keep their version, comments and white space stay. Three things may differ from the input. Files in another
//! encoding come out in UTF-8; where a prefix means something else around an activity than in the output, its declaration
//! is put into the activity's start tag; and what is no XML, or is not without a document type, such as a character that is
//! forbidden or an entity that only the file itself defines, becomes the text it is read as, and is counted.
//!
//! ```
//! use rsr_iati::lossless::filter;
//!
//! let file = b"<iati-activities version='2.03'>\
//!     <iati-activity ><iati-identifier>XM-1</iati-identifier></iati-activity >\
//!     <iati-activity><iati-identifier>XM-2</iati-identifier></iati-activity>\
//!     </iati-activities>";
//! let mut out = Vec::new();
//! filter(&file[..], &mut out, &mut |activity| activity.identifier.as_deref() == Some("XM-1"))?;
//! let out = String::from_utf8(out).unwrap();
//! assert!(out.contains("<iati-activity ><iati-identifier>XM-1</iati-identifier></iati-activity >"));
//! assert!(!out.contains("XM-2"));
//! # Ok::<(), rsr_iati::lossless::LosslessError>(())
//! ```

mod output;
mod raw;

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use rsr_base::ByteSize;

pub use output::Output;
pub use raw::{ActivityInfo, RawReader};

use crate::xml;

/// Why activities could not be passed on. What was written until then is no whole file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LosslessError {
    /// The input cannot be read on or is not well-formed from here on.
    #[error(transparent)]
    Xml(#[from] xml::Error),
    /// The output cannot be written, or an input not be opened.
    #[error("activities cannot be passed on")]
    Io(#[from] io::Error),
    /// One file has one version: activities of two cannot stand in it.
    #[error("activities of version {second} cannot join those of version {first}")]
    MixedVersions {
        /// The version of the output.
        first: String,
        /// The other version.
        second: String,
    },
}

/// What was passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Activities read.
    pub n_read: u64,
    /// Activities written.
    pub n_written: u64,
    /// Forbidden characters, wrong bytes and other things in the input that could not be passed on as they were.
    pub n_notices: u64,
}

/// Passes on the activities that `keep` wants. Where it wants none, nothing is written.
///
/// # Errors
///
/// [`LosslessError`].
pub fn filter<W: Write>(
    input: impl Read,
    out: W,
    keep: &mut dyn FnMut(&ActivityInfo) -> bool,
) -> Result<Tally, LosslessError> {
    let mut output = Output::new(out);
    let mut tally = Tally::default();
    pass(input, &mut output, keep, &mut tally)?;
    output.finish()?;
    Ok(tally)
}

/// Passes on the activities with these identifiers.
///
/// # Errors
///
/// [`LosslessError`].
pub fn extract<W: Write>(
    input: impl Read,
    out: W,
    identifiers: &BTreeSet<String>,
) -> Result<Tally, LosslessError> {
    filter(input, out, &mut |activity| {
        activity
            .identifier
            .as_ref()
            .is_some_and(|own| identifiers.contains(own))
    })
}

/// Passes on the activities of all inputs, in order, as one file. Inputs must be of one version.
///
/// # Errors
///
/// [`LosslessError`].
pub fn merge<R: Read, W: Write>(
    inputs: impl IntoIterator<Item = R>,
    out: W,
) -> Result<Tally, LosslessError> {
    let mut output = Output::new(out);
    let mut tally = Tally::default();
    for input in inputs {
        pass(input, &mut output, &mut |_| true, &mut tally)?;
    }
    output.finish()?;
    Ok(tally)
}

/// Where one file ends and the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Most bytes of a file; an activity that is larger alone gets a file of its own.
    pub size_max: ByteSize,
    /// Most activities of a file; 0 counts as 1.
    pub count_max: u64,
}

impl From<ByteSize> for Cut {
    fn from(size_max: ByteSize) -> Self {
        Self {
            size_max,
            count_max: u64::MAX,
        }
    }
}

/// A file that a cut made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Activities in it.
    pub n_activities: u64,
    /// Its bytes.
    pub n_bytes: u64,
}

/// Cuts a file into several. `open` gives the input, twice: one reader measures each activity before the other passes it
/// on, so that memory stays small. `create` gives the output of each number, from 1; `done` gets it back, flushed, when it
/// is whole and before the next one is created.
///
/// # Errors
///
/// [`LosslessError`].
pub fn split<R: Read, W: Write>(
    open: &mut dyn FnMut() -> io::Result<R>,
    cut: impl Into<Cut>,
    create: &mut dyn FnMut(usize) -> io::Result<W>,
    done: &mut dyn FnMut(W, Piece) -> io::Result<()>,
) -> Result<Tally, LosslessError> {
    let cut = cut.into();
    let mut ahead = RawReader::new(open()?);
    let mut reader = RawReader::new(open()?);
    let mut output: Option<Output<W>> = None;
    let (mut n_files, mut n_activities) = (0, 0);
    let mut finish = |output: Output<W>, n_activities| -> Result<(), LosslessError> {
        let (out, n_bytes) = output.finish_counted()?;
        let piece = Piece {
            n_activities,
            n_bytes,
        };
        Ok(done(out, piece)?)
    };
    let mut tally = Tally::default();
    while reader.next_activity()?.is_some() {
        ahead.next_activity()?;
        let size = ahead.pass_over_size()?;
        drop(ahead.take_notices());
        let is_full = |output: &mut Output<W>| {
            n_activities >= cut.count_max || output.size_with(size) > cut.size_max.bytes()
        };
        if let Some(full) = output.take_if(is_full) {
            finish(full, n_activities)?;
        }
        let to = match &mut output {
            Some(to) => to,
            None => {
                n_files += 1;
                n_activities = 0;
                output.insert(Output::new(create(n_files)?))
            }
        };
        to.activity(&mut reader)?;
        n_activities += 1;
        tally.n_written += 1;
        tally.n_notices += count(&reader.take_notices());
    }
    if let Some(last) = output {
        finish(last, n_activities)?;
    }
    tally.n_read = reader.n_read();
    Ok(tally)
}

fn count(notices: &[xml::Notice]) -> u64 {
    notices.iter().map(|notice| notice.count).sum()
}

fn pass<W: Write>(
    input: impl Read,
    output: &mut Output<W>,
    keep: &mut dyn FnMut(&ActivityInfo) -> bool,
    tally: &mut Tally,
) -> Result<(), LosslessError> {
    let mut reader = RawReader::new(input);
    while let Some(activity) = reader.next_activity()? {
        if keep(&activity) {
            output.activity(&mut reader)?;
            tally.n_written += 1;
        }
        tally.n_notices += count(&reader.take_notices());
    }
    tally.n_read += reader.n_read();
    Ok(())
}
