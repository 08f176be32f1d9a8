//! Whole files of 2.03 from wherever activities are kept.
//!
//! Whoever keeps activities implements [`ActivitySource`]; [`export`] streams them to any writer, [`export_to_file`]
//! makes files: split before the registry's limit, written beside their target, synced and renamed, so that nothing
//! half-written ever stands under the target's name. What is not valid is left out and told, never filled in. The same
//! activities give the same bytes. Organisations have an [`OrganisationSource`] and the same two ways out.
//!
//! Memory: the element at hand, and what the source holds.

mod file;
mod parts;

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use rsr_base::ByteSize;

pub use file::{export_organisations_to_file, export_to_file};
pub use parts::{Unfinished, numbered, sync_folder};

use crate::model::{ActivityElement, ActivityHead, Child, OrganisationElement, OrganisationHead};
use crate::writer::{FileOptions, FileWriter, WriteError};

/// Gives activities one by one, each element by element.
pub trait ActivitySource {
    /// Why it could not go on.
    type Error: Error + Send + Sync + 'static;

    /// Goes on to the next activity and gives its attributes; `None` after the last one. Elements of the one before that
    /// were not asked for are passed over.
    ///
    /// # Errors
    ///
    /// Where the source fails; the export ends with it.
    fn next_activity(&mut self) -> Result<Option<ActivityHead>, Self::Error>;

    /// The next element of the activity in the order of 2.03; `None` after the last one.
    ///
    /// # Errors
    ///
    /// Where the source fails; the export ends with it.
    fn next_element(&mut self) -> Result<Option<ActivityElement>, Self::Error>;
}

/// Gives organisations one by one, each element by element.
pub trait OrganisationSource {
    /// Why it could not go on.
    type Error: Error + Send + Sync + 'static;

    /// Goes on to the next organisation and gives its attributes; `None` after the last one. Elements of the one before
    /// that were not asked for are passed over.
    ///
    /// # Errors
    ///
    /// Where the source fails; the export ends with it.
    fn next_organisation(&mut self) -> Result<Option<OrganisationHead>, Self::Error>;

    /// The next element of the organisation in the order of 2.03; `None` after the last one.
    ///
    /// # Errors
    ///
    /// Where the source fails; the export ends with it.
    fn next_element(&mut self) -> Result<Option<OrganisationElement>, Self::Error>;
}

/// What both kinds of source are to an export: heads, and elements of one kind.
trait Source<E: Child> {
    type Error: Error + Send + Sync + 'static;

    fn next_subject(&mut self) -> Result<Option<E::Head>, Self::Error>;

    fn next_child(&mut self) -> Result<Option<E>, Self::Error>;
}

impl<S: ActivitySource> Source<ActivityElement> for S {
    type Error = S::Error;

    fn next_subject(&mut self) -> Result<Option<ActivityHead>, S::Error> {
        self.next_activity()
    }

    fn next_child(&mut self) -> Result<Option<ActivityElement>, S::Error> {
        self.next_element()
    }
}

impl<S: OrganisationSource> Source<OrganisationElement> for S {
    type Error = S::Error;

    fn next_subject(&mut self) -> Result<Option<OrganisationHead>, S::Error> {
        self.next_organisation()
    }

    fn next_child(&mut self) -> Result<Option<OrganisationElement>, S::Error> {
        self.next_element()
    }
}

/// How to export.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExportOptions {
    /// What the root of each file says, and what becomes of elements with gaps.
    pub file: FileOptions,
    /// Files end before they would be larger than this, uncompressed. 60,000,000 bytes: what the registry takes.
    pub split: ByteSize,
    /// Compresses with gzip.
    pub gzip: bool,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            file: FileOptions::default(),
            split: ByteSize::from_bytes(60_000_000),
            gzip: false,
        }
    }
}

impl From<&rsr_settings::IatiSettings> for ExportOptions {
    fn from(settings: &rsr_settings::IatiSettings) -> Self {
        Self {
            split: settings.split_bytes,
            ..Self::default()
        }
    }
}

/// Something that an export could not give.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExportNote {
    /// An activity, or an organisation, was left out.
    ActivityOmitted {
        /// Its identifier, where it has one.
        identifier: Option<String>,
        /// Why.
        reason: WriteError,
    },
    /// An element was left out.
    ElementOmitted {
        /// The identifier of what it stands in, where that has one.
        identifier: Option<String>,
        /// Its name.
        element: String,
        /// Why.
        reason: WriteError,
    },
    /// One activity, or organisation, alone makes a file larger than asked for.
    FileTooLarge {
        /// Its identifier, where it has one.
        identifier: Option<String>,
        /// The size of the file.
        size: ByteSize,
    },
}

