//! A line a finding.

use std::io::{self, Write};

use crate::validate::Group;

/// Writes findings as lines, `file:line: level code message (path)`, as a compiler does.
#[derive(Debug)]
pub struct TextReport<W> {
    out: W,
    file: String,
    trouble: Option<io::Error>,
}

impl<W: Write> TextReport<W> {
    /// A report on the file of this name.
    pub fn new(out: W, file: impl Into<String>) -> Self {
        Self {
            out,
            file: file.into(),
            trouble: None,
        }
    }

    /// Writes the findings of one group. Trouble with writing is told by [`finish`](Self::finish).
    pub fn group(&mut self, group: &Group) {
        if self.trouble.is_none() {
            self.trouble = self.write(group).err();
        }
    }

    fn write(&mut self, group: &Group) -> io::Result<()> {
        for finding in &group.findings {
            writeln!(self.out, "{}:{finding}", self.file)?;
        }
        if group.n_left_out > 0 {
            writeln!(
                self.out,
                "{}: {} more in {}",
                self.file, group.n_left_out, group.identifier
            )?;
        }
        Ok(())
    }

    /// Gives the writer back.
    ///
    /// # Errors
    ///
    /// Writing failed, now or earlier; the report is not complete then.
    pub fn finish(mut self) -> io::Result<W> {
        if let Some(trouble) = self.trouble {
            return Err(trouble);
        }
        self.out.flush()?;
        Ok(self.out)
    }
}
