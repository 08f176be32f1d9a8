//! Small files of the kernel, read whole.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rsr_base::{ByteSize, read_file_at_most};

/// Longer than any file read here; the kernel's own are below a page or two.
const LENGTH_MAX: usize = 64 << 10;

/// A file that stays open and is read again from its start.
#[derive(Debug)]
pub(super) struct KeptFile {
    file: Option<File>,
}

impl KeptFile {
    /// Opens the file; one that cannot be opened reads as absent.
    pub(super) fn open(path: &Path) -> Self {
        Self {
            file: File::open(path).ok(),
        }
    }

    /// Hands the text to `parse`. A kernel file is made anew by each read at its start, and fits one read.
    pub(super) fn read<const N: usize, T>(
        &self,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let mut buffer = [0; N];
        let mut length = 0;
        while length < N {
            let rest = buffer.get_mut(length..)?;
            match self.file.as_ref()?.read_at(rest, length as u64).ok()? {
                0 => break,
                n => length += n,
            }
        }
        parse(std::str::from_utf8(buffer.get(..length)?).ok()?)
    }
}

/// The text of a small file, if it can be had.
pub(super) fn text(path: &Path) -> Option<String> {
    read_file_at_most(path, ByteSize::from_bytes(LENGTH_MAX as u64)).ok()
}

/// The number after `key` in a text of `key value` lines, where the key may end in a colon.
pub(super) fn field(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix(key)?;
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        if !rest.starts_with(char::is_whitespace) {
            return None;
        }
        rest.split_whitespace().next()?.parse().ok()
    })
}

/// The size after `key`, in a text that counts in units of 1,024 bytes.
pub(super) fn kib(text: &str, key: &str) -> Option<ByteSize> {
    field(text, key).map(ByteSize::from_kib)
}
