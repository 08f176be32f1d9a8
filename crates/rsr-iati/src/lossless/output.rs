//! A file that activities are passed on to.

use std::io::{Read, Write};

use super::LosslessError;
use super::raw::{RawReader, Root};
use crate::xml::escape_attribute;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const CLOSING: &str = "</iati-activities>\n";

/// A file that activities are passed on to: it takes the root of its first activity, and its prefixes with it. Before the
/// first one nothing is written.
#[derive(Debug)]
pub struct Output<W> {
    out: W,
    root: Option<Root>,
    n_bytes: u64,
}

impl<W: Write> Output<W> {
    /// A file without any activity yet.
    #[must_use]
    pub fn new(out: W) -> Self {
        Self {
            out,
            root: None,
            n_bytes: 0,
        }
    }

    /// The size of the whole file with one more activity of that size.
    pub(super) fn size_with(&self, size: u64) -> u64 {
        self.n_bytes + size + CLOSING.len() as u64
    }

    /// Passes on the activity at hand.
    ///
    /// # Errors
    ///
    /// [`LosslessError`]: nothing of an activity of another version was written, part of others may be.
    pub fn activity<R: Read>(&mut self, reader: &mut RawReader<R>) -> Result<(), LosslessError> {
        let root = match &self.root {
            Some(root) => root.clone(),
            None => self.begin(reader.root())?,
        };
        let version = |root: &Root| root.version.clone().unwrap_or_else(|| "1.01".to_owned());
        if version(&root) != version(reader.root()) {
            return Err(LosslessError::MixedVersions {
                first: version(&root),
                second: version(reader.root()),
            });
        }
        let mut declarations = String::new();
        for (prefix, namespace) in reader.inherited() {
            if root
                .namespaces
                .iter()
                .any(|(known, meaning)| known == prefix && meaning == namespace)
            {
                continue;
            }
            let colon = if prefix.is_empty() { "" } else { ":" };
            declarations.push_str(&format!(" xmlns{colon}{prefix}=\""));
            escape_attribute(namespace, &mut declarations);
            declarations.push('"');
        }
        let mut is_first = true;
        while let Some(piece) = reader.next_piece()? {
            let mut rest = piece.as_str();
            if std::mem::take(&mut is_first)
                && !declarations.is_empty()
                && let Some(after) = rest.strip_prefix("<iati-activity")
            {
                self.write("<iati-activity")?;
                self.write(&declarations)?;
                rest = after;
            }
            self.write(rest)?;
        }
        self.write("\n")
    }

    /// Writes the start tag of the first activity's root as it was.
    fn begin(&mut self, root: &Root) -> Result<Root, LosslessError> {
        let root = root.clone();
        self.write(DECLARATION)?;
        if root.tag.is_empty() {
            self.write("<iati-activities>")?;
        } else {
            self.write(&root.tag)?;
        }
        self.write("\n")?;
        self.root = Some(root.clone());
        Ok(root)
    }

    /// Ends the file and gives back what it was written to, flushed.
    ///
    /// # Errors
    ///
    /// [`LosslessError::Io`].
    pub fn finish(self) -> Result<W, LosslessError> {
        self.finish_counted().map(|(out, _)| out)
    }

    /// As [`finish`](Self::finish), with the bytes of the file.
    pub(super) fn finish_counted(mut self) -> Result<(W, u64), LosslessError> {
        if self.root.is_some() {
            self.write(CLOSING)?;
        }
        self.out.flush()?;
        Ok((self.out, self.n_bytes))
    }

    /// Bytes written so far.
    #[must_use]
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    fn write(&mut self, text: &str) -> Result<(), LosslessError> {
        self.out.write_all(text.as_bytes())?;
        self.n_bytes += text.len() as u64;
        Ok(())
    }
}
