//! A file in parts that end with an activity.

use std::io::{self, BufReader, Chain, Cursor, Read};
use std::ops::Range;

use memchr::{memchr_iter, memmem};

use crate::xml::{Gunzip, Reader, Token, is_gzip};

const END: &[u8] = b"</iati-activity>";
const START: &[u8] = b"<iati-activity";

/// What ends a part that is not the file's last.
const CLOSING: &[u8] = b"</iati-activities>";

/// How much is read at once.
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
    /// The next part's document, as far as it was read.
    document: Vec<u8>,
    /// Where in it the part begins.
    from: usize,
    /// How much of the part was read.
    n_held: usize,
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
        let mut input = BufReader::with_capacity(64 * 1024, input);
        let mut head = [0; 2];
        let n_held = read_head(&mut input, &mut head)?;
        let head = head.get(..n_held).unwrap_or_default();
        let is_zipped = is_gzip(head);
        let input = Cursor::new(head.to_vec()).chain(input);
        Ok(Self {
            input: if is_zipped {
                Box::new(Gunzip::new(input))
            } else {
                Box::new(input)
            },
            document: Vec::new(),
            from: 0,
            n_held: 0,
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
            if let Some(at) = first_activity(self.held()) {
                let before = self.held().get(..at).unwrap_or_default().trim_ascii_end();
                let is_tag =
                    before.ends_with(b">") && !before.ends_with(b"-->") && !before.ends_with(b"?>");
                // No part may end inside of it, and what each part begins with must not be found in each again.
                let is_whole =
                    is_tag && memmem::find(before, END).is_none() && is_root_alone(before);
                self.prologue = before.to_vec();
                return Ok(is_whole);
            }
            if self.is_ended || self.n_held >= HEAD_BYTES {
                return Ok(false);
            }
            self.read_on()?;
        }
    }

    /// The next part; after the last one `None`. What comes after it is read into `memory`.
    pub(super) fn next_part(&mut self, mut memory: Vec<u8>) -> io::Result<Option<Part>> {
        let mut wanted = self.part_bytes;
        let length = loop {
            while self.n_held < wanted && !self.is_ended {
                self.read_on()?;
            }
            if self.is_ended {
                break self.n_held;
            }
            if let Some(at) = memmem::rfind(self.held(), END) {
                break at + END.len();
            }
            if wanted >= PART_BYTES_MAX {
                break self.n_held;
            }
            wanted *= 2;
        };
        if self.is_done {
            return Ok(None);
        }
        let (part, rest) = self.held().split_at_checked(length).unwrap_or_default();
        let (n_lines, n_left) = (count_lines(part), rest.len());
        memory.clear();
        memory.reserve_exact(self.prologue.len() + n_left.max(self.part_bytes) + 2 * PIECE_BYTES);
        memory.extend_from_slice(&self.prologue);
        memory.extend_from_slice(rest);
        let mut document = std::mem::replace(&mut self.document, memory);
        let place = self.from..self.from + length;
        document.truncate(place.end);
        if !self.is_ended {
            document.extend_from_slice(CLOSING);
        }
        let part = Part {
            document,
            place,
            number: self.n_given,
            n_lines_before: self.n_lines,
            is_first: self.n_given == 0,
            is_last: self.is_ended,
        };
        self.from = self.prologue.len();
        self.n_held = n_left;
        self.n_lines += n_lines;
        self.n_given += 1;
        self.is_done = self.is_ended;
        Ok(Some(part))
    }

    fn held(&self) -> &[u8] {
        let held = self.document.get(self.from..self.from + self.n_held);
        held.unwrap_or_default()
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
    pub(super) fn into_rest(mut self) -> Chain<Cursor<Vec<u8>>, Input<'r>> {
        self.document.truncate(self.from + self.n_held);
        self.document.drain(..self.from);
        Cursor::new(self.document).chain(self.input)
    }

    fn read_on(&mut self) -> io::Result<()> {
        let from = self.from + self.n_held;
        let to = from + PIECE_BYTES;
        if self.document.len() < to {
            // Growing twofold would take twice what an unusual part needs.
            self.document.reserve_exact(to - self.document.len());
            self.document.resize(to, 0);
        }
        let free = self.document.get_mut(from..to).unwrap_or_default();
        match self.input.read(free) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => {
                // It is not asked again: what was read before it comes first, then the trouble.
                self.input = Box::new(io::empty());
                Err(error)
            }
            Ok(n) => {
                self.n_held += n;
                self.is_ended = n == 0;
                Ok(())
            }
        }
    }
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

/// Reads the first bytes; gives how many there are.
fn read_head(input: &mut impl Read, head: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while let Some(free) = head.get_mut(n..).filter(|free| !free.is_empty()) {
        match input.read(free) {
            Ok(0) => break,
            Ok(more) => n += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n)
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
