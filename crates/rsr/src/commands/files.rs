//! From the paths of a command line to files that can be read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;

/// One input of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// Standard input.
    Standard,
    /// A file.
    File(PathBuf),
}

impl Input {
    /// The name that reports show.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Standard => "-".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The length in bytes, where it is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::Standard => None,
            Self::File(path) => fs::metadata(path)
                .ok()
                .filter(fs::Metadata::is_file)
                .map(|file| file.len()),
        }
    }

    /// Opens it.
    pub(crate) fn open(&self) -> Result<Box<dyn Read + Send>, Failure> {
        match self {
            Self::Standard => Ok(Box::new(io::stdin())),
            Self::File(path) => match File::open(path) {
                Ok(file) => Ok(Box::new(file)),
                Err(error) => Err(cannot_read(path, error)),
            },
        }
    }
}

/// The inputs that the paths name: a folder stands for every `.xml` and `.xml.gz` under it, in the order of their
/// names. Links to folders are not followed, so a link to a folder above does not go round for ever.
///
/// # Errors
///
/// Where a path does not exist, or a folder has no such file: exit code 2, before anything is read.
pub(crate) fn inputs(paths: &[PathBuf]) -> Result<Vec<Input>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            found.push(Input::Standard);
            continue;
        }
        let kind = fs::metadata(path).map_err(|error| cannot_read(path, error))?;
        if !kind.is_dir() {
            found.push(Input::File(path.clone()));
            continue;
        }
        let before = found.len();
        below(path, &mut found)?;
        if found.len() == before {
            let message = format!(
                "{}: no .xml or .xml.gz file in this folder: name another folder, or the files themselves",
                path.display()
            );
            return Err(Failure::new(Exit::Usage, message));
        }
    }
    Ok(found)
}

/// A source that ends early at Ctrl-C.
#[derive(Debug)]
pub(crate) struct Stoppable<'i, R> {
    source: R,
    interrupt: &'i Interrupt,
}

impl<'i, R> Stoppable<'i, R> {
    /// Watches over the reading of `source`.
    pub(crate) fn new(source: R, interrupt: &'i Interrupt) -> Self {
        Self { source, interrupt }
    }
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.interrupt.is_raised() {
            return Err(io::Error::other("stopped by Ctrl-C"));
        }
        self.source.read(bytes)
    }
}

fn below(folder: &Path, found: &mut Vec<Input>) -> Result<(), Failure> {
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        let entries: io::Result<Vec<_>> = fs::read_dir(&folder).and_then(Iterator::collect);
        let mut entries = entries.map_err(|error| cannot_read(&folder, error))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        let mut folders = Vec::new();
        for entry in entries {
            let path = entry.path();
            let kind = entry
                .file_type()
                .map_err(|error| cannot_read(&path, error))?;
            if kind.is_dir() {
                folders.push(path);
            } else if is_xml(&path) && path.is_file() {
                found.push(Input::File(path));
            }
        }
        waiting.extend(folders.into_iter().rev());
    }
    Ok(())
}

fn is_xml(path: &Path) -> bool {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    name.ends_with(".xml") || name.ends_with(".xml.gz")
}

fn cannot_read(path: &Path, error: io::Error) -> Failure {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "check its permissions",
        _ => "check the disk",
    };
    Failure::of(Exit::Usage, error)
        .context(format_args!("cannot read {} ({advice})", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path, paths: &[&str]) -> Result<Vec<String>, Exit> {
        let paths: Vec<_> = paths
            .iter()
            .map(|path| {
                if *path == "-" {
                    PathBuf::from("-")
                } else {
                    folder.join(path)
                }
            })
            .collect();
        let found = inputs(&paths).map_err(|failure| failure.exit)?;
        Ok(found
            .iter()
            .map(|input| input.name().replace(&format!("{}/", folder.display()), ""))
            .collect())
    }

    #[test]
    fn folders_are_searched_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("data/b/deep")).unwrap();
        fs::create_dir(root.join("empty")).unwrap();
        for file in [
            "data/c.xml",
            "data/a.XML",
            "data/b/deep/d.xml.gz",
            "data/notes.txt",
            "one.bin",
        ] {
            fs::write(root.join(file), "").unwrap();
        }
        std::os::unix::fs::symlink(root.join("data"), root.join("data/b/round")).unwrap();
        assert_eq!(
            names(root, &["data"]).unwrap(),
            ["data/a.XML", "data/c.xml", "data/b/deep/d.xml.gz"]
        );
        assert_eq!(
            names(root, &["one.bin", "-"]).unwrap(),
            ["one.bin", "-"],
            "a named file is read whatever its name"
        );
        assert_eq!(names(root, &["empty"]), Err(Exit::Usage));
        assert_eq!(names(root, &["data/none.xml"]), Err(Exit::Usage));
    }
}
