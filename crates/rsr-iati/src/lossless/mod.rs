//! Activities passed on byte for byte: extract, filter, split, merge.
//!
//! Nothing of an activity is understood but its identifier and attributes, so nothing of it changes: files of every
//! version keep their version, comments and white space stay. Two things may differ from the input. Files in another
//! encoding come out in UTF-8; and where a prefix means something else around an activity than in the output, its
//! declaration is put into the activity's start tag.
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

pub use raw::{ActivityInfo, RawReader};

use crate::xml;
use output::Output;

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

/// Cuts a file into files of `size_max` bytes at most; an activity that is larger alone gets one of its own. `open` gives
/// the input, twice: sizes are measured before anything is written, so that memory stays small. `create` gives the
/// output of each number, from 1.
///
/// # Errors
///
/// [`LosslessError`].
pub fn split<R: Read, W: Write>(
    open: &mut dyn FnMut() -> io::Result<R>,
    size_max: ByteSize,
    create: &mut dyn FnMut(usize) -> io::Result<W>,
) -> Result<Tally, LosslessError> {
    let mut sizes = Vec::new();
    let mut reader = RawReader::new(open()?);
    while reader.next_activity()?.is_some() {
        let inherited: usize = reader
            .inherited()
            .iter()
            .map(|(a, b)| a.len() + b.len() + 12)
            .sum();
        let mut size = (inherited + 1) as u64;
        while let Some(piece) = reader.next_piece()? {
            size += piece.len() as u64;
        }
        sizes.push(size);
    }
    let mut sizes = sizes.into_iter();
    let mut reader = RawReader::new(open()?);
    let mut output: Option<Output<W>> = None;
    let mut n_files = 0;
    let mut tally = Tally::default();
    while reader.next_activity()?.is_some() {
        let size = sizes.next().unwrap_or(0);
        if let Some(full) = output.take_if(|output| output.size_with(size) > size_max.bytes()) {
            full.finish()?;
        }
        let to = match &mut output {
            Some(to) => to,
            None => {
                n_files += 1;
                output.insert(Output::new(create(n_files)?))
            }
        };
        to.activity(&mut reader)?;
        tally.n_written += 1;
        tally.n_notices += reader.take_notices().len() as u64;
    }
    if let Some(last) = output {
        last.finish()?;
    }
    tally.n_read = reader.n_read();
    Ok(tally)
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
        tally.n_notices += reader
            .take_notices()
            .iter()
            .map(|notice| notice.count)
            .sum::<u64>();
    }
    tally.n_read += reader.n_read();
    Ok(())
}
