//! A file in parts that end with an activity.

use std::io::{self, BufReader, Chain, Cursor, Read};

use memchr::{memchr_iter, memmem};

use crate::xml::{Gunzip, is_gzip};

const END: &[u8] = b"</iati-activity>";
const START: &[u8] = b"<iati-activity";

/// How much is read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// How much is looked at to find the first activity.
const HEAD_BYTES: usize = 256 * 1024;

/// Past this an activity is not waited for: what there is of it becomes a part, and is found out not to end with one.
const PART_BYTES_MAX: usize = 16 << 20;

/// A piece of the file.
#[derive(Debug)]
pub(super) struct Part {
    /// With room at its end, so that it can hold another part afterwards.
    buffer: Vec<u8>,
    length: usize,
    /// Line feeds before it.
    pub(super) n_lines_before: u64,
    pub(super) is_first: bool,
    /// Nothing comes after it.
    pub(super) is_last: bool,
}

impl Part {
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }
}

/// Cuts after the last `</iati-activity>` of each piece. Where that stands in a comment or an activity lies deeper, the cut
/// is wrong; whoever reads the part notices, since it does not end between two activities then.
pub(super) struct Source<'r> {
    input: Box<dyn Read + 'r>,
    buffer: Vec<u8>,
    /// How much of the buffer was read into it.
    n_held: usize,
    /// Buffers of parts that were done with: new ones cost more than what is done with them.
    spare: Vec<Vec<u8>>,
    /// The input has nothing more.
    is_ended: bool,
    /// All of it was given.
    is_done: bool,
    n_lines: u64,
    is_begun: bool,
    part_bytes: usize,
}

impl<'r> Source<'r> {
    /// Looks at the first bytes for gzip.
    pub(super) fn new(input: &'r mut dyn Read, part_bytes: usize) -> io::Result<Self> {
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
            buffer: Vec::new(),
            n_held: 0,
            spare: Vec::new(),
            is_ended: false,
            is_done: false,
            n_lines: 0,
            is_begun: false,
            part_bytes,
        })
    }

    /// What comes before the first activity, up to the root's start tag; `None` where that cannot be told at a glance.
    pub(super) fn prologue(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(at) = first_activity(self.held()) {
                let before = self.held().get(..at).unwrap_or_default().trim_ascii_end();
                let is_tag =
                    before.ends_with(b">") && !before.ends_with(b"-->") && !before.ends_with(b"?>");
                // No part may end inside of it.
                let is_whole = is_tag && memmem::find(before, END).is_none();
                return Ok(is_whole.then(|| before.to_vec()));
            }
            if self.is_ended || self.n_held >= HEAD_BYTES {
                return Ok(None);
            }
            self.read_on()?;
        }
    }

    /// The next part; after the last one `None`.
    pub(super) fn next_part(&mut self) -> io::Result<Option<Part>> {
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
        let n_lines_before = self.n_lines;
        let mut buffer = self.spare.pop().unwrap_or_default();
        let (part, rest) = self.held().split_at_checked(length).unwrap_or_default();
        buffer.resize(buffer.len().max(rest.len()), 0);
        if let Some(start) = buffer.get_mut(..rest.len()) {
            start.copy_from_slice(rest);
        }
        let (n_lines, n_held) = (count_lines(part), rest.len());
        self.n_lines += n_lines;
        self.n_held = n_held;
        self.is_done = self.is_ended;
        Ok(Some(Part {
            buffer: std::mem::replace(&mut self.buffer, buffer),
            length,
            n_lines_before,
            is_first: !std::mem::replace(&mut self.is_begun, true),
            is_last: self.is_ended,
        }))
    }

    /// Takes back what a part was read into, unless it had to be much larger than most.
    pub(super) fn take_back(&mut self, part: Part) {
        if part.buffer.len() <= self.part_bytes + PIECE_BYTES {
            self.spare.push(part.buffer);
        }
    }

    fn held(&self) -> &[u8] {
        self.buffer.get(..self.n_held).unwrap_or_default()
    }

    /// Whether any part was given.
    pub(super) fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// Line feeds of all parts that were given.
    pub(super) fn n_lines(&self) -> u64 {
        self.n_lines
    }

    /// What was read and not given, and then the rest of the input.
    pub(super) fn into_rest(mut self) -> Chain<Cursor<Vec<u8>>, Box<dyn Read + 'r>> {
        self.buffer.truncate(self.n_held);
        Cursor::new(self.buffer).chain(self.input)
    }

    fn read_on(&mut self) -> io::Result<()> {
        let needed = self.n_held + PIECE_BYTES;
        if self.buffer.len() < needed {
            self.buffer
                .reserve_exact((self.part_bytes + PIECE_BYTES).saturating_sub(self.n_held));
            self.buffer.resize(needed, 0);
        }
        let free = self.buffer.get_mut(self.n_held..needed);
        let read = self.input.read(free.unwrap_or_default());
        self.n_held += read.as_ref().map_or(0, |n| *n);
        match read {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => {
                // It is not asked again: what was read before it comes first, then the trouble.
                self.input = Box::new(io::empty());
                Err(error)
            }
            Ok(n) => {
                self.is_ended = n == 0;
                Ok(())
            }
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
