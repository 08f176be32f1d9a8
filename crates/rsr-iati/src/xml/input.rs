//! Bytes in, text out: gzip, byte-order marks, encodings, forbidden characters.

use std::io::{self, Chain, Cursor, Read};
use std::string::FromUtf8Error;

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use flate2::read::MultiGzDecoder;
use memchr::memmem;

use super::error::NoticeKind;
use super::text::{Found, is_forbidden};

/// How many bytes are asked for at once.
pub(super) const CHUNK: usize = 64 * 1024;

/// How much of the start is looked at to find the encoding.
const SNIFF: usize = 1024;

type Prefixed<R> = Chain<Cursor<Vec<u8>>, R>;

enum Stream<R> {
    Fresh(Option<R>),
    Plain(Prefixed<R>),
    Gzip(Gunzip<Prefixed<R>>),
}

/// The bytes that a gzip stream holds. They, and the place where a broken stream ends, do not depend on how many are
/// asked for at once; what ended it ends every later read too.
pub(crate) struct Gunzip<R> {
    decoder: Box<MultiGzDecoder<R>>,
    held: Vec<u8>,
    at: usize,
    trouble: Option<(io::ErrorKind, String)>,
}

impl<R: Read> Gunzip<R> {
    pub(crate) fn new(read: R) -> Self {
        Self {
            decoder: Box::new(MultiGzDecoder::new(read)),
            held: Vec::new(),
            at: 0,
            trouble: None,
        }
    }

    fn refill(&mut self) {
        self.held.resize(CHUNK / 2, 0);
        let mut n = 0;
        while let Some(free) = self.held.get_mut(n..).filter(|free| !free.is_empty()) {
            match read_once(&mut self.decoder, free) {
                Ok(0) => break,
                Ok(more) => n += more,
                Err(error) => {
                    self.trouble = Some((error.kind(), error.to_string()));
                    break;
                }
            }
        }
        self.held.truncate(n);
        self.at = 0;
    }
}

impl<R: Read> Read for Gunzip<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.held.len() && self.trouble.is_none() {
            self.refill();
        }
        let mut rest = self.held.get(self.at..).unwrap_or_default();
        match &self.trouble {
            Some((kind, message)) if rest.is_empty() => Err(io::Error::new(*kind, message.clone())),
            _ => {
                let n = rest.read(into)?;
                self.at += n;
                Ok(n)
            }
        }
    }
}

/// Whether these are the first bytes of a gzip stream.
pub(crate) fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b])
}

/// A source of text, in pieces of about 64 KiB.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a state of its own, and all may hold at once"
)]
pub(super) struct Input<R> {
    stream: Stream<R>,
    decoder: Option<Decoder>,
    encoding: &'static Encoding,
    /// Bytes read and not yet turned into text: `raw[..held]`.
    raw: Vec<u8>,
    held: usize,
    started: bool,
    may_be_zipped: bool,
    /// `raw` holds bytes that were read ahead and not looked at.
    primed: bool,
    ended: bool,
    /// Trouble that came after bytes that were given first.
    trouble: Option<io::Error>,
    bom_bytes: u64,
    told: Told,
}

/// What was told of the piece of text between two tags at hand, which may go on over many windows.
#[derive(Debug, Default)]
struct Told {
    /// That something could not be read in its encoding.
    undecodable: bool,
    /// The forbidden character that was told last.
    forbidden: Option<char>,
}

impl<R: Read> Input<R> {
    pub(super) fn new(read: R) -> Self {
        Self::with(Stream::Fresh(Some(read)))
    }

    /// The same of bytes that somebody has unzipped already.
    pub(super) fn unzipped(read: R) -> Self {
        Self {
            may_be_zipped: false,
            ..Self::new(read)
        }
    }

    /// An input that has nothing more to give; its text is in the window already.
    pub(super) fn exhausted() -> Self {
        Self {
            ended: true,
            started: true,
            ..Self::with(Stream::Fresh(None))
        }
    }

