//! A file in parts that end with an activity.

use std::io::{self, BufReader, Chain, Cursor, Read};
use std::ops::Range;

use memchr::{memchr_iter, memmem};

use crate::xml::{Gunzip, Reader, Token, is_ascii_compatible, is_gzip};

const END: &[u8] = b"</iati-activity>";
const START: &[u8] = b"<iati-activity";

/// What ends a part that is not the file's last.
const CLOSING: &[u8] = b"</iati-activities>";

/// How much is read at once of what comes before the first activity.
const PIECE_BYTES: usize = 64 * 1024;

/// How much is looked at to find the first activity.
const HEAD_BYTES: usize = 256 * 1024;

/// Past this an activity is not waited for: what there is of it becomes a part, and is found out not to end with one.
const PART_BYTES_MAX: usize = 1 << 20;

/// What an input is that a thread may read.
pub(super) type Input<'r> = Box<dyn Read + Send + 'r>;

/// A piece of the file.
#[derive(Debug)]
pub(super) struct Part {
    /// The start of the file, then the part, then the root's end tag: a document of its own. The first part begins with the
    /// file itself, and the last one ends as the file does.
    pub(super) document: Vec<u8>,
    place: Range<usize>,
    /// Its place among the parts.
    pub(super) number: usize,
    /// Line feeds before it.
    pub(super) n_lines_before: u64,
    pub(super) is_first: bool,
    /// Nothing comes after it.
    pub(super) is_last: bool,
}

impl Part {
    /// What stands in the file.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.document.truncate(self.place.end);
        self.document.drain(..self.place.start);
        self.document
    }
}

/// Cuts after the last `</iati-activity>` of each piece. Where that stands in a comment or an activity lies deeper, the cut
/// is wrong; whoever reads the part notices, since it does not end between two activities then.
pub(super) struct Source<'r> {
    input: Input<'r>,
    /// What was read and not given.
    held: Vec<u8>,
    /// What is put before every part but the first.
    prologue: Vec<u8>,
    /// The input has nothing more.
    is_ended: bool,
    /// All of it was given.
    is_done: bool,
    n_lines: u64,
    n_given: usize,
    part_bytes: usize,
}

impl<'r> Source<'r> {
    /// Looks at the first bytes for gzip.
    pub(super) fn new(input: &'r mut (dyn Read + Send), part_bytes: usize) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(PIECE_BYTES, input);
        let mut head = Vec::new();
        read_at_most(2, &mut input, &mut head)?;
        let is_zipped = is_gzip(&head);
        let input = Cursor::new(head).chain(input);
        Ok(Self {
            input: if is_zipped {
                Box::new(Gunzip::new(input))
            } else {
                Box::new(input)
            },
            held: Vec::new(),
            prologue: Vec::new(),
            is_ended: false,
            is_done: false,
            n_lines: 0,
            n_given: 0,
            part_bytes,
        })
    }

    /// Finds what comes before the first activity, up to the root's start tag. `false`: it cannot be told at a glance.
    pub(super) fn find_prologue(&mut self) -> io::Result<bool> {
        loop {
            if let Some(at) = first_activity(&self.held) {
                let before = self.held.get(..at).unwrap_or_default().trim_ascii_end();
                let is_tag =
                    before.ends_with(b">") && !before.ends_with(b"-->") && !before.ends_with(b"?>");
                // No part may end inside of it, and what each part begins with must not be found in each again.
                let is_whole = is_tag
                    && is_ascii_compatible(before)
                    && memmem::find(before, END).is_none()
                    && is_root_alone(before);
                self.prologue = before.to_vec();
                return Ok(is_whole);
            }
            if self.is_ended || self.held.len() >= HEAD_BYTES {
                return Ok(false);
            }
            let mut held = std::mem::take(&mut self.held);
            let read = self.read_on(PIECE_BYTES.min(self.part_bytes), &mut held);
            self.held = held;
            read?;
        }
    }

