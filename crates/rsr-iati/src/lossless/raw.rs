//! Activities as they are written.

use std::io::Read;

use crate::xml::{Error, Limits, Notice, Position, Reader, Token};

/// How large a piece of an activity grows before it is given away.
const PIECE: usize = 64 * 1024;

/// What is known about an activity before all of it is read: its attributes and its identifier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActivityInfo {
    /// The identifier without white space around it, where it has one that is not blank.
    pub identifier: Option<String>,
    /// `@last-updated-datetime` as written.
    pub last_updated: Option<String>,
    /// `@hierarchy` as written.
    pub hierarchy: Option<String>,
    /// Its place among the activities of its file, from 0.
    pub index: u64,
    /// The line of its start tag.
    pub line: u64,
    /// Bytes of decoded text before its start tag, as [`Position`] counts them.
    pub offset: u64,
}

/// The activities of one file as text, one after the other. Memory: two pieces of 64 KiB, and of each activity what
/// comes before its identifier.
pub struct RawReader<R> {
    xml: Reader<R>,
    /// The depth of the start tag of the activity at hand.
    inside: Option<usize>,
    /// What of the activity at hand was read and not given away.
    text: String,
    root: Root,
    n_read: u64,
    /// Prefixes in force around the activity at hand that its own start tag does not declare.
    inherited: Vec<(String, String)>,
}

/// The start of the `iati-activities` around an activity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Root {
    /// The start tag as written; empty where an activity stands without one.
    pub(super) tag: String,
    /// Its `@version` as written.
    pub(super) version: Option<String>,
    /// The namespaces it declares.
    pub(super) namespaces: Vec<(String, String)>,
}

impl<R> std::fmt::Debug for RawReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawReader")
            .field("n_read", &self.n_read)
            .finish_non_exhaustive()
    }
}

impl<R: Read> RawReader<R> {
    /// Reads with the default limits.
    #[must_use]
    pub fn new(read: R) -> Self {
        Self::with_limits(read, Limits::default())
    }

    /// Reads with limits of the caller's.
    #[must_use]
    pub fn with_limits(read: R, limits: Limits) -> Self {
        Self {
            xml: Reader::with_limits(read, limits),
            inside: None,
            text: String::new(),
            root: Root::default(),
            n_read: 0,
            inherited: Vec::new(),
        }
    }

    /// Goes on to the next activity; what was not taken of the one before is passed over.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read on or is not well-formed from here on.
    pub fn next_activity(&mut self) -> Result<Option<ActivityInfo>, Error> {
        self.xml.stop_record();
        self.text.clear();
        while self.inside.is_some() {
            self.step()?;
        }
        loop {
            match self.xml.advance()? {
                Token::Done => return Ok(None),
                Token::Start
                    if self.xml.is_unqualified() && self.xml.local_name() == "iati-activities" =>
                {
                    self.root = Root {
                        tag: self
                            .xml
                            .mended()
                            .unwrap_or_else(|| self.xml.written().to_owned()),
                        version: self.xml.attribute("version").map(str::to_owned),
                        namespaces: owned(self.xml.declarations()),
                    };
                }
                Token::Start
                    if self.xml.is_unqualified() && self.xml.local_name() == "iati-activity" =>
                {
                    return self.begin().map(Some);
                }
                _ => {}
            }
        }
    }

    fn begin(&mut self) -> Result<ActivityInfo, Error> {
        let depth = self.xml.depth();
        self.inside = Some(depth);
        self.xml.record();
        self.xml.mend_record();
        let own: Vec<&str> = self.xml.declarations().map(|(prefix, _)| prefix).collect();
        self.inherited = owned(
            self.xml
                .namespaces_in_scope()
                .filter(|(prefix, _)| !own.contains(prefix)),
        );
        let attribute = |name| self.xml.attribute(name).map(str::to_owned);
        let mut info = ActivityInfo {
            identifier: None,
            last_updated: attribute("last-updated-datetime"),
            hierarchy: attribute("hierarchy"),
            index: self.n_read,
            line: self.xml.position().line,
            offset: self.xml.position().offset,
        };
        self.n_read += 1;
        let mut identifier = String::new();
        // Most files have the identifier first. Where it comes late or never, what is before it may be a field large.
        while self.inside.is_some() && self.text.len() < self.xml.limits().field_bytes {
            let token = self.step()?;
            let at_identifier =
                self.xml.depth() == depth + 1 && self.xml.local_name() == "iati-identifier";
            match token {
                Token::Text if at_identifier => identifier.push_str(self.xml.text()),
                Token::End if at_identifier => break,
                _ => {}
            }
            if self.xml.recorded_len() > PIECE {
                self.take();
            }
        }
        self.take();
        info.identifier = Some(identifier.trim())
            .filter(|text| !text.is_empty())
            .map(str::to_owned);
        Ok(info)
    }

    /// The next piece of the activity as it is written; `None` after its end. All pieces together are the activity byte
    /// for byte, from `<iati-activity` to the end of its end tag, in UTF-8.
    ///
    /// # Errors
    ///
    /// As [`next_activity`](Self::next_activity).
    pub fn next_piece(&mut self) -> Result<Option<String>, Error> {
        while self.inside.is_some() && self.text.len() + self.xml.recorded_len() < PIECE {
            self.step()?;
        }
        self.take();
        let piece = std::mem::take(&mut self.text);
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }

    /// What was survived since the last call, such as forbidden characters: those pieces are not as they were.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        self.xml.take_notices()
    }

    /// Where reading stands.
    #[must_use]
    pub fn position(&self) -> Position {
        self.xml.position()
    }

    /// How many activities were come upon.
    #[must_use]
    pub fn n_read(&self) -> u64 {
        self.n_read
    }

    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    pub(super) fn inherited(&self) -> &[(String, String)] {
        &self.inherited
    }

    /// Bytes that what is left of the activity at hand takes in an output, at most. Passes over it.
    pub(super) fn pass_over_size(&mut self) -> Result<u64, Error> {
        let declarations: usize = self
            .inherited
            .iter()
            .map(|(prefix, namespace)| prefix.len() + namespace.len() + 12)
            .sum();
        let mut size = (declarations + 1) as u64;
        while let Some(piece) = self.next_piece()? {
            size += piece.len() as u64;
        }
        Ok(size)
    }

    fn step(&mut self) -> Result<Token, Error> {
        let token = self.xml.advance()?;
        self.xml.mend_record();
        if token == Token::Done || token == Token::End && Some(self.xml.depth()) == self.inside {
            self.inside = None;
        }
        Ok(token)
    }

    fn take(&mut self) {
        self.xml.take_record(&mut self.text);
        if self.inside.is_none() {
            self.xml.stop_record();
        }
    }
}

fn owned<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    pairs
        .map(|(prefix, namespace)| (prefix.to_owned(), namespace.to_owned()))
        .collect()
}
