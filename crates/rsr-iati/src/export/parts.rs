//! Files that take their names only when they are whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

/// A file beside its target. Dropped without [`persist`](Self::persist), it is gone.
#[derive(Debug)]
pub(super) struct Unfinished {
    path: PathBuf,
    kept: bool,
}

impl Unfinished {
    /// Makes a new, empty file in the folder of `target`.
    pub(super) fn beside(target: &Path) -> io::Result<(Self, File)> {
        let name = target
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        for n in 0..1000_u32 {
            let path = target.with_file_name(format!(".{name}.{}-{n}.part", std::process::id()));
            match OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .open(&path)
            {
                Ok(file) => return Ok((Self { path, kept: false }, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "a thousand unfinished files stand beside the target",
        ))
    }

    /// The same content with gzip, in a file of its own.
    pub(super) fn zipped(self, target: &Path) -> io::Result<(Self, File)> {
        let (zipped, file) = Self::beside(target)?;
        let mut zip = GzEncoder::new(BufWriter::new(file), Compression::default());
        io::copy(&mut BufReader::new(File::open(&self.path)?), &mut zip)?;
        let mut out = zip.finish()?;
        out.flush()?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((zipped, file))
    }

    /// Gives the file its name, in place of what may have it. Its content must be synced.
    pub(super) fn persist(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.kept {
            // Nobody is left to tell, and a file named `.part` deceives nobody.
            let _gone: io::Result<()> = fs::remove_file(&self.path);
        }
    }
}

/// Makes the names that `targets` got last through a power cut.
pub(super) fn sync_folder(target: &Path) -> io::Result<()> {
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

/// The name of one of several files: a number before the endings `.xml` and `.gz`.
pub(super) fn numbered(target: &Path, number: usize) -> PathBuf {
    let name = target
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let without_gz = name.strip_suffix(".gz").unwrap_or(&name);
    let stem = without_gz.strip_suffix(".xml").unwrap_or(without_gz);
    let endings = name.get(stem.len()..).unwrap_or_default();
    target.with_file_name(format!("{stem}-{number}{endings}"))
}
