//! Exports to files: split, synced, renamed.

use std::error::Error;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;

use rsr_base::ByteSize;

use super::parts::{Unfinished, numbered, sync_folder};
use super::{
    ActivitySource, ExportError, ExportNote, ExportOptions, ExportSummary, ExportedFile,
    OrganisationSource, Source, copy_subject,
};
use crate::model::{ActivityElement, Child, OrganisationElement};
use crate::writer::FileWriter;

/// A whole file without a name.
struct Part {
    unfinished: Unfinished,
    file: File,
    n_activities: u64,
    n_bytes: u64,
}

/// The file at hand.
struct Current<E> {
    unfinished: Unfinished,
    writer: FileWriter<File, E>,
}

/// Writes all activities of `source` to `target`, or, where they do not fit one file, to files numbered from 1:
/// `out.xml`, or `out-1.xml`, `out-2.xml` … Where there are no activities there is no file, and an older one stays.
///
/// # Errors
///
/// [`ExportError`]: nothing is left behind, and what had the target's name before still has it.
pub fn export_to_file<S: ActivitySource>(
    source: &mut S,
    target: &Path,
    options: &ExportOptions,
    note: &mut dyn FnMut(ExportNote),
) -> Result<ExportSummary, ExportError<S::Error>> {
    to_files::<ActivityElement, S>(source, target, options, note)
}

/// Writes all organisations of `source`, as [`export_to_file`] does activities.
///
/// # Errors
///
/// As [`export_to_file`].
pub fn export_organisations_to_file<S: OrganisationSource>(
    source: &mut S,
    target: &Path,
    options: &ExportOptions,
    note: &mut dyn FnMut(ExportNote),
) -> Result<ExportSummary, ExportError<S::Error>> {
    to_files::<OrganisationElement, S>(source, target, options, note)
}

fn to_files<E: Child, S: Source<E>>(
    source: &mut S,
    target: &Path,
    options: &ExportOptions,
    note: &mut dyn FnMut(ExportNote),
) -> Result<ExportSummary, ExportError<S::Error>> {
    let failed = |error| failure(target, error);
    let mut summary = ExportSummary::default();
    let mut parts: Vec<Part> = Vec::new();
    let mut current: Option<Current<E>> = None;
    while let Some(head) = source.next_subject().map_err(ExportError::Source)? {
        let at = match &mut current {
            Some(at) => at,
            None => current.insert(begin(target, options).map_err(failed)?),
        };
        let mark = at.writer.offset();
        let before = at.writer.n_activities();
        let identifier = copy_subject(source, &head, &mut at.writer, &mut summary, note)?;
        let whole = at.writer.size_ended();
        if at.writer.n_activities() == before || whole <= options.split.bytes() {
            continue;
        }
        if before == 0 {
            // It does not fit anywhere: a file of its own.
            note(ExportNote::FileTooLarge {
                identifier,
                size: ByteSize::from_bytes(whole),
            });
        } else {
            let mut next = begin(target, options).map_err(failed)?;
            move_last(&mut at.writer, mark, &mut next.writer).map_err(failed)?;
            let size = next.writer.size_ended();
            let full = current.replace(next);
            parts.extend(
                full.map(|full| end::<E, S::Error>(full, &mut summary))
                    .transpose()?,
            );
            if size > options.split.bytes() {
                note(ExportNote::FileTooLarge {
                    identifier,
                    size: ByteSize::from_bytes(size),
                });
            }
        }
    }
    // The last file may hold nothing, where every activity was left out.
    if let Some(last) = current.filter(|last| last.writer.n_activities() > 0) {
        parts.push(end::<E, S::Error>(last, &mut summary)?);
    }
    summary.files = name_all(parts, target, options.gzip).map_err(failed)?;
    Ok(summary)
}

fn failure<E: Error>(target: &Path, error: io::Error) -> ExportError<E> {
    ExportError::File {
        path: target.to_owned(),
        error,
    }
}

fn begin<E: Child>(target: &Path, options: &ExportOptions) -> io::Result<Current<E>> {
    let (unfinished, file) = Unfinished::beside(target)?;
    Ok(Current {
        unfinished,
        writer: FileWriter::begin(file, &options.file),
    })
}

fn end<E: Child, F: Error>(
    current: Current<E>,
    summary: &mut ExportSummary,
) -> Result<Part, ExportError<F>> {
    summary.take_counts(&current.writer);
    let n_activities = current.writer.n_activities();
    let n_bytes = current.writer.size_ended();
    let file = current.writer.finish()?;
    Ok(Part {
        unfinished: current.unfinished,
        file,
        n_activities,
        n_bytes,
    })
}

/// Moves the activity or organisation that begins at `mark` to the next file.
fn move_last<E: Child>(
    from: &mut FileWriter<File, E>,
    mark: u64,
    to: &mut FileWriter<File, E>,
) -> io::Result<()> {
    from.flush_buffer()?;
    to.flush_buffer()?;
    let n_bytes = from.n_bytes() - mark;
    let file = from.out_mut();
    file.seek(SeekFrom::Start(mark))?;
    io::copy(file, to.out_mut())?;
    file.set_len(mark)?;
    file.seek(SeekFrom::Start(mark))?;
    from.give_last(n_bytes, to);
    Ok(())
}

/// Syncs the files and gives them their names, the first one last: where it is there, all are.
fn name_all(parts: Vec<Part>, target: &Path, gzip: bool) -> io::Result<Vec<ExportedFile>> {
    let many = parts.len() > 1;
    let mut files = Vec::new();
    let mut ready = Vec::new();
    for (i, part) in parts.into_iter().enumerate() {
        let path = if many {
            numbered(target, i + 1)
        } else {
            target.to_owned()
        };
        let (unfinished, file) = if gzip {
            part.unfinished.zipped(target)?
        } else {
            (part.unfinished, part.file)
        };
        file.sync_all()?;
        ready.push((unfinished, path.clone()));
        files.push(ExportedFile {
            path,
            n_activities: part.n_activities,
            size: ByteSize::from_bytes(part.n_bytes),
        });
    }
    for (unfinished, path) in ready.into_iter().rev() {
        unfinished.persist(&path)?;
    }
    if !files.is_empty() {
        sync_folder(target)?;
    }
    Ok(files)
}
