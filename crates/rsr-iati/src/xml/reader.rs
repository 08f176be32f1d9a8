//! The cursor over start tags, text and end tags.

use std::fmt;
use std::io::{self, Read};

use memchr::{memchr, memmem};

use super::error::{Error, ErrorKind, Malformed, Notice, NoticeKind, Position};
use super::input::CHUNK;
use super::namespace::{NONE, Namespaces, UNDECLARED};
use super::tag::{self, RawAttribute, Scan, ScanError, Span, Tag, Value, syntax};
use super::text::{self, Found, Where};
use super::window::Window;

/// What the cursor stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// A start tag. An empty-element tag gives a start and then an end.
    Start,
    /// A piece of text. The text between two tags may come in several pieces: around comments and CDATA sections, and
    /// where it is longer than 64 KiB.
    Text,
    /// An end tag.
    End,
    /// The input is over and was well-formed.
    Done,
}

/// Bounds of what is read. Nothing honest comes near them.
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

/// One attribute of the start tag at hand. Namespace declarations are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// As written, with its prefix.
    pub name: &'a str,
    /// Without its prefix.
    pub local_name: &'a str,
    /// Of its prefix; an attribute without a prefix is in none.
    pub namespace: Option<&'a str>,
    /// With references resolved and white space turned to spaces.
    pub value: &'a str,
}

#[derive(Debug)]
pub(super) struct Open {
    name: usize,
    local: usize,
    namespace: u32,
    bindings: usize,
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
enum Piece {
    Window(Span),
    Scratch,
}

/// A cursor over the tags and text of one document. See the [module](super) for an example.
///
/// Memory: two pieces of 64 KiB, and more only while one tag is longer than that.
pub struct Reader<R> {
    pub(super) window: Window<R>,
    limits: Limits,
    tag: Tag,
    token: Token,
    /// Index of the first byte of the token at hand.
    at: usize,
    piece: Piece,
    scratch: String,
    names: String,
    pub(super) open: Vec<Open>,
    namespaces: Namespaces,
    pub(super) pending: Pending,
    pub(super) root_seen: bool,
    failed: bool,
    found: Vec<Found>,
    notices: Vec<Notice>,
}

impl<R> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("token", &self.token)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

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

    pub(crate) fn whole(text: String) -> Self {
        Self::with(Window::whole(text), Limits::default())
    }

    fn with(window: Window<R>, limits: Limits) -> Self {
        Self {
            window,
            limits,
            tag: Tag::default(),
            token: Token::Done,
            at: 0,
            piece: Piece::Scratch,
            scratch: String::new(),
            names: String::new(),
            open: Vec::new(),
            namespaces: Namespaces::default(),
            pending: Pending::Nothing,
            root_seen: false,
            failed: false,
            found: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// Moves to the next token.
    ///
    /// # Errors
    ///
    /// Where the input cannot be read, is not well-formed or goes over a limit. Every later call fails too.
    pub fn advance(&mut self) -> Result<Token, Error> {
        if self.pending == Pending::Pop {
            self.pop();
        }
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
            let step = if self.pending == Pending::CData {
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
                    return Err(self.fail(error));
                }
            }
        };
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

    /// The attributes of the start tag at hand in the order they are written, without namespace declarations.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
        let tag = (self.token == Token::Start).then_some(&self.tag.attributes);
        tag.into_iter()
            .flatten()
            .filter(|raw| !raw.is_declaration)
            .map(|raw| self.attribute_of(raw))
    }

