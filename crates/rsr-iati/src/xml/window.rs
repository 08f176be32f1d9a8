//! The part of the text that is in memory, and where it stands in the input.

use std::cell::Cell;
use std::io::{self, Read};

use memchr::memrchr;

use super::error::Position;
use super::input::{CHUNK, Input};
use super::text::Found;

/// Text read and not yet discarded. Indices into it stay true until the next [`Window::fill`].
pub(super) struct Window<R> {
    input: Input<R>,
    text: String,
    /// First byte that is not consumed.
    pub(super) start: usize,
    /// Offset of the first byte of `text` in the input.
    base: u64,
    ended: bool,
    /// A known place: its index in `text` and its position.
    anchor: Cell<(usize, Position)>,
    /// The same for lines alone, which are asked for at every tag.
    line_anchor: Cell<(usize, u64)>,
    recorded: Option<Recorded>,
}

#[derive(Debug)]
struct Recorded {
    bytes: String,
    from: usize,
}

impl<R: Read> Window<R> {
    pub(super) fn new(read: R) -> Self {
        Self::with(Input::new(read), String::new(), false)
    }

    pub(super) fn unzipped(read: R) -> Self {
        Self::with(Input::unzipped(read), String::new(), false)
    }

    pub(super) fn whole(text: String) -> Self {
        Self::with(Input::exhausted(), text, true)
    }

    fn with(input: Input<R>, text: String, ended: bool) -> Self {
        Self {
            input,
            text,
            start: 0,
            base: 0,
            ended,
            anchor: Cell::new((0, Position::START)),
            line_anchor: Cell::new((0, 1)),
            recorded: None,
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn rest(&self) -> &[u8] {
        self.text.as_bytes().get(self.start..).unwrap_or_default()
    }

    pub(super) fn slice(&self, from: usize, to: usize) -> &str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// How many of the first `n` bytes that are not consumed are whole characters.
    pub(super) fn floor_boundary(&self, n: usize) -> usize {
        self.text.floor_char_boundary(self.start + n) - self.start
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether nothing but a byte-order mark comes before the first byte that is not consumed.
    pub(super) fn is_at_start(&self) -> bool {
        self.start == 0 && self.base == self.input.bom_bytes()
    }

    pub(super) fn encoding(&self) -> &'static str {
        self.input.encoding()
    }

    /// Drops what is consumed and reads on. `false`: there is nothing more. Indices before this call move down by what
    /// `start` was.
    pub(super) fn fill(&mut self, found: &mut Vec<Found>) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if self.start > 0 {
            self.discard();
        }
        if self.text.len() > 8 * CHUNK {
            // Growing twofold would make a long attribute cost twice its size.
            self.text.reserve_exact(CHUNK + self.text.len() / 8);
        }
        let fresh = self.text.is_empty() && self.base == 0;
        let more = self.input.fill(&mut self.text, found)?;
        if fresh {
            self.base = self.input.bom_bytes();
            self.anchor.set((
                0,
                Position {
                    offset: self.base,
                    ..Position::START
                },
            ));
        }
        self.ended = !more;
        Ok(more)
    }

    fn discard(&mut self) {
        self.advance_anchor(self.start);
        self.line_anchor.set((0, self.line()));
        self.flush_record();
        let (_, position) = self.anchor.get();
        self.anchor.set((0, position));
        self.text.drain(..self.start);
        self.base += self.start as u64;
        self.start = 0;
        // After a huge tag, give the memory back.
        if self.text.capacity() > 8 * CHUNK && self.text.len() < CHUNK {
            self.text.shrink_to(2 * CHUNK);
        }
    }

    /// Bytes of the input before a byte of the window.
    pub(super) fn offset(&self, index: usize) -> u64 {
        self.base + index as u64
    }

    /// The position of a byte of the window. Cheap for a place at or after the last one asked for.
    pub(super) fn position(&self, index: usize) -> Position {
        let (from, position) = self.anchor.get();
        debug_assert!(index >= from, "positions are asked for in order");
        self.walk(from, position, index)
    }

    /// The line of the first byte that is not consumed. The cost is that of the bytes since it was asked for last.
    pub(super) fn line(&self) -> u64 {
        let (from, line) = self.line_anchor.get();
        let passed = self
            .text
            .as_bytes()
            .get(from..self.start)
            .unwrap_or_default();
        let line = line + count_lines(passed);
        self.line_anchor.set((self.start, line));
        line
    }

    /// Remembers a place, so that later positions are counted from there.
    pub(super) fn advance_anchor(&self, index: usize) {
        let (from, position) = self.anchor.get();
        if index > from {
            self.anchor.set((index, self.walk(from, position, index)));
        }
    }

    fn walk(&self, from: usize, position: Position, to: usize) -> Position {
        let passed = self.text.as_bytes().get(from..to).unwrap_or_default();
        let lines = count_lines(passed);
        let column = match memrchr(b'\n', passed) {
            Some(at) => 1 + count_chars(passed.get(at + 1..).unwrap_or_default()),
            None => position.column + count_chars(passed),
        };
        Position {
            offset: position.offset + passed.len() as u64,
            line: position.line + lines,
            column,
        }
    }

    /// Keeps all text that is consumed from `from` on, until it is taken.
    pub(super) fn record_from(&mut self, from: usize) {
        self.recorded = Some(Recorded {
            bytes: String::new(),
            from,
        });
    }

    /// Appends what was consumed since recording began or the last take, and goes on recording.
    pub(super) fn take_record(&mut self, out: &mut String) {
        if let Some(recorded) = &mut self.recorded {
            out.push_str(&recorded.bytes);
            recorded.bytes.clear();
            out.push_str(self.text.get(recorded.from..self.start).unwrap_or_default());
            recorded.from = self.start;
        }
    }

    /// Keeps `text` in place of what was consumed from `from` on.
    pub(super) fn replace_recorded(&mut self, from: usize, text: &str) {
        if let Some(recorded) = &mut self.recorded {
            let before = self.text.get(recorded.from..from).unwrap_or_default();
            recorded.bytes.push_str(before);
            recorded.bytes.push_str(text);
            recorded.from = self.start;
        }
    }

    pub(super) fn recorded_len(&self) -> usize {
        self.recorded.as_ref().map_or(0, |recorded| {
            recorded.bytes.len() + (self.start - recorded.from)
        })
    }

    pub(super) fn stop_record(&mut self) {
        self.recorded = None;
    }

    fn flush_record(&mut self) {
        if let Some(recorded) = &mut self.recorded {
            recorded
                .bytes
                .push_str(self.text.get(recorded.from..self.start).unwrap_or_default());
            recorded.from = 0;
        }
    }
}

/// Line feeds. Mostly there are few bytes between two tags, for which a search is not worth its beginning; and a byte can
/// count so many of them, sixteen such bytes at once.
fn count_lines(bytes: &[u8]) -> u64 {
    const COUNTED: usize = 240;
    let count = |n: u8, b: &u8| n.wrapping_add(u8::from(*b == b'\n'));
    let counts = bytes.chunks(COUNTED);
    counts
        .map(|some| u64::from(some.iter().fold(0, count)))
        .sum()
}

fn count_chars(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&b| b & 0xc0 != 0x80).count() as u64
}
