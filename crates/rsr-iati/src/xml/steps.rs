//! The steps of the cursor: a piece of text, a start tag, an end tag.

use std::io::Read;

use memchr::{memchr, memmem};

use super::error::{ErrorKind, Malformed, NoticeKind};
use super::input::CHUNK;
use super::namespace::UNDECLARED;
use super::reader::{Open, Pending, Piece, Reader, Token};
use super::tag::{self, RawAttribute, Scan, ScanError, Value, syntax};
use super::text::{self, Where};

impl<R: Read> Reader<R> {
    /// The steps that most are: a plain text, an end tag and a start tag, whole in the window. `None`: it is another.
    pub(super) fn quick_step(&mut self, is_past_blanks: impl FnOnce() -> bool) -> Option<Token> {
        let is_usual = self.pending == Pending::Nothing
            && self.passing_over.is_none()
            && self.ahead.is_empty()
            && !self.failed;
        let open = self.open.last().filter(|_| is_usual)?;
        let mut rest = self.window.rest();
        if rest.first() != Some(&b'<') {
            let run = text::run(rest.get(..CHUNK).unwrap_or(rest));
            if !run.is_ended || !run.is_plain {
                return None;
            }
            self.at = self.window.start;
            self.window.start += run.len;
            if !(run.is_blank && is_past_blanks()) {
                self.is_cdata = false;
                self.piece = Piece::Window {
                    span: (self.at, self.window.start),
                    is_blank: run.is_blank,
                };
                return Some(Token::Text);
            }
            rest = self.window.rest();
        }
        match rest.get(1) {
            Some(b'/') => {}
            // What is wrong with it is found again on the long way.
            Some(b) if b.is_ascii_alphabetic() => return self.quick_start_tag(),
            _ => return None,
        }
        // Nearly all are written without white space.
        let name = self.names.as_bytes().get(open.name..).unwrap_or_default();
        let after = rest.get(2..).and_then(|inner| inner.strip_prefix(name));
        if after.and_then(<[u8]>::first) != Some(&b'>') {
            return None;
        }
        self.at = self.window.start;
        self.window.start += name.len() + 3;
        self.pending = Pending::Pop;
        Some(Token::End)
    }

    /// The start tag that begins here, where it is whole in the window and nothing about it is unusual.
    #[inline]
    fn quick_start_tag(&mut self) -> Option<Token> {
        let from = self.window.start;
        let scan = tag::scan(
            self.window.text(),
            from,
            &mut self.tag,
            &self.limits,
            &mut self.found,
        );
        let is_usual =
            self.found.is_empty() && !self.tag.has_prefixes && self.open.len() < self.limits.depth;
        match scan {
            Ok(Scan::Complete(end)) if is_usual => {
                self.at = from;
                self.begin(
                    end,
                    self.namespaces.default_namespace(),
                    self.namespaces.len(),
                );
                Some(Token::Start)
            }
            _ => {
                self.found.clear();
                None
            }
        }
    }

    /// Opens the element of the tag at hand, which ends before `end`.
    fn begin(&mut self, end: usize, namespace: u32, bindings: usize) {
        let (from, to) = self.tag.name;
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
    }

    pub(super) fn text_piece(&mut self) -> Result<Option<Token>, ScanError> {
        let (end, run) = loop {
            let rest = self.window.rest();
            let looked_at = rest.get(..CHUNK).unwrap_or(rest);
            let run = text::run(looked_at);
            if run.is_ended {
                break (run.len, run);
            }
            // How long a piece is depends on the text alone, not on how it came into the window.
            if rest.len() >= CHUNK {
                let whole = self.window.floor_boundary(CHUNK);
                let cut = text::safe_cut(
                    rest.get(..whole).unwrap_or_default(),
                    self.limits.name_bytes,
                );
                break (if cut > 0 { cut } else { whole }, run);
            }
            if self.window.is_ended() {
                break (rest.len(), run);
            }
            self.fill()?;
        };
        self.is_cdata = false;
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
        if run.is_plain {
            self.piece = Piece::Window {
                span,
                is_blank: run.is_blank,
            };
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

    pub(super) fn cdata(&mut self) -> Result<Option<Token>, ScanError> {
        let (end, skip) = loop {
            let rest = self.window.rest();
            // Pieces as of other text: the end may begin up to the place where a piece has to be cut.
            let looked_at = rest.get(..CHUNK + 2);
            if let Some(len) = memmem::find(looked_at.unwrap_or(rest), b"]]>") {
                break (len, 3);
            }
            if looked_at.is_some() {
                let whole = self.window.floor_boundary(CHUNK);
                break (text::safe_cut(rest.get(..whole).unwrap_or_default(), 0), 0);
            }
            if self.window.is_ended() {
                return Err((
                    syntax("the input ends inside a CDATA section"),
                    self.window.start + rest.len(),
                ));
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
        self.is_cdata = true;
        if skip > 0 {
            self.pending = Pending::Nothing;
        }
        Ok(Some(Token::Text))
    }

    /// Something that begins with `<`. `None`: it was passed over.
    pub(super) fn markup(&mut self) -> Result<Option<Token>, ScanError> {
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

    pub(super) fn start_tag(&mut self) -> Result<Token, ScanError> {
        let n_bindings = self.namespaces.len();
        match self.whole_start_tag() {
            Err((ErrorKind::Limit { what, limit }, _)) if !self.open.is_empty() => {
                self.namespaces.truncate(n_bindings);
                self.found.clear();
                Ok(self.begin_passing_over(what, limit))
            }
            other => other,
        }
    }

    fn whole_start_tag(&mut self) -> Result<Token, ScanError> {
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
                    // A quarter more each time: a long tag is scanned some times, not once for each piece of it.
                    let known = self.window.rest().len();
                    self.ensure(known + known / 4 + 1)?;
                    if self.window.rest().len() == known {
                        return Err((syntax("the input ends inside a tag"), self.window.start));
                    }
                }
            }
        };
        if !self.found.is_empty() {
            self.note_found();
        }
        let (from, _) = self.tag.name;
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
        self.begin(end, namespace, bindings);
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

    pub(super) fn end_tag(&mut self) -> Result<Token, ScanError> {
        loop {
            let rest = self.window.rest();
            // How far is looked does not depend on how the tag came into the window.
            let len_max = self.limits.name_bytes + 64;
            let Some(len) = memchr(b'>', rest.get(..len_max).unwrap_or(rest)) else {
                if rest.len() >= len_max {
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

    #[inline]
    pub(super) fn pop(&mut self) {
        self.pending = Pending::Nothing;
        if let Some(open) = self.open.pop() {
            self.names.truncate(open.name);
            self.namespaces.truncate(open.bindings);
        }
    }
}
