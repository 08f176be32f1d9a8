//! The cursor over start tags, text and end tags.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};

use super::error::{Error, ErrorKind, Malformed, Notice, NoticeKind, Position};
use super::namespace::{NONE, Namespaces};
use super::over_limit::PassingOver;
use super::tag::{ScanError, Span, Tag, is_space, syntax};
use super::text::{self, Found};
use super::window::Window;

/// What the cursor stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// A start tag. An empty-element tag gives a start and then an end.
    Start,
    /// A piece of text. The text between two tags may come in several pieces: around comments and CDATA sections, and
    /// where it is longer than 64 KiB. A piece may be empty.
    Text,
    /// An end tag.
    End,
    /// The input is over and was well-formed.
    Done,
}

/// Bounds of what is read. Nothing honest comes near them. An element that goes over one is passed over with all that is
/// in it, and told as [`NoticeKind::PassedOver`]; only where it is the root does reading end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one attribute; whoever gathers text holds to it too. 16 MiB.
    pub field_bytes: usize,
    /// Elements within elements. 128.
    pub depth: usize,
    /// Attributes of one element, namespace declarations included. 256.
    pub attributes: usize,
    /// Bytes of one name. 1,024.
    pub name_bytes: usize,
    /// Namespace declarations in force at once. 1,024.
    pub namespaces: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            field_bytes: 16 << 20,
            depth: 128,
            attributes: 256,
            name_bytes: 1024,
            namespaces: 1024,
        }
    }
}

#[derive(Debug)]
pub(super) struct Open {
    pub(super) name: usize,
    pub(super) local: usize,
    pub(super) namespace: u32,
    pub(super) bindings: usize,
}

/// What the next step owes before it looks at the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    Nothing,
    /// The end of an empty-element tag.
    CloseEmpty,
    /// The element whose end was given is still on the stack, so that it can be asked for its name.
    Pop,
    /// The rest of a CDATA section.
    CData,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Piece {
    Window { span: Span, is_blank: bool },
    Scratch,
}

/// A cursor over the tags and text of one document. See the [module](super) for an example.
///
/// Memory: two pieces of 64 KiB, and more only while one tag is longer than that.
pub struct Reader<R> {
    pub(super) window: Window<R>,
    pub(super) limits: Limits,
    pub(super) tag: Tag,
    pub(super) token: Token,
    /// Index of the first byte of the token at hand.
    pub(super) at: usize,
    pub(super) piece: Piece,
    pub(super) is_cdata: bool,
    pub(super) scratch: String,
    pub(super) names: String,
    pub(super) open: Vec<Open>,
    pub(super) namespaces: Namespaces,
    pub(super) pending: Pending,
    pub(super) passing_over: Option<PassingOver>,
    pub(super) root_seen: bool,
    pub(super) failed: bool,
    pub(super) found: Vec<Found>,
    pub(super) notices: Vec<Notice>,
    /// What was found in text that is in the window and not yet consumed, in order.
    pub(super) ahead: VecDeque<Found>,
}

impl<R> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("token", &self.token)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// Places of forbidden characters and the like that are remembered of text that is not consumed yet.
const AHEAD_MAX: usize = 64 * 1024;

impl Reader<io::Empty> {
    /// A reader of text that is in memory, such as one stored fragment.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        Self::whole(text.to_owned())
    }
}

impl<R: Read> Reader<R> {
    /// A reader with the default limits.
    #[must_use]
    pub fn new(read: R) -> Self {
        Self::with_limits(read, Limits::default())
    }

    /// A reader with limits of the caller's.
    #[must_use]
    pub fn with_limits(read: R, limits: Limits) -> Self {
        Self::with(Window::new(read), limits)
    }

    /// A reader of bytes that somebody has unzipped already, with the default limits.
    pub(crate) fn of_unzipped(read: R) -> Self {
        Self::with(Window::unzipped(read), Limits::default())
    }

    pub(crate) fn whole(text: String) -> Self {
        Self::with(Window::whole(text), Limits::default())
    }

    /// Gives back the text that [`whole`](Self::whole) was given.
    pub(crate) fn into_whole(self) -> String {
        self.window.into_text()
    }

    fn with(window: Window<R>, limits: Limits) -> Self {
        Self {
            window,
            limits,
            tag: Tag::default(),
            token: Token::Done,
            at: 0,
            piece: Piece::Scratch,
            is_cdata: false,
            scratch: String::new(),
            names: String::new(),
            open: Vec::new(),
            namespaces: Namespaces::default(),
            pending: Pending::Nothing,
            passing_over: None,
            root_seen: false,
            failed: false,
            found: Vec::new(),
            notices: Vec::new(),
            ahead: VecDeque::new(),
        }
    }

    /// Moves to the next token.
    ///
    /// # Errors
    ///
    /// Where the input cannot be read, is not well-formed or its root goes over a limit. Every later call fails too.
    pub fn advance(&mut self) -> Result<Token, Error> {
        self.step(|| false)
    }

