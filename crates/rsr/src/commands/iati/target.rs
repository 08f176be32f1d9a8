//! Where files go: whole under their name, or to standard output.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use rsr_iati::export::{Unfinished, sync_folder};

use crate::exit::{Exit, Failure};

/// What became of an output.
#[derive(Clone, Debug)]
pub(super) enum Written {
    /// It went to standard output.
    Standard,
    /// It is a file now, of so many bytes on the disk.
    File { path: PathBuf, n_bytes: u64 },
}

/// Refuses a file that cannot come to be, before any work is done.
pub(crate) fn check_target(target: &Path) -> Result<(), Failure> {
    let name = target.display();
    if target.is_dir() {
        return Err(Failure::new(
            Exit::Usage,
            format_args!("{name} is a folder: name the file to write in it"),
        ));
    }
    if target.file_name().is_none() {
        return Err(Failure::new(
            Exit::Usage,
            format_args!("{name} names no file: name the file to write"),
        ));
    }
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => Err(Failure::new(
            Exit::Usage,
            format_args!("{name} cannot be written: its folder does not exist, make it first"),
        )),
        _ => Ok(()),
    }
}

/// Whether what goes to this file is compressed.
pub(super) fn is_gzip(asked: bool, target: Option<&Path>) -> bool {
    asked || target.is_some_and(|path| path.extension().is_some_and(|ending| ending == "gz"))
}

/// Lets `work` write one file, or to standard output. The file takes its name when all of it is on the disk; where `work`
/// fails, or says that there is nothing to keep, nothing is left of it.
pub(super) fn write<T>(
    target: Option<&Path>,
    gzip: bool,
    work: impl FnOnce(&mut dyn Write) -> Result<(T, bool), Failure>,
) -> Result<(T, Written), Failure> {
    let gzip = is_gzip(gzip, target);
    let Some(target) = target else {
        let mut sink = Sink::new(io::stdout().lock(), gzip);
        let (done, is_kept) = work(&mut sink)?;
        if is_kept {
            drop(sink.finish().map_err(cannot_write)?);
        }
        return Ok((done, Written::Standard));
    };
    let (part, mut sink) = Part::begin(target, gzip).map_err(cannot_write)?;
    let (done, is_kept) = work(&mut sink)?;
    let n_bytes = match is_kept {
        true => part.end(sink, target).map_err(cannot_write)?,
        false => 0,
    };
    sync_folder(target).map_err(cannot_write)?;
    let path = target.to_owned();
    Ok((done, Written::File { path, n_bytes }))
}

/// An output that failed.
pub(super) fn cannot_write(error: io::Error) -> Failure {
    let exit = Exit::PartWay;
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::new(
            exit,
            "whoever read standard output went away; the file is not whole",
        ),
        io::ErrorKind::StorageFull => Failure::of(exit, error)
            .context("the disk is full, nothing was written: free some room"),
        _ => Failure::of(exit, error).context("the output cannot be written"),
    }
}

/// A file on its way to its name.
pub(super) struct Part {
    unfinished: Unfinished,
}

impl Part {
    /// Begins one beside its target.
    pub(super) fn begin(target: &Path, gzip: bool) -> io::Result<(Self, Sink<File>)> {
        let (unfinished, file) = Unfinished::beside(target)?;
        Ok((Self { unfinished }, Sink::new(file, gzip)))
    }

    /// Syncs it and gives it its name. Answers its bytes on the disk.
    pub(super) fn end(self, sink: Sink<File>, target: &Path) -> io::Result<u64> {
        let file = sink.finish()?;
        file.sync_all()?;
        let n_bytes = file.metadata()?.len();
        self.unfinished.persist(target)?;
        Ok(n_bytes)
    }

    /// Gives it its name, once what was written is synced.
    pub(super) fn name(self, target: &Path) -> io::Result<()> {
        self.unfinished.persist(target)
    }
}

/// A buffered output, compressed where asked for.
pub(super) enum Sink<W: Write> {
    Plain(BufWriter<W>),
    Gzip(Box<GzEncoder<BufWriter<W>>>),
}

impl<W: Write> Sink<W> {
    fn new(out: W, gzip: bool) -> Self {
        let out = BufWriter::new(out);
        match gzip {
            true => Self::Gzip(Box::new(GzEncoder::new(out, Compression::default()))),
            false => Self::Plain(out),
        }
    }

    /// Writes what is held back, and gives back the output.
    pub(super) fn finish(self) -> io::Result<W> {
        let out = match self {
            Self::Plain(out) => out,
            Self::Gzip(zip) => zip.finish()?,
        };
        out.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Gzip(zip) => zip.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            // A flush in the middle costs compression; the end writes all.
            Self::Gzip(_) => Ok(()),
        }
    }
}
