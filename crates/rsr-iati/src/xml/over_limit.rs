//! Elements that go over a limit: told, and passed over in constant memory, however long and deep they are.

use std::io::Read;

use memchr::{memchr, memchr3, memmem};

use super::error::{ErrorKind, Malformed, NoticeKind};
use super::reader::{Pending, Piece, Reader, Token};
use super::tag::{ScanError, is_name_byte};

/// Bytes of a name that are shown of an element whose name is too long.
const SHOWN_BYTES: usize = 64;

/// How far passing over has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct PassingOver {
    /// Elements that are open, the one that is passed over included.
    depth: u64,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// Between tags.
    Content,
    /// In a start tag, in this kind of quotes or in none; whether the last byte was a slash.
    StartTag(Option<u8>, bool),
    EndTag,
    CData,
}

impl<R: Read> Reader<R> {
    /// Begins to pass over the element whose start tag is at hand. What stands for it is a piece of text of no length, so
    /// that whoever reads sees the notice before anything that comes after the element.
    pub(super) fn begin_passing_over(&mut self, what: &'static str, limit: usize) -> Token {
        let name = self.window.rest().get(1..).unwrap_or_default();
        let length = name.iter().take_while(|&&b| is_name_byte(b)).count();
        let from = self.window.start + 1;
        let shown = length.min(SHOWN_BYTES);
        let to = from
            + self
                .window
                .slice(from, from + length)
                .floor_char_boundary(shown);
        let kind = NoticeKind::PassedOver {
            element: self.window.slice(from, to).to_owned(),
            what,
            limit,
        };
        self.note(kind, self.window.start);
        self.window.start += 1;
        self.passing_over = Some(PassingOver {
            depth: 0,
            place: Place::StartTag(None, false),
        });
        self.nothing()
    }

    fn nothing(&mut self) -> Token {
        self.scratch.clear();
        self.piece = Piece::Scratch;
        self.is_cdata = false;
        Token::Text
    }

    /// Goes on to the end of the element. Gives a piece of text of no length, once for each window, so that whoever keeps
    /// what is written can take it in time, and once at the end, so that whoever reads sees all of one element told before
    /// anything that is told of the next.
    pub(super) fn pass_over(&mut self, mut at: PassingOver) -> Result<Token, ScanError> {
        loop {
            self.passing_over = Some(at);
            if self.window.rest().is_empty() {
                if !self.fill()? {
                    let open = self.name().to_owned();
                    let kind = ErrorKind::Malformed(Malformed::EndInside(open));
                    return Err((kind, self.window.start));
                }
                return Ok(self.nothing());
            }
            at.place = match at.place {
                Place::Content => self.next_markup()?,
                Place::StartTag(quote, slash) => self.in_start_tag(quote, slash, &mut at.depth),
                Place::EndTag => match self.step_past(|rest| memchr(b'>', rest), 1) {
                    true => {
                        at.depth -= 1;
                        Place::Content
                    }
                    false => Place::EndTag,
                },
                Place::CData => {
                    self.ensure(3)?;
                    let is_whole = self.window.is_ended();
                    match memmem::find(self.window.rest(), b"]]>") {
                        Some(end) => {
                            self.window.start += end + 3;
                            Place::Content
                        }
                        None => {
                            // What may be the beginning of the end stays.
                            let kept = if is_whole { 0 } else { 2 };
                            let rest = self.window.rest();
                            let end = floor_boundary(rest, rest.len().saturating_sub(kept));
                            self.window.start += end;
                            if !is_whole {
                                self.fill()?;
                            }
                            Place::CData
                        }
                    }
                }
            };
            if at.depth == 0 && matches!(at.place, Place::Content) {
                self.passing_over = None;
                return Ok(self.nothing());
            }
        }
    }

    /// Moves to the next tag inside, over comments and instructions.
    fn next_markup(&mut self) -> Result<Place, ScanError> {
        if !self.step_to(|rest| memchr(b'<', rest)) {
            return Ok(Place::Content);
        }
        self.ensure(2)?;
        Ok(match self.window.rest().get(1) {
            Some(b'/') => {
                self.window.start += 2;
                Place::EndTag
            }
            Some(b'?') => {
                self.instruction()?;
                Place::Content
            }
            Some(b'!') => {
                self.declaration()?;
                if self.pending == Pending::CData {
                    self.pending = Pending::Nothing;
                    Place::CData
                } else {
                    Place::Content
                }
            }
            _ => {
                self.window.start += 1;
                Place::StartTag(None, false)
            }
        })
    }

    fn in_start_tag(&mut self, quote: Option<u8>, slash: bool, depth: &mut u64) -> Place {
        if let Some(quote) = quote {
            return if self.step_past(|rest| memchr(quote, rest), 1) {
                Place::StartTag(None, false)
            } else {
                Place::StartTag(Some(quote), false)
            };
        }
        let rest = self.window.rest();
        let Some(end) = memchr3(b'>', b'"', b'\'', rest) else {
            let slash = rest.last() == Some(&b'/');
            self.window.start += rest.len();
            return Place::StartTag(None, slash);
        };
        let found = rest.get(end).copied();
        let is_empty = match end.checked_sub(1) {
            Some(before) => rest.get(before) == Some(&b'/'),
            None => slash,
        };
        self.window.start += end + 1;
        match found {
            Some(b'>') => {
                *depth += u64::from(!is_empty);
                Place::Content
            }
            quote => Place::StartTag(quote, false),
        }
    }

    /// Moves to what is searched for, or to the end of the window; tells which.
    fn step_to(&mut self, find: impl Fn(&[u8]) -> Option<usize>) -> bool {
        let rest = self.window.rest();
        let found = find(rest);
        self.window.start += found.unwrap_or(rest.len());
        found.is_some()
    }

    /// The same, and past it where it is there.
    fn step_past(&mut self, find: impl Fn(&[u8]) -> Option<usize>, length: usize) -> bool {
        let found = self.step_to(find);
        self.window.start += if found { length } else { 0 };
        found
    }
}

/// The last place up to `end` where a character begins.
fn floor_boundary(text: &[u8], mut end: usize) -> usize {
    while end > 0 && text.get(end).is_some_and(|b| b & 0xc0 == 0x80) {
        end -= 1;
    }
    end
}