    fn with(stream: Stream<R>) -> Self {
        Self {
            stream,
            decoder: None,
            encoding: UTF_8,
            raw: Vec::new(),
            held: 0,
            started: false,
            may_be_zipped: true,
            primed: false,
            ended: false,
            trouble: None,
            bom_bytes: 0,
            told: Told::default(),
        }
    }

    /// The encoding the bytes are read in, after the first fill.
    pub(super) fn encoding(&self) -> &'static str {
        self.encoding.name()
    }

    /// Bytes of the byte-order mark that was taken off (UTF-8 only).
    pub(super) fn bom_bytes(&self) -> u64 {
        self.bom_bytes
    }

    /// Appends the next piece of text to `window`. `false`: there is nothing more.
    pub(super) fn fill(&mut self, window: &mut String, found: &mut Vec<Found>) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if !self.started {
            self.start(window.len(), found)?;
        }
        let before = window.len();
        while window.len() == before && !self.ended {
            // The first piece was read to find the encoding.
            if !std::mem::take(&mut self.primed) {
                self.ended = self.read_more()? == 0;
            }
            self.decode(window, found);
        }
        clean(window, before, &mut self.told.forbidden, found);
        Ok(window.len() > before)
    }

    /// Reads until the buffer is full or the stream ends, so that pieces are large however small the reads are.
    fn read_more(&mut self) -> io::Result<usize> {
        if self.raw.len() < CHUNK {
            self.raw.resize(CHUNK, 0);
        }
        if let Some(error) = self.trouble.take() {
            return Err(error);
        }
        let from = self.held;
        while let Some(free) = self
            .raw
            .get_mut(self.held..)
            .filter(|free| !free.is_empty())
        {
            let read = match &mut self.stream {
                Stream::Fresh(None) => Ok(0),
                Stream::Fresh(Some(read)) => read_once(read, free),
                Stream::Plain(read) => read_once(read, free),
                Stream::Gzip(read) => read_once(read, free),
            };
            let n = match read {
                Ok(n) => n,
                Err(error) if self.held > from => {
                    self.trouble = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            };
            self.held += n;
            // A reader that gives less than asked for may be a pipe: pass on what is here.
            if n == 0 || self.held - from >= CHUNK / 2 {
                break;
            }
        }
        Ok(self.held - from)
    }

    /// Looks at the first bytes: gzip or not, which encoding, which mark.
    fn start(&mut self, at: usize, found: &mut Vec<Found>) -> io::Result<()> {
        self.started = true;
        let Stream::Fresh(fresh) = &mut self.stream else {
            return Ok(());
        };
        let Some(mut read) = fresh.take() else {
            return Ok(());
        };
        let head = read_head(&mut read, 2)?;
        let zipped = self.may_be_zipped && is_gzip(&head);
        let chained = Cursor::new(head).chain(read);
        self.stream = if zipped {
            Stream::Gzip(Gunzip::new(chained))
        } else {
            Stream::Plain(chained)
        };
        self.primed = self.read_more()? > 0;
        let head = self.raw.get(..self.held.min(SNIFF)).unwrap_or_default();
        let (encoding, mark) = match head {
            [0xef, 0xbb, 0xbf, ..] => (UTF_8, 3),
            [0xff, 0xfe, ..] => (UTF_16LE, 2),
            [0xfe, 0xff, ..] => (UTF_16BE, 2),
            [b'<', 0, _, 0, ..] => (UTF_16LE, 0),
            [0, b'<', 0, _, ..] => (UTF_16BE, 0),
            _ => {
                let label = declared_encoding(head);
                match label.map(|label| (label, Encoding::for_label(label))) {
                    // Readable as ASCII so far, so it cannot be UTF-16 whatever it says.
                    Some((_, Some(encoding))) if encoding == UTF_16LE || encoding == UTF_16BE => {
                        (UTF_8, 0)
                    }
                    Some((_, Some(encoding))) => (encoding, 0),
                    Some((label, None)) => {
                        let label = String::from_utf8_lossy(label).into_owned();
                        found.push((NoticeKind::UnknownEncoding(label), at));
                        (UTF_8, 0)
                    }
                    None => (UTF_8, 0),
                }
            }
        };
        self.encoding = encoding;
        if encoding == UTF_8 {
            self.bom_bytes = mark as u64;
        } else {
            self.decoder = Some(encoding.new_decoder_without_bom_handling());
        }
        self.raw.copy_within(mark..self.held, 0);
        self.held -= mark;
        Ok(())
    }

    fn decode(&mut self, window: &mut String, found: &mut Vec<Found>) {
        match &mut self.decoder {
            None => {
                let used = decode_utf8(
                    self.raw.get(..self.held).unwrap_or_default(),
                    self.ended,
                    window,
                    &mut self.told.undecodable,
                    found,
                );
                self.raw.copy_within(used..self.held, 0);
                self.held -= used;
            }
            Some(decoder) => {
                let name = self.encoding.name();
                let mut bytes = self.raw.get(..self.held).unwrap_or_default();
                loop {
                    window.reserve(
                        decoder
                            .max_utf8_buffer_length(bytes.len())
                            .unwrap_or(CHUNK)
                            .max(16),
                    );
                    let before = window.len();
                    let (result, used, replaced) =
                        decoder.decode_to_string(bytes, window, self.ended);
                    let is_told = &mut self.told.undecodable;
                    if replaced {
                        note_replaced(window, before, name, is_told, found);
                    } else if *is_told && is_past_tag(window.get(before..)) {
                        *is_told = false;
                    }
                    bytes = bytes.get(used..).unwrap_or_default();
                    if result == CoderResult::InputEmpty {
                        break;
                    }
                }
                self.held = 0;
            }
        }
    }
}