    /// The same, for whoever takes no notice of plain white space between tags: it gives no token, in most places.
    pub(crate) fn advance_past_blanks(&mut self) -> Result<Token, Error> {
        self.step(|| true)
    }

    /// The same, where whoever asks for it says that white space may be passed over; asked only where there is some.
    #[inline]
    pub(crate) fn advance_past_blanks_if(
        &mut self,
        is_past_blanks: impl FnOnce() -> bool,
    ) -> Result<Token, Error> {
        self.step(is_past_blanks)
    }

    #[inline]
    fn step(&mut self, is_past_blanks: impl FnOnce() -> bool) -> Result<Token, Error> {
        if self.pending == Pending::Pop {
            self.pop();
        }
        if let Some(token) = self.quick_step(is_past_blanks) {
            self.token = token;
            return Ok(token);
        }
        self.any_step()
    }

    #[inline(never)]
    fn any_step(&mut self) -> Result<Token, Error> {
        if self.failed {
            return Err(self.fail((
                syntax("reading has ended at an earlier error"),
                self.window.start,
            )));
        }
        self.at = self.window.start;
        if self.pending == Pending::CloseEmpty {
            self.pending = Pending::Pop;
            self.token = Token::End;
            return Ok(Token::End);
        }
        let token = loop {
            let step = if let Some(passing_over) = self.passing_over {
                self.pass_over(passing_over).map(Some)
            } else if self.pending == Pending::CData {
                self.cdata()
            } else {
                match self.window.rest().first() {
                    Some(b'<') => self.markup(),
                    Some(_) => self.text_piece(),
                    None => match self.fill() {
                        Ok(true) => Ok(None),
                        Ok(false) => self.finish().map(Some),
                        Err(error) => Err(error),
                    },
                }
            };
            match step {
                Ok(Some(token)) => break token,
                Ok(None) => self.at = self.window.start,
                Err(error) => {
                    self.failed = true;
                    self.note_passed();
                    return Err(self.fail(error));
                }
            }
        };
        if !self.ahead.is_empty() {
            self.note_passed();
        }
        self.token = token;
        Ok(token)
    }

    /// The token the last [`advance`](Self::advance) gave.
    #[must_use]
    pub fn token(&self) -> Token {
        self.token
    }

    /// Where the token at hand begins.
    #[must_use]
    pub fn position(&self) -> Position {
        self.window.advance_anchor(self.at);
        self.window.position(self.at)
    }

    /// Where the token at hand ends: after its last character. The line is the one libxml2 names in its messages about
    /// an element.
    #[must_use]
    pub fn end_position(&self) -> Position {
        self.window.position(self.window.start)
    }

    /// The line of [`end_position`](Self::end_position), for whoever asks at every tag.
    #[must_use]
    pub fn end_line(&self) -> u64 {
        self.window.line()
    }

    /// The number of elements that are open, the one at hand included.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// The name of the innermost open element as written, on a start or end tag that of the tag itself. Empty outside
    /// of all elements.
    #[must_use]
    pub fn name(&self) -> &str {
        self.open
            .last()
            .and_then(|open| self.names.get(open.name..))
            .unwrap_or_default()
    }

    /// [`name`](Self::name) without its prefix.
    #[must_use]
    pub fn local_name(&self) -> &str {
        self.open
            .last()
            .and_then(|open| self.names.get(open.local..))
            .unwrap_or_default()
    }