/// What came of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportSummary {
    /// Activities, or organisations, written.
    pub n_activities: u64,
    /// Activities, or organisations, left out.
    pub n_activities_omitted: u64,
    /// Elements left out of those that were written.
    pub n_elements_omitted: u64,
    /// Attributes and elements left out inside of elements, since 2.03 has no place for them.
    pub n_parts_omitted: u64,
    /// Characters that XML forbids; U+FFFD took their place.
    pub n_characters_replaced: u64,
    /// The files in their order; none for a stream.
    pub files: Vec<ExportedFile>,
}

/// A file that an export made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedFile {
    /// Where it is.
    pub path: PathBuf,
    /// How many activities, or organisations, it holds.
    pub n_activities: u64,
    /// Its size before compression.
    pub size: ByteSize,
}

/// Why an export ended before its source did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError<E: Error + 'static> {
    /// The source failed.
    #[error("the activities cannot be read")]
    Source(#[source] E),
    /// The output failed, or the source gave elements in a wrong order.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A file could not be made.
    #[error("{} cannot be written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
}

/// Streams all activities of `source` to `out`. Where there is none, nothing is written: a file of no activities is not
/// valid.
///
/// # Errors
///
/// [`ExportError::Source`] and [`ExportError::Write`]; what `out` got until then is not a whole file.
pub fn export<S: ActivitySource, W: Write>(
    source: &mut S,
    out: W,
    options: &ExportOptions,
    note: &mut dyn FnMut(ExportNote),
) -> Result<ExportSummary, ExportError<S::Error>> {
    to_writer::<ActivityElement, S, W>(source, out, options, note)
}

/// Streams all organisations of `source` to `out`, as [`export`] does activities.
///
/// # Errors
///
/// As [`export`].
pub fn export_organisations<S: OrganisationSource, W: Write>(
    source: &mut S,
    out: W,
    options: &ExportOptions,
    note: &mut dyn FnMut(ExportNote),
) -> Result<ExportSummary, ExportError<S::Error>> {
    to_writer::<OrganisationElement, S, W>(source, out, options, note)
}

fn to_writer<E: Child, S: Source<E>, W: Write>(
    source: &mut S,
    out: W,
    options: &ExportOptions,
    note: &mut dyn FnMut(ExportNote),
) -> Result<ExportSummary, ExportError<S::Error>> {
    if options.gzip {
        let zip = GzEncoder::new(out, Compression::default());
        let (summary, zip) = stream(source, zip, options, note)?;
        zip.finish().map_err(WriteError::Io)?;
        Ok(summary)
    } else {
        stream(source, out, options, note).map(|(summary, _out)| summary)
    }
}

fn stream<E: Child, S: Source<E>, W: Write>(
    source: &mut S,
    out: W,
    options: &ExportOptions,
    note: &mut dyn FnMut(ExportNote),
) -> Result<(ExportSummary, W), ExportError<S::Error>> {
    let mut file = FileWriter::begin(out, &options.file);
    let mut summary = ExportSummary::default();
    while let Some(head) = source.next_subject().map_err(ExportError::Source)? {
        copy_subject(source, &head, &mut file, &mut summary, note)?;
    }
    summary.take_counts(&file);
    let out = file.finish()?;
    Ok((summary, out))
}

impl ExportSummary {
    fn take_counts<E: Child, W: Write>(&mut self, file: &FileWriter<W, E>) {
        self.n_activities += file.n_activities();
        self.n_parts_omitted += file.n_left_out();
        self.n_characters_replaced += file.n_replaced();
    }
}

/// Writes one activity or organisation, or leaves it out and tells why. Gives its identifier.
fn copy_subject<E: Child, S: Source<E>, W: Write>(
    source: &mut S,
    head: &E::Head,
    file: &mut FileWriter<W, E>,
    summary: &mut ExportSummary,
    note: &mut dyn FnMut(ExportNote),
) -> Result<Option<String>, ExportError<S::Error>> {
    let mut identifier = None;
    let mut n_elements_omitted = 0;
    let mut subject = file.subject(head);
    let ended = loop {
        let Some(element) = source.next_child().map_err(ExportError::Source)? else {
            break subject.end();
        };
        if let Some(found) = element.as_identifier() {
            identifier = Some(found.to_owned());
        }
        match subject.element(&element) {
            Ok(()) => {}
            Err(missing @ WriteError::Missing { .. }) => break Err(missing),
            Err(
                fatal
                @ (WriteError::Io(_) | WriteError::OutOfOrder { .. } | WriteError::Unfinished),
            ) => {
                return Err(fatal.into());
            }
            Err(reason) => {
                n_elements_omitted += 1;
                let element = element.written_name().to_owned();
                note(ExportNote::ElementOmitted {
                    identifier: identifier.clone(),
                    element,
                    reason,
                });
            }
        }
    };
    match ended {
        Ok(()) => summary.n_elements_omitted += n_elements_omitted,
        Err(reason @ WriteError::Missing { .. }) => {
            summary.n_activities_omitted += 1;
            note(ExportNote::ActivityOmitted {
                identifier: identifier.clone(),
                reason,
            });
        }
        Err(fatal) => return Err(fatal.into()),
    }
    Ok(identifier)
}
