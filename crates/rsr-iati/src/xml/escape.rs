//! Text out: what must be escaped is, what XML forbids becomes U+FFFD.

use super::text::is_forbidden;

/// Appends `text` as it stands between tags. Gives the number of forbidden characters that U+FFFD took the place of.
pub fn escape_text(text: &str, out: &mut String) -> u64 {
    escape(text, out, |b| match b {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\r' => Some("&#13;"),
        _ => None,
    })
}

/// Appends `text` as it stands between double quotes. Gives the number of forbidden characters that U+FFFD took the
/// place of.
pub fn escape_attribute(text: &str, out: &mut String) -> u64 {
    escape(text, out, |b| match b {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#9;"),
        b'\n' => Some("&#10;"),
        b'\r' => Some("&#13;"),
        _ => None,
    })
}

/// Bytes of a text that memory is asked for ahead.
const LONG: usize = 64 * 1024;

fn escape(text: &str, out: &mut String, entity: impl Fn(u8) -> Option<&'static str>) -> u64 {
    let bytes = text.as_bytes();
    if bytes.len() > LONG {
        // With room for the end tags, which would otherwise double what is held.
        out.reserve(bytes.len() + LONG);
    }
    // Almost all text is plain. Looking at all of it without a branch is fast.
    let is_special = |b: u8| b < b' ' || matches!(b, b'&' | b'<' | b'>' | b'"' | 0xef);
    if !bytes.iter().fold(false, |any, &b| any | is_special(b)) {
        out.push_str(text);
        return 0;
    }
    let mut replaced = 0;
    let mut from = 0;
    for (i, &b) in bytes.iter().enumerate() {
        // Everything special is one byte, but U+FFFE and U+FFFF, which begin with 0xEF.
        if b > b'>' && b != 0xef {
            continue;
        }
        let (with, len) = match entity(b) {
            Some(entity) => (entity, 1),
            None => match b {
                b'\t' | b'\n' | b' '..=b'>' => continue,
                _ => match text.get(i..).and_then(|rest| rest.chars().next()) {
                    Some(c) if is_forbidden(c) => {
                        replaced += 1;
                        ("\u{fffd}", c.len_utf8())
                    }
                    _ => continue,
                },
            },
        };
        out.push_str(text.get(from..i).unwrap_or_default());
        out.push_str(with);
        from = i + len;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    replaced
}
