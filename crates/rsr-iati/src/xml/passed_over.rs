//! What is passed over: comments, instructions, the document type declaration.

use std::io::Read;

use memchr::{memchr, memmem};

use super::error::NoticeKind;
use super::reader::{Pending, Reader};
use super::tag::{ScanError, is_name_byte, is_space, syntax};

/// No XML declaration is longer.
const DECLARATION_BYTES: usize = 1024;

impl<R: Read> Reader<R> {
    /// Something that begins with `<!`.
    pub(super) fn declaration(&mut self) -> Result<(), ScanError> {
        self.ensure(9)?;
        let rest = self.window.rest();
        if rest.starts_with(b"<!--") {
            self.window.start += 4;
            return self.comment();
        }
        if rest.starts_with(b"<![CDATA[") {
            if self.open.is_empty() {
                return Err((
                    syntax("a CDATA section outside of the document element"),
                    self.window.start,
                ));
            }
            self.window.start += 9;
            self.pending = Pending::CData;
            return Ok(());
        }
        if rest.starts_with(b"<!DOCTYPE") && !self.root_seen {
            self.note(NoticeKind::Doctype, self.window.start);
            return self.doctype();
        }
        Err((
            syntax("<! begins neither a comment nor a CDATA section"),
            self.window.start,
        ))
    }

    fn comment(&mut self) -> Result<(), ScanError> {
        loop {
            let rest = self.window.rest();
            match memmem::find(rest, b"--") {
                Some(at) if rest.len() > at + 2 => {
                    if rest.get(at + 2) == Some(&b'>') {
                        self.window.start += at + 3;
                        return Ok(());
                    }
                    self.note(NoticeKind::HyphensInComment, self.window.start + at);
                    self.window.start += at + 1;
                }
                other => {
                    // Keep what may be the beginning of the end.
                    self.window.start +=
                        other.unwrap_or_else(|| rest.len() - usize::from(rest.ends_with(b"-")));
                    if !self.fill()? {
                        return Err((syntax("the input ends inside a comment"), self.window.start));
                    }
                }
            }
        }
    }

    pub(super) fn instruction(&mut self) -> Result<(), ScanError> {
        self.ensure(6)?;
        let rest = self.window.rest();
        let target = rest.get(2..6).or(rest.get(2..)).unwrap_or_default();
        if !target
            .first()
            .is_some_and(|&b| b.is_ascii_alphabetic() || matches!(b, b'_' | b':') || b >= 0x80)
        {
            return Err((
                syntax("<? without the name of an instruction"),
                self.window.start,
            ));
        }
        if matches!(
            target,
            [
                b'x' | b'X',
                b'm' | b'M',
                b'l' | b'L',
                b' ' | b'\t' | b'\r' | b'\n' | b'?'
            ]
        ) {
            if !self.window.is_at_start() {
                self.note(NoticeKind::LateDeclaration, self.window.start);
            } else if !self.begins_with_declaration()? {
                self.note(NoticeKind::BadInstruction, self.window.start);
            }
        } else if !self.begins_with_instruction()? {
            self.note(NoticeKind::BadInstruction, self.window.start);
        }
        self.window.start += 2;
        loop {
            let rest = self.window.rest();
            if let Some(at) = memmem::find(rest, b"?>") {
                self.window.start += at + 2;
                return Ok(());
            }
            self.window.start += rest.len() - usize::from(rest.ends_with(b"?"));
            if !self.fill()? {
                return Err((
                    syntax("the input ends inside an instruction"),
                    self.window.start,
                ));
            }
        }
    }

    /// Whether a well-formed XML declaration comes next.
    fn begins_with_declaration(&mut self) -> Result<bool, ScanError> {
        loop {
            let rest = self.window.rest();
            if let Some(end) = memmem::find(rest, b"?>") {
                let inside = rest.get(..end).and_then(|all| all.strip_prefix(b"<?xml"));
                return Ok(inside.is_some_and(is_declaration));
            }
            // What came before trouble with the input is given before it, so no more is asked for than is needed.
            if rest.len() >= DECLARATION_BYTES || !self.fill()? {
                return Ok(false);
            }
        }
    }

    /// Whether an instruction comes next whose name ends as a name has to.
    fn begins_with_instruction(&mut self) -> Result<bool, ScanError> {
        loop {
            let rest = self.window.rest().get(2..).unwrap_or_default();
            let len = rest.iter().take_while(|b| is_name_byte(**b)).count();
            match rest.get(len..).unwrap_or_default() {
                [b'?', b'>', ..] => return Ok(true),
                [b'?'] | [] if len <= self.limits.name_bytes => {
                    if !self.fill()? {
                        return Ok(false);
                    }
                }
                after => return Ok(after.first().copied().is_some_and(is_space)),
            }
        }
    }

    /// Passes over a document type declaration: brackets and quotes are minded, nothing else.
    fn doctype(&mut self) -> Result<(), ScanError> {
        let mut depth = 0_usize;
        let mut quote = None;
        loop {
            let rest = self.window.rest();
            let mut end = None;
            for (i, &b) in rest.iter().enumerate() {
                match (quote, b) {
                    (Some(open), _) if b == open => quote = None,
                    (Some(_), _) => {}
                    (None, b'"' | b'\'') => quote = Some(b),
                    (None, b'[' | b'<') => depth += 1,
                    (None, b']') => depth = depth.saturating_sub(1),
                    (None, b'>') => {
                        depth = depth.saturating_sub(1);
                        if depth == 0 {
                            end = Some(i + 1);
                            break;
                        }
                    }
                    (None, _) => {}
                }
            }
            match end {
                Some(len) => {
                    self.window.start += len;
                    return Ok(());
                }
                None => self.window.start += rest.len(),
            }
            if !self.fill()? {
                return Err((
                    syntax("the input ends inside a document type declaration"),
                    self.window.start,
                ));
            }
        }
    }
}

/// Whether this may stand in an XML declaration after its name: a version, an encoding and whether the document stands
/// alone, in this order; all but the first may be absent.
fn is_declaration(inside: &[u8]) -> bool {
    let is_version = |value: &[u8]| {
        let minor = value.strip_prefix(b"1.");
        minor.is_some_and(|minor| minor.iter().all(u8::is_ascii_digit))
    };
    let Some((version, rest)) = said(inside, b"version") else {
        return false;
    };
    let (encoding, rest) = said(rest, b"encoding").unwrap_or((b"UTF-8", rest));
    let (standalone, rest) = said(rest, b"standalone").unwrap_or((b"no", rest));
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    is_version(version)
        && encoding.first().is_some_and(u8::is_ascii_alphabetic)
        && encoding.iter().all(is_part)
        && matches!(standalone, b"yes" | b"no")
        && rest.iter().all(|b| is_space(*b))
}

/// The value that a declaration gives to a name, and what comes after it.
fn said<'d>(rest: &'d [u8], name: &[u8]) -> Option<(&'d [u8], &'d [u8])> {
    let (space, rest) = rest.split_at(rest.iter().take_while(|b| is_space(**b)).count());
    let rest = rest.strip_prefix(name).filter(|_| !space.is_empty())?;
    let rest = rest.trim_ascii_start().strip_prefix(b"=")?;
    let (quote, rest) = rest.trim_ascii_start().split_first()?;
    let value = rest.get(..memchr(*quote, rest)?)?;
    let is_quote = matches!(quote, b'"' | b'\'');
    is_quote.then_some((value, rest.get(value.len() + 1..)?))
}