fn read_once<R: Read>(read: &mut R, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match read.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn read_head<R: Read>(read: &mut R, n: usize) -> io::Result<Vec<u8>> {
    let mut head = vec![0; n];
    let mut held = 0;
    while let Some(free) = head.get_mut(held..).filter(|free| !free.is_empty()) {
        match read_once(read, free)? {
            0 => break,
            n => held += n,
        }
    }
    head.truncate(held);
    Ok(head)
}

/// Notes the characters that stand for what could not be read, from `from` on: one for each piece between two tags.
fn note_replaced(
    window: &str,
    from: usize,
    encoding: &'static str,
    is_told: &mut bool,
    found: &mut Vec<Found>,
) {
    for (at, c) in window.get(from..).unwrap_or_default().char_indices() {
        match c {
            '<' | '>' => *is_told = false,
            '\u{fffd}' if !std::mem::replace(is_told, true) => {
                found.push((NoticeKind::WrongEncoding(encoding), from + at));
            }
            _ => {}
        }
    }
}

/// Appends what is valid UTF-8, U+FFFD for what is not; gives back how many bytes are done with. The start of a
/// character whose rest has not come yet is left for the next call.
fn decode_utf8(
    mut bytes: &[u8],
    last: bool,
    window: &mut String,
    is_told: &mut bool,
    found: &mut Vec<Found>,
) -> usize {
    let all = bytes.len();
    let push = |text: &str, window: &mut String, is_told: &mut bool| {
        if *is_told && is_past_tag(Some(text)) {
            *is_told = false;
        }
        window.push_str(text);
    };
    loop {
        let error = match std::str::from_utf8(bytes) {
            Ok(text) => {
                push(text, window, is_told);
                return all;
            }
            Err(error) => error,
        };
        let (good, rest) = bytes
            .split_at_checked(error.valid_up_to())
            .unwrap_or((bytes, &[]));
        push(
            std::str::from_utf8(good).unwrap_or_default(),
            window,
            is_told,
        );
        let skip = match error.error_len() {
            Some(n) => n,
            None if last => rest.len(),
            None => return all - rest.len(),
        };
        if !std::mem::replace(is_told, true) {
            found.push((NoticeKind::WrongEncoding("UTF-8"), window.len()));
        }
        window.push('\u{fffd}');
        bytes = rest.get(skip..).unwrap_or_default();
    }
}

/// Whether a tag begins or ends in a text.
fn is_past_tag(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.contains(['<', '>']))
}

