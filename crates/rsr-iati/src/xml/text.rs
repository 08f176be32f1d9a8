//! Character references and line ends.

use memchr::{memchr, memchr_iter, memchr2};

use super::block;
use super::error::NoticeKind;
use super::tag::{ScanError, Span, is_name, is_space, syntax};

/// A notice and where its cause stands in the window.
pub(super) type Found = (NoticeKind, usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    /// Between tags: line ends become line feeds.
    Text,
    /// In a CDATA section: likewise, and references stay as they are.
    CData,
    /// In an attribute: white space becomes spaces.
    Attribute,
}

/// A text between tags as far as it was looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) len: usize,
    /// A tag comes next.
    pub(super) is_ended: bool,
    /// It says exactly what is written.
    pub(super) is_plain: bool,
    /// It is plain and nothing but white space.
    pub(super) is_blank: bool,
}

/// Looks at the text that begins here, up to the next tag.
pub(super) fn run(bytes: &[u8]) -> Run {
    let mut at = block::skip(bytes, 0, block::not_blank);
    let is_blank = bytes.get(at) == Some(&b'<');
    if bytes.get(at).copied().is_some_and(is_space) {
        // There is more white space than is looked at here.
        return long_run(bytes, at);
    }
    if !is_blank {
        at = block::skip(bytes, at, block::special_in_text);
    }
    if bytes.get(at) == Some(&b'<') {
        return Run {
            len: at,
            is_ended: true,
            is_plain: true,
            is_blank,
        };
    }
    long_run(bytes, at)
}

/// The same of a text that is long, not plain or not ended, and has nothing special up to `at`.
fn long_run(bytes: &[u8], at: usize) -> Run {
    let rest = bytes.get(at..).unwrap_or_default();
    let len = at + memchr(b'<', rest).unwrap_or(rest.len());
    let text = bytes.get(..len).unwrap_or_default();
    let special = |any, &b: &u8| any | (b == b'&') | (b == b'\r') | (b == b']');
    Run {
        len,
        is_ended: len < bytes.len(),
        is_plain: !text.iter().fold(false, special),
        is_blank: text.iter().fold(true, |all, &b| all & is_space(b)),
    }
}

/// Appends what the text in `span` means to `out`.
pub(super) fn resolve(
    window: &str,
    span: Span,
    place: Where,
    out: &mut String,
    found: &mut Vec<Found>,
) -> Result<(), ScanError> {
    let mut at = span.0;
    let bytes = window.as_bytes().get(..span.1).unwrap_or_default();
    let piece = |from: usize, to: usize| window.get(from..to).unwrap_or_default();
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let next = match place {
            Where::Text => memchr2(b'&', b'\r', rest),
            Where::CData => memchr(b'\r', rest),
            Where::Attribute => rest
                .iter()
                .position(|b| matches!(b, b'&' | b'\t' | b'\n' | b'\r')),
        };
        let Some(next) = next else {
            out.push_str(piece(at, span.1));
            break;
        };
        out.push_str(piece(at, at + next));
        at += next;
        match bytes.get(at) {
            Some(b'&') => at = reference(window, at, span.1, out, found)?,
            Some(b'\r') => {
                out.push(if place == Where::Attribute { ' ' } else { '\n' });
                at += if bytes.get(at + 1) == Some(&b'\n') {
                    2
                } else {
                    1
                };
            }
            _ => {
                out.push(' ');
                at += 1;
            }
        }
    }
    Ok(())
}