    /// The value of the attribute of this name, prefix included, of the start tag at hand.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes()
            .find(|attribute| attribute.name == name)
            .map(|attribute| attribute.value)
    }

    /// `xml:lang` of the start tag at hand.
    #[must_use]
    pub fn language(&self) -> Option<&str> {
        self.attribute("xml:lang")
    }

    /// The namespace declarations of the start tag at hand: prefix (empty for the default) and namespace.
    pub fn declarations(&self) -> impl Iterator<Item = (&str, &str)> {
        let tag = (self.token == Token::Start).then_some(&self.tag.attributes);
        tag.into_iter()
            .flatten()
            .filter(|raw| raw.is_declaration)
            .map(|raw| {
                let name = self.window.slice(raw.name.0, raw.name.1);
                (
                    name.strip_prefix("xmlns:").unwrap_or_default(),
                    self.value_of(raw),
                )
            })
    }

    /// All namespace declarations in force, each prefix once.
    pub fn namespaces_in_scope(&self) -> impl Iterator<Item = (&str, &str)> {
        self.namespaces.in_scope()
    }

    /// The piece of text at hand, with references resolved and line ends made line feeds; empty on other tokens.
    #[must_use]
    pub fn text(&self) -> &str {
        match (self.token, self.piece) {
            (Token::Text, Piece::Window((from, to))) => self.window.slice(from, to),
            (Token::Text, Piece::Scratch) => &self.scratch,
            _ => "",
        }
    }

    /// Whether the piece of text at hand is nothing but white space.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.text()
            .bytes()
            .all(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
    }

    /// What was survived since the last call: forbidden characters, undefined entities and the like.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
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

    /// Stops keeping.
    pub(crate) fn stop_record(&mut self) {
        self.window.stop_record();
    }

    fn attribute_of(&self, raw: &RawAttribute) -> Attribute<'_> {
        Attribute {
            name: self.window.slice(raw.name.0, raw.name.1),
            local_name: self.window.slice(raw.local, raw.name.1),
            namespace: self.namespaces.name(raw.namespace),
            value: self.value_of(raw),
        }
    }

    fn value_of(&self, raw: &RawAttribute) -> &str {
        match raw.value {
            Value::Window((from, to)) => self.window.slice(from, to),
            Value::Resolved((from, to)) => self.tag.values.get(from..to).unwrap_or_default(),
        }
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
        } else if self.notices.len() < 64 {
            self.notices.push(Notice {
                kind,
                position: self.window.position(at),
                count: 1,
            });
        }
    }

    fn note_found(&mut self) {
        let mut found = std::mem::take(&mut self.found);
        for (kind, at) in found.drain(..) {
            self.note(kind, at);
        }
        self.found = found;
    }

    pub(super) fn fill(&mut self) -> Result<bool, ScanError> {
        let more = self
            .window
            .fill(&mut self.found)
            .map_err(|error| (ErrorKind::Io(error), self.window.start))?;
        self.at = self.window.start;
        self.note_found();
        Ok(more)
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

    fn finish(&mut self) -> Result<Token, ScanError> {
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

    fn text_piece(&mut self) -> Result<Option<Token>, ScanError> {
        let end = loop {
            let rest = self.window.rest();
            if let Some(len) = memchr(b'<', rest) {
                break len;
            }
            if self.window.is_ended() {
                break rest.len();
            }
            if rest.len() >= CHUNK {
                let end = text::safe_cut(rest, self.limits.name_bytes);
                if end > 0 {
                    break end;
                }
            }
            self.fill()?;
        };
        let from = self.window.start;
        let span = (from, from + end);
        let raw = self
            .window
            .text()
            .as_bytes()
            .get(from..from + end)
            .unwrap_or_default();
        if self.open.is_empty() {
            if let Some(at) = raw
                .iter()
                .position(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
            {
                let kind = if self.root_seen {
                    syntax("text after the end of the document")
                } else {
                    ErrorKind::Malformed(Malformed::NotXml("it does not begin with an element"))
                };
                return Err((kind, from + at));
            }
            self.window.start = span.1;
            return Ok(None);
        }
        if text::is_plain(raw) {
            self.piece = Piece::Window(span);
        } else {
            if let Some(at) = memmem::find(raw, b"]]>") {
                return Err((syntax("]]> stands outside of a CDATA section"), from + at));
            }
            self.scratch.clear();
            text::resolve(
                self.window.text(),
                span,
                Where::Text,
                &mut self.scratch,
                &mut self.found,
            )?;
            self.note_found();
            self.piece = Piece::Scratch;
        }
        self.window.start = span.1;
        Ok(Some(Token::Text))
    }

    fn cdata(&mut self) -> Result<Option<Token>, ScanError> {
        let (end, skip) = loop {
            let rest = self.window.rest();
            if let Some(len) = memmem::find(rest, b"]]>") {
                break (len, 3);
            }
            if self.window.is_ended() {
                return Err((
                    syntax("the input ends inside a CDATA section"),
                    self.window.start + rest.len(),
                ));
            }
            if rest.len() >= CHUNK {
                break (text::safe_cut(rest, 0), 0);
            }
            self.fill()?;
        };
        let from = self.window.start;
        self.scratch.clear();
        text::resolve(
            self.window.text(),
            (from, from + end),
            Where::CData,
            &mut self.scratch,
            &mut self.found,
        )?;
        self.piece = Piece::Scratch;
        self.window.start = from + end + skip;
        if skip > 0 {
            self.pending = Pending::Nothing;
        }
        Ok((end > 0).then_some(Token::Text))
    }

    /// Something that begins with `<`. `None`: it was passed over.
    fn markup(&mut self) -> Result<Option<Token>, ScanError> {
        if self.window.rest().len() < 2 {
            self.ensure(2)?;
        }
        match self.window.rest().get(1) {
            Some(b'/') => self.end_tag().map(Some),
            Some(b'!') => self.declaration().map(|()| None),
            Some(b'?') => self.instruction().map(|()| None),
            Some(_) => self.start_tag().map(Some),
            None => Err((syntax("the input ends inside a tag"), self.window.start)),
        }
    }

    fn start_tag(&mut self) -> Result<Token, ScanError> {
        let end = loop {
            let from = self.window.start;
            match tag::scan(
                self.window.text(),
                from,
                &mut self.tag,
                &self.limits,
                &mut self.found,
            )? {
                Scan::Complete(end) => break end,
                Scan::NeedMore => {
                    self.found.clear();
                    if self.window.rest().len() > self.limits.field_bytes {
                        let limit = self.limits.field_bytes;
                        return Err((
                            ErrorKind::Limit {
                                what: "the size of a tag in bytes",
                                limit,
                            },
                            from,
                        ));
                    }
                    if !self.fill()? {
                        return Err((syntax("the input ends inside a tag"), self.window.start));
                    }
                }
            }
        };
        if !self.found.is_empty() {
            self.note_found();
        }
        let (from, to) = self.tag.name;
        if self.open.is_empty() && self.root_seen {
            return Err((
                syntax("a second element after the end of the document"),
                from,
            ));
        }
        if self.open.len() == self.limits.depth {
            return Err((
                ErrorKind::Limit {
                    what: "the depth of elements",
                    limit: self.limits.depth,
                },
                from,
            ));
        }
        self.root_seen = true;
        let bindings = self.namespaces.len();
        let namespace = if self.tag.has_prefixes {
            self.resolve_prefixes()?
        } else {
            self.namespaces.default_namespace()
        };
        let name = self.names.len();
        self.names.push_str(self.window.slice(from, to));
        self.open.push(Open {
            name,
            local: name + (self.tag.local - from),
            namespace,
            bindings,
        });
        if self.tag.self_closing {
            self.pending = Pending::CloseEmpty;
        }
        self.window.start = end;
        Ok(Token::Start)
    }

    /// Takes in the declarations of the tag and gives each name its namespace.
    fn resolve_prefixes(&mut self) -> Result<u32, ScanError> {
        let attributes = std::mem::take(&mut self.tag.attributes);
        for raw in attributes.iter().filter(|raw| raw.is_declaration) {
            if self.namespaces.len() == self.limits.namespaces {
                let limit = self.limits.namespaces;
                return Err((
                    ErrorKind::Limit {
                        what: "the number of namespace declarations",
                        limit,
                    },
                    raw.name.0,
                ));
            }
            let value = match raw.value {
                Value::Window((from, to)) => self.window.slice(from, to),
                Value::Resolved((from, to)) => self.tag.values.get(from..to).unwrap_or_default(),
            };
            if value.len() > self.limits.name_bytes {
                let limit = self.limits.name_bytes;
                return Err((
                    ErrorKind::Limit {
                        what: "the length of a namespace in bytes",
                        limit,
                    },
                    raw.name.0,
                ));
            }
            let name = self.window.slice(raw.name.0, raw.name.1);
            self.namespaces
                .push(name.strip_prefix("xmlns:").unwrap_or_default(), value);
        }
        self.tag.attributes = attributes;
        let (from, local) = (self.tag.name.0, self.tag.local);
        let namespace = if local > from {
            self.resolve(from, local)
        } else {
            self.namespaces.default_namespace()
        };
        for i in 0..self.tag.attributes.len() {
            let Some(raw) = self.tag.attributes.get(i).copied() else {
                break;
            };
            if raw.local > raw.name.0 && !raw.is_declaration {
                let id = self.resolve(raw.name.0, raw.local);
                if let Some(raw) = self.tag.attributes.get_mut(i) {
                    raw.namespace = id;
                }
            }
        }
        self.check_expanded_names()?;
        Ok(namespace)
    }

    fn resolve(&mut self, from: usize, local: usize) -> u32 {
        let prefix = self.window.slice(from, local - 1);
        let id = self.namespaces.resolve(prefix);
        if id == UNDECLARED {
            let kind = NoticeKind::UndeclaredPrefix(prefix.to_owned());
            self.note(kind, from);
        }
        id
    }

    /// Two prefixes for one namespace must not hide one attribute given twice.
    fn check_expanded_names(&self) -> Result<(), ScanError> {
        let with_prefix = |raw: &&RawAttribute| raw.namespace > UNDECLARED && !raw.is_declaration;
        let expanded = |raw: &RawAttribute| {
            (
                self.window.slice(raw.local, raw.name.1),
                self.namespaces.name(raw.namespace).unwrap_or_default(),
            )
        };
        let mut known: Vec<(&str, &str)> = Vec::new();
        for raw in self.tag.attributes.iter().filter(with_prefix) {
            let name = expanded(raw);
            if known.contains(&name) {
                let name = self.window.slice(raw.name.0, raw.name.1).to_owned();
                return Err((
                    ErrorKind::Malformed(Malformed::DuplicateAttribute(name)),
                    raw.name.0,
                ));
            }
            known.push(name);
        }
        Ok(())
    }

    fn end_tag(&mut self) -> Result<Token, ScanError> {
        loop {
            let rest = self.window.rest();
            let Some(len) = memchr(b'>', rest) else {
                if rest.len() > self.limits.name_bytes + 64 {
                    return Err((syntax("an end tag has no end"), self.window.start));
                }
                if !self.fill()? {
                    return Err((syntax("the input ends inside a tag"), self.window.start));
                }
                continue;
            };
            let inner = rest.get(2..len).unwrap_or_default();
            let name = self
                .open
                .last()
                .and_then(|open| self.names.as_bytes().get(open.name..));
            if name != Some(inner) && name != Some(inner.trim_ascii_end()) {
                return Err((self.mismatch(len), self.window.start));
            }
            self.window.start += len + 1;
            self.pending = Pending::Pop;
            return Ok(Token::End);
        }
    }

    fn mismatch(&self, len: usize) -> ErrorKind {
        let from = self.window.start + 2;
        let close: String = self
            .window
            .slice(from, self.window.start + len)
            .trim_end()
            .chars()
            .take(self.limits.name_bytes)
            .collect();
        ErrorKind::Malformed(if self.open.is_empty() {
            Malformed::UnopenedEnd(close)
        } else {
            Malformed::Mismatch {
                open: self.name().to_owned(),
                close,
            }
        })
    }

    fn pop(&mut self) {
        self.pending = Pending::Nothing;
        if let Some(open) = self.open.pop() {
            self.names.truncate(open.name);
            self.namespaces.truncate(open.bindings);
        }
    }
}