/// Whether a text holds no character that XML forbids.
fn is_clean(text: &[u8]) -> bool {
    let control = text.iter().fold(false, |any, &b| {
        any | (b < 0x20 && b != b'\t' && b != b'\n' && b != b'\r')
    });
    // U+FFFE and U+FFFF are the only others, and begin with a byte that is rare.
    let is_other = |at| matches!(text.get(at + 1..at + 3), Some([0xbf, 0xbe | 0xbf]));
    !control && !memchr::memchr_iter(0xef, text).any(is_other)
}

/// A document as text, where its bytes are that as they stand, and else as it was: another encoding, a byte-order mark or
/// a forbidden character is for an [`Input`] to see to.
pub(crate) fn as_text(document: Vec<u8>) -> Result<String, Vec<u8>> {
    let head = document.get(..SNIFF).unwrap_or(&document);
    let label = declared_encoding(head);
    let is_utf8 = label.is_none_or(|label| Encoding::for_label(label) == Some(UTF_8));
    if !is_utf8 || document.starts_with(&[0xef, 0xbb, 0xbf]) || !is_clean(&document) {
        return Err(document);
    }
    String::from_utf8(document).map_err(FromUtf8Error::into_bytes)
}

/// Replaces the characters that XML forbids in the new part of the window; each kind is told once for each piece between
/// two tags.
fn clean(window: &mut String, from: usize, told: &mut Option<char>, found: &mut Vec<Found>) {
    if is_clean(window.as_bytes().get(from..).unwrap_or_default()) {
        if told.is_some() && is_past_tag(window.get(from..)) {
            *told = None;
        }
        return;
    }
    let new = window.split_off(from);
    let mut forbidden = Vec::new();
    // What could not be decoded was found earlier; it moves along where more bytes come before it.
    let earlier = found.partition_point(|(_, at)| *at < from);
    let mut moved = found.iter_mut().skip(earlier).peekable();
    for (at, c) in new.char_indices() {
        while let Some((_, place)) = moved.next_if(|(_, place)| *place <= from + at) {
            *place = window.len();
        }
        if is_forbidden(c) {
            if told.replace(c) != Some(c) {
                forbidden.push((NoticeKind::ForbiddenCharacter(u32::from(c)), window.len()));
            }
            window.push('\u{fffd}');
        } else {
            if matches!(c, '<' | '>') {
                *told = None;
            }
            window.push(c);
        }
    }
    found.append(&mut forbidden);
    found.sort_by_key(|(_, at)| *at);
}

/// Whether every byte below 128 is the ASCII character, whatever comes before it: so a document can be cut at one.
pub(crate) fn is_ascii_compatible(head: &[u8]) -> bool {
    let named = declared_encoding(head.get(..SNIFF).unwrap_or(head)).and_then(Encoding::for_label);
    named.is_none_or(Encoding::is_ascii_compatible)
}

/// The encoding that the XML declaration names, where one can be read as ASCII.
fn declared_encoding(head: &[u8]) -> Option<&[u8]> {
    let head = head.trim_ascii_start();
    let declaration = head.strip_prefix(b"<?xml")?;
    let end = memmem::find(declaration, b"?>")?;
    let declaration = declaration.get(..end)?;
    let at = memmem::find(declaration, b"encoding")? + b"encoding".len();
    let rest = declaration
        .get(at..)?
        .trim_ascii_start()
        .strip_prefix(b"=")?
        .trim_ascii_start();
    let (quote, rest) = rest
        .split_first()
        .filter(|(quote, _)| matches!(quote, b'"' | b'\''))?;
    let end = memchr::memchr(*quote, rest)?;
    rest.get(..end)
}