    /// The next part, in `memory`; after the last one `None`.
    pub(super) fn next_part(&mut self, mut memory: Vec<u8>) -> io::Result<Option<Part>> {
        if self.is_done {
            return Ok(None);
        }
        let is_first = self.n_given == 0;
        memory.clear();
        if !is_first {
            memory.extend_from_slice(&self.prologue);
        }
        let from = memory.len();
        memory.append(&mut self.held);
        let length = match self.fill_part(&mut memory, from) {
            Ok(length) => length,
            Err(error) => {
                self.held = memory.split_off(from);
                return Err(error);
            }
        };
        let place = from..from + length;
        self.held
            .extend_from_slice(memory.get(place.end..).unwrap_or_default());
        let n_lines_before = self.n_lines;
        self.n_lines += count_lines(memory.get(place.clone()).unwrap_or_default());
        memory.truncate(place.end);
        if !self.is_ended {
            memory.extend_from_slice(CLOSING);
        }
        let number = self.n_given;
        self.n_given += 1;
        self.is_done = self.is_ended;
        Ok(Some(Part {
            document: memory,
            place,
            number,
            n_lines_before,
            is_first,
            is_last: self.is_ended,
        }))
    }

    /// Reads on until the last activity of a part has ended; gives where, behind `from`.
    fn fill_part(&mut self, document: &mut Vec<u8>, from: usize) -> io::Result<usize> {
        let mut wanted = self.part_bytes;
        loop {
            let n_held = document.len() - from;
            if n_held < wanted && !self.is_ended {
                self.read_on(wanted - n_held, document)?;
            }
            let held = document.get(from..).unwrap_or_default();
            if self.is_ended {
                return Ok(held.len());
            }
            if let Some(at) = memmem::rfind(held, END) {
                return Ok(at + END.len());
            }
            if wanted >= PART_BYTES_MAX {
                return Ok(held.len());
            }
            wanted *= 2;
        }
    }

    /// What is put before every part but the first.
    pub(super) fn prologue(&self) -> &[u8] {
        &self.prologue
    }

    /// Whether any part was given.
    pub(super) fn is_begun(&self) -> bool {
        self.n_given > 0
    }

    /// Line feeds of all parts that were given.
    pub(super) fn n_lines(&self) -> u64 {
        self.n_lines
    }

    /// What was read and not given, and then the rest of the input.
    pub(super) fn into_rest(self) -> Chain<Cursor<Vec<u8>>, Input<'r>> {
        Cursor::new(self.held).chain(self.input)
    }

    /// Reads so many bytes behind what is there; there are fewer where the input ends.
    fn read_on(&mut self, n: usize, document: &mut Vec<u8>) -> io::Result<()> {
        // Growing twofold would take twice what an unusual part needs.
        document.reserve_exact(n + CLOSING.len());
        match read_at_most(n, &mut self.input, document) {
            Ok(n_read) => {
                self.is_ended = n_read < n;
                Ok(())
            }
            Err(error) => {
                // It is not asked again: what was read before it comes first, then the trouble.
                self.input = Box::new(io::empty());
                Err(error)
            }
        }
    }
}

/// Reads so many bytes behind what is there, or all there are; gives their number.
#[expect(clippy::disallowed_methods, reason = "it reads no more than it may")]
fn read_at_most(n: usize, input: &mut impl Read, into: &mut Vec<u8>) -> io::Result<usize> {
    input.take(n as u64).read_to_end(into)
}

/// Whether this is a start tag with nothing but white space and comments after it.
fn is_root_alone(mut prologue: &[u8]) -> bool {
    let mut reader = Reader::of_unzipped(&mut prologue as &mut dyn Read);
    if !matches!(reader.advance(), Ok(Token::Start)) {
        return false;
    }
    let _of_the_root = reader.take_notices();
    loop {
        let token = reader.advance();
        let is_blank = matches!(token, Ok(Token::Text)) && reader.is_blank();
        if reader.has_notices() || !is_blank {
            return token.is_err() && !reader.has_notices();
        }
    }
}

pub(super) fn count_lines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

/// Where the first start tag of an activity may begin.
fn first_activity(bytes: &[u8]) -> Option<usize> {
    let is_whole = |at: &usize| {
        let after = bytes.get(at + START.len());
        after.is_some_and(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/'))
    };
    memmem::find_iter(bytes, START).find(is_whole)
}
