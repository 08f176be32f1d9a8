//! What is passed over: comments, instructions, the document type declaration.

use std::io::Read;

use memchr::memmem;

use super::error::NoticeKind;
use super::reader::{Pending, Reader};
use super::tag::{ScanError, syntax};

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
        let target = rest.get(2..6).unwrap_or_default();
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
        ) && !self.window.is_at_start()
        {
            self.note(NoticeKind::LateDeclaration, self.window.start);
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