/// Resolves the reference whose `&` stands at `at`; gives the index after it.
fn reference(
    window: &str,
    at: usize,
    end: usize,
    out: &mut String,
    found: &mut Vec<Found>,
) -> Result<usize, ScanError> {
    const BARE: &str = "a bare &; write &amp;";
    let rest = window.get(at + 1..end).unwrap_or_default();
    let len = memchr(b';', rest.as_bytes()).ok_or((syntax(BARE), at))?;
    let name = rest.get(..len).unwrap_or_default();
    match name {
        "amp" => out.push('&'),
        "lt" => out.push('<'),
        "gt" => out.push('>'),
        "quot" => out.push('"'),
        "apos" => out.push('\''),
        _ => match name.strip_prefix('#') {
            Some(number) => {
                const NONE: &str = "a character reference that is not a number";
                match character(number).ok_or((syntax(NONE), at))? {
                    Ok(c) => out.push(c),
                    Err(code) => {
                        note(found, NoticeKind::ForbiddenCharacter(code), at);
                        out.push('\u{fffd}');
                    }
                }
            }
            None if is_name(name) => {
                note(found, NoticeKind::UndefinedEntity(name.to_owned()), at);
                out.push_str(window.get(at..at + len + 2).unwrap_or_default());
            }
            None => return Err((syntax(BARE), at)),
        },
    }
    Ok(at + len + 2)
}

/// The same written so that others read it as we do: references to what nobody defined, and to characters that XML forbids,
/// become the text they are read as. `None`: it is so already. For what was read without an error.
pub(super) fn mended(written: &str) -> Option<String> {
    // Each reference grows by four bytes at most; a text of nothing else may be long, so room is made once.
    let n_references = memchr_iter(b'&', written.as_bytes()).count();
    let mut out = String::new();
    let mut from = 0;
    for at in memchr_iter(b'&', written.as_bytes()) {
        let rest = written.get(at + 1..).unwrap_or_default();
        let Some(name) = memchr(b';', rest.as_bytes()).and_then(|len| rest.get(..len)) else {
            continue;
        };
        let with = match name.strip_prefix('#') {
            None if matches!(name, "amp" | "lt" | "gt" | "quot" | "apos") => continue,
            None => format!("&amp;{name};"),
            Some(number) => match character(number) {
                Some(Ok(_)) => continue,
                _ => "\u{fffd}".to_owned(),
            },
        };
        if from == 0 {
            out.reserve_exact(written.len() + 4 * n_references);
        }
        out.push_str(written.get(from..at).unwrap_or_default());
        out.push_str(&with);
        from = at + name.len() + 2;
    }
    if from == 0 {
        return None;
    }
    out.push_str(written.get(from..).unwrap_or_default());
    Some(out)
}

/// The character of a reference's number, or its code where XML forbids it; `None`: it is no number.
fn character(number: &str) -> Option<Result<char, u32>> {
    let code = match number.strip_prefix('x') {
        Some(hex) => parse_code(hex, 16),
        None => parse_code(number, 10),
    }?;
    let allowed = char::from_u32(code).filter(|&c| !is_forbidden(c));
    Some(allowed.ok_or(code))
}

/// The number, or the largest one where it does not fit: both ends are no character.
fn parse_code(digits: &str, radix: u32) -> Option<u32> {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    Some(u32::from_str_radix(digits, radix).unwrap_or(u32::MAX))
}

/// Keeps one notice a kind and piece of text: hostile input must not fill memory with complaints.
pub(super) fn note(found: &mut Vec<Found>, kind: NoticeKind, at: usize) {
    if found.len() < 64 && !found.iter().any(|(known, _)| *known == kind) {
        found.push((kind, at));
    }
}

/// Whether XML 1.0 forbids the character.
pub(crate) fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// How much of an unfinished piece of text may be given away: nothing that could be the start of a reference, of a line
/// end of two characters or of `]]>`.
pub(super) fn safe_cut(text: &[u8], longest_reference: usize) -> usize {
    let mut end = text.len();
    if let Some(at) = memchr::memrchr(b'&', text)
        && text.len() - at <= longest_reference
        && memchr(b';', text.get(at..).unwrap_or_default()).is_none()
    {
        end = at;
    }
    for _ in 0..2 {
        if matches!(text.get(..end), Some([.., b']' | b'\r'])) {
            end -= 1;
        }
    }
    end
}
