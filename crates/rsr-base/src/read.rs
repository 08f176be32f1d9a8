//! Reading with a ceiling.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::ByteSize;

/// Why a capped read gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is more to read than the limit allows. Nothing past the limit was kept.
    #[error("holds more than {limit}")]
    TooLarge {
        /// The limit that was passed.
        limit: ByteSize,
    },
    /// The bytes are no UTF-8.
    #[error("is not UTF-8 text")]
    NotText,
    /// The source could not be read.
    #[error("cannot be read")]
    Io(#[from] io::Error),
}

/// Reads to the end, `limit` bytes at most.
///
/// Takes O(length) time and memory; of a source that is too large, no more than `limit` + 1 bytes are read.
///
/// # Errors
///
/// [`ReadError::TooLarge`] where the source goes on past `limit`, [`ReadError::Io`] where it fails.
pub fn read_at_most(source: impl Read, limit: ByteSize) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "the wrapper that gives every read its ceiling"
    )]
    source
        .take(limit.bytes().saturating_add(1))
        .read_to_end(&mut bytes)?;
    if ByteSize::from_bytes(bytes.len() as u64) > limit {
        return Err(ReadError::TooLarge { limit });
    }
    Ok(bytes)
}

/// Reads a UTF-8 text to its end, `limit` bytes at most.
///
/// # Errors
///
/// As [`read_at_most`], and [`ReadError::NotText`].
pub fn read_text_at_most(source: impl Read, limit: ByteSize) -> Result<String, ReadError> {
    String::from_utf8(read_at_most(source, limit)?).map_err(|_not_utf8| ReadError::NotText)
}

/// Reads a UTF-8 file, `limit` bytes at most.
///
/// # Errors
///
/// As [`read_text_at_most`].
pub fn read_file_at_most(path: &Path, limit: ByteSize) -> Result<String, ReadError> {
    read_text_at_most(File::open(path)?, limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_of_exactly_the_limit_is_read() {
        assert_eq!(
            read_at_most(&b"four"[..], ByteSize::from_bytes(4)).unwrap(),
            b"four"
        );
    }

    #[test]
    fn an_endless_source_ends_in_an_error() {
        let error = read_at_most(io::repeat(b'x'), ByteSize::from_kib(4)).unwrap_err();
        assert_eq!(error.to_string(), "holds more than 4KiB");
    }

    #[test]
    fn text_is_checked() {
        assert!(matches!(
            read_text_at_most(&b"\xff"[..], ByteSize::from_kib(1)),
            Err(ReadError::NotText)
        ));
    }
}
