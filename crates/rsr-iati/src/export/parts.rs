//! Files that take their names only when they are whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Names tried before giving up: this process gives each once, so one that is taken is left from another of its number.
const ATTEMPTS_MAX: u32 = 1_000;

/// Unfinished files that this process named.
static MADE: AtomicU32 = AtomicU32::new(0);

/// A file beside its target, `.NAME.PROCESS-N.part`. Dropped without [`persist`](Self::persist), it is gone.
///
/// What a process that was killed left of the same target is removed when the next one begins there. Those that are being
/// written are known by their process and, since processes of two containers may write to one folder, by a lock that lasts
/// as long as the file that [`beside`](Self::beside) gives.
#[derive(Debug)]
pub struct Unfinished {
    path: PathBuf,
    kept: bool,
}

impl Unfinished {
    /// Makes a new, empty file in the folder of `target`.
    ///
    /// # Errors
    ///
    /// Where the folder is missing, or may not be written to.
    pub fn beside(target: &Path) -> io::Result<(Self, File)> {
        let own = std::process::id();
        remove_abandoned(target);
        for _attempt in 0..ATTEMPTS_MAX {
            let n = MADE.fetch_add(1, Ordering::Relaxed);
            let path = target.with_file_name(format!("{}{own}-{n}.part", prefix(target)));
            match OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .open(&path)
            {
                Ok(file) => {
                    let unfinished = Self { path, kept: false };
                    // Where a file system has no locks, the number of the process is all that protects it.
                    let _locked: Result<(), TryLockError> = file.try_lock();
                    // Somebody may have taken it for abandoned before it was locked.
                    if unfinished.path.exists() {
                        return Ok((unfinished, file));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "unfinished files stand in the way beside the target",
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

    /// Where it is until then.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, in place of what may have it. Its content must be synced.
    ///
    /// # Errors
    ///
    /// Where the target is a folder, or its folder may not be written to: the file is gone then.
    pub fn persist(mut self, target: &Path) -> io::Result<()> {
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

/// What the names of unfinished files beside `target` begin with.
fn prefix(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default();
    format!(".{}.", name.to_string_lossy())
}

/// Removes the unfinished files of this target whose process is no more and which nobody has locked. What cannot be removed is in nobody's way.
fn remove_abandoned(target: &Path) {
    let Ok(entries) = fs::read_dir(folder_of(target)) else {
        return;
    };
    let prefix = prefix(target);
    for entry in entries.flatten() {
        let name = entry.file_name();
        let process = name
            .to_str()
            .and_then(|name| name.strip_prefix(&prefix)?.strip_suffix(".part"))
            .and_then(|middle| middle.split_once('-'))
            .and_then(|(process, _)| process.parse::<u32>().ok());
        // A process of another container has a number that means nothing here, and its lock on the file.
        let is_held = || File::open(entry.path()).is_ok_and(|file| file.try_lock().is_err());
        if process.is_some_and(|process| !is_running(process)) && !is_held() {
            let _gone: io::Result<()> = fs::remove_file(entry.path());
        }
    }
}

/// Whether there is a process of that number; where the system does not tell, there is one.
fn is_running(process: u32) -> bool {
    let all = Path::new("/proc");
    !all.join("self").exists() || all.join(process.to_string()).exists()
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes the name that `target` got, and those beside it, last through a power cut.
///
/// # Errors
///
/// Where the folder cannot be synced.
pub fn sync_folder(target: &Path) -> io::Result<()> {
    File::open(folder_of(target))?.sync_all()
}

/// The name of one of several files: a number before the endings `.xml` and `.gz`.
#[must_use]
pub fn numbered(target: &Path, number: usize) -> PathBuf {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_container_writes_stays_and_what_nobody_writes_goes() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let target = folder.path().join("out.xml");
        // No process of this machine has that number.
        let number = folder.path().join(".out.xml.4000000000-0.part");
        let theirs = File::create(&number).expect("a file can be made");
        theirs.lock().expect("it can be locked");
        let ours = Unfinished::beside(&target).expect("there is room");
        assert!(number.exists(), "somebody holds it");
        drop(theirs);
        let more = Unfinished::beside(&target).expect("there is room");
        assert!(!number.exists(), "nobody holds it");
        assert!(ours.0.path().exists() && more.0.path().exists());
    }
}