    /// The namespace of the innermost open element. A prefix that nobody declared gives none.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.open
            .last()
            .and_then(|open| self.namespaces.name(open.namespace))
    }

    /// Whether the innermost open element may be one of IATI's own: no prefix and no namespace.
    #[must_use]
    pub fn is_unqualified(&self) -> bool {
        self.open.last().is_some_and(|open| open.namespace == NONE)
    }

    /// The names of all open elements, outermost first, with slashes between: `iati-activities/iati-activity/title`.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = String::with_capacity(self.names.len() + self.open.len());
        for (i, open) in self.open.iter().enumerate() {
            let end = self
                .open
                .get(i + 1)
                .map_or(self.names.len(), |next| next.name);
            if i > 0 {
                path.push('/');
            }
            path.push_str(self.names.get(open.name..end).unwrap_or_default());
        }
        path
    }

    /// All namespace declarations in force, each prefix once.
    pub fn namespaces_in_scope(&self) -> impl Iterator<Item = (&str, &str)> {
        self.namespaces.in_scope()
    }

    /// The piece of text at hand, with references resolved and line ends made line feeds; empty on other tokens.
    #[must_use]
    pub fn text(&self) -> &str {
        match (self.token, self.piece) {
            (Token::Text, Piece::Window { span, .. }) => self.window.slice(span.0, span.1),
            (Token::Text, Piece::Scratch) => &self.scratch,
            _ => "",
        }
    }

    /// Whether the piece of text at hand stands in a CDATA section. An empty section is an empty piece.
    #[must_use]
    pub fn is_cdata(&self) -> bool {
        self.token == Token::Text && self.is_cdata
    }

    /// Whether the piece of text at hand is nothing but white space.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match (self.token, self.piece) {
            (Token::Text, Piece::Window { is_blank, .. }) => is_blank,
            _ => self.text().bytes().all(is_space),
        }
    }

    /// What was survived since the last call, in the order of the input: forbidden characters, undefined entities and the
    /// like.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        let mut notices = std::mem::take(&mut self.notices);
        notices.sort_by_key(|notice| notice.position.offset);
        notices
    }

    /// Whether the text at hand stands for a part of an element that is passed over, and more of it comes.
    pub(crate) fn is_passing_over(&self) -> bool {
        self.passing_over.is_some()
    }

    /// Whether [`take_notices`](Self::take_notices) has something to give.
    #[must_use]
    pub fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    /// The name of the encoding the input is read in; known once something is read.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        self.window.encoding()
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Begins to keep the text as it is written, from the first character of the token at hand.
    pub(crate) fn record(&mut self) {
        self.window.record_from(self.at);
    }

    /// Appends what was kept so far, up to the end of the token at hand, and goes on.
    pub(crate) fn take_record(&mut self, out: &mut String) {
        self.window.take_record(out);
    }

    /// How much is kept, roughly: up to the last time the window moved on.
    pub(crate) fn recorded_len(&self) -> usize {
        self.window.recorded_len()
    }

    /// The token at hand as it is written. An end that an empty-element tag gives is written nowhere.
    pub(crate) fn written(&self) -> &str {
        self.window.slice(self.at, self.window.start)
    }

    /// The same so that others read it as we do, whatever it refers to that nobody defined. `None`: it is so as written.
    pub(crate) fn mended(&self) -> Option<String> {
        let has_references = match self.token {
            Token::Start => true,
            // Of an element that is passed over nobody knows what is markup.
            Token::Text => !self.is_cdata && self.passing_over.is_none(),
            Token::End | Token::Done => false,
        };
        has_references
            .then(|| text::mended(self.written()))
            .flatten()
    }

    /// Keeps the token at hand [mended](Self::mended) where something was noticed.
    pub(crate) fn mend_record(&mut self) {
        if self.has_notices()
            && let Some(mended) = self.mended()
        {
            self.window.replace_recorded(self.at, &mended);
        }
    }

    /// Stops keeping.
    pub(crate) fn stop_record(&mut self) {
        self.window.stop_record();
    }

    fn fail(&mut self, (kind, at): ScanError) -> Error {
        Error {
            kind,
            position: self.window.position(at.max(self.at)),
        }
    }

    pub(super) fn note(&mut self, kind: NoticeKind, at: usize) {
        // One a kind until they are taken, so that nothing can pile up.
        if let Some(known) = self.notices.iter_mut().find(|known| known.kind == kind) {
            known.count += 1;
            // What was read ahead is noted late.
            if self.window.offset(at) < known.position.offset {
                known.position = self.window.position(at);
            }
        } else if self.notices.len() < 64 {
            self.notices.push(Notice {
                kind,
                position: self.window.position(at),
                count: 1,
            });
        }
    }

    pub(super) fn note_found(&mut self) {
        let mut found = std::mem::take(&mut self.found);
        for (kind, at) in found.drain(..) {
            self.note(kind, at);
        }
        self.found = found;
    }

    /// Notes what was found in text that is consumed now.
    fn note_passed(&mut self) {
        while let Some((kind, at)) = self.ahead.pop_front_if(|(_, at)| *at < self.window.start) {
            self.note(kind, at);
        }
    }

    pub(super) fn fill(&mut self) -> Result<bool, ScanError> {
        // What is consumed leaves the window.
        self.note_passed();
        let gone = self.window.start;
        let filled = self.window.fill(&mut self.found);
        if self.window.start < gone {
            for (_, at) in &mut self.ahead {
                *at -= gone;
            }
        }
        // Only a tag of megabytes goes past the bound, and what is found in one tag is told once.
        let room = AHEAD_MAX.saturating_sub(self.ahead.len());
        self.ahead.extend(self.found.drain(..).take(room));
        self.at = self.window.start;
        // It breaks off after all that was read.
        filled.map_err(|error| (ErrorKind::Io(error), self.window.text().len()))
    }

    /// Reads on until `n` bytes are there or the input is over.
    pub(super) fn ensure(&mut self, n: usize) -> Result<(), ScanError> {
        while self.window.rest().len() < n {
            if !self.fill()? {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<Token, ScanError> {
        if !self.open.is_empty() {
            return Err((
                ErrorKind::Malformed(Malformed::EndInside(self.name().to_owned())),
                self.window.start,
            ));
        }
        if !self.root_seen {
            return Err((
                ErrorKind::Malformed(Malformed::NotXml("there is no element in it")),
                self.window.start,
            ));
        }
        Ok(Token::Done)
    }
}
