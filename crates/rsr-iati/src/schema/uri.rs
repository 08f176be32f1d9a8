//! Web addresses as libxml2 reads `xsd:anyURI`.
//!
//! Characters that no address may hold but people write (such as `<`, `"`, `\` and everything outside ASCII) count as
//! if they were escaped. What remains has to be an RFC 3986 reference: so a space inside or a `%` without two
//! hexadecimal digits is refused.
//! **Source:** RFC 3986, appendix A; compared with xmllint 2.9.14.

/// Whether the text, without white space around it, is an address or a part of one. Nothing at all is one.
pub(super) fn is_reference(text: &str) -> bool {
    let text = text.as_bytes();
    absolute(text) || relative(text)
}

fn absolute(text: &[u8]) -> bool {
    let length = text
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        .count();
    text.first().is_some_and(u8::is_ascii_alphabetic)
        && text
            .split_at_checked(length)
            .and_then(|(_, rest)| rest.strip_prefix(b":"))
            .is_some_and(after_scheme)
}

fn after_scheme(text: &[u8]) -> bool {
    let (path, tail) = split(text);
    tail && match path.strip_prefix(b"//") {
        Some(rest) => authority_and_path(rest),
        None => !path.starts_with(b"//") && segments(path),
    }
}

fn relative(text: &[u8]) -> bool {
    let (path, tail) = split(text);
    tail && match path.strip_prefix(b"//") {
        Some(rest) => authority_and_path(rest),
        // A colon in the first part would make it a scheme.
        None => {
            segments(path)
                && !path
                    .split(|b| *b == b'/')
                    .next()
                    .unwrap_or_default()
                    .contains(&b':')
        }
    }
}

/// The part before `?` and `#`, and whether the parts after are good.
fn split(text: &[u8]) -> (&[u8], bool) {
    let (rest, fragment) = match text.iter().position(|b| *b == b'#') {
        Some(place) => (
            text.get(..place).unwrap_or_default(),
            text.get(place + 1..).unwrap_or_default(),
        ),
        None => (text, &[][..]),
    };
    let (path, query) = match rest.iter().position(|b| *b == b'?') {
        Some(place) => (
            rest.get(..place).unwrap_or_default(),
            rest.get(place + 1..).unwrap_or_default(),
        ),
        None => (rest, &[][..]),
    };
    let good = escaped(query, |b| is_path(b) || matches!(b, b'/' | b'?'))
        && escaped(fragment, |b| {
            is_path(b) || matches!(b, b'/' | b'?' | b'[' | b']')
        });
    (path, good)
}

fn authority_and_path(text: &[u8]) -> bool {
    let end = text.iter().position(|b| *b == b'/').unwrap_or(text.len());
    let (authority, path) = text.split_at_checked(end).unwrap_or((text, &[]));
    segments(path) && self::authority(authority)
}

fn authority(text: &[u8]) -> bool {
    let host = match text.iter().position(|b| *b == b'@') {
        Some(place)
            if escaped(text.get(..place).unwrap_or_default(), |b| {
                is_plain(b) || b == b':'
            }) =>
        {
            text.get(place + 1..).unwrap_or_default()
        }
        _ => text,
    };
    let port = if host.starts_with(b"[") {
        match host.iter().position(|b| *b == b']') {
            Some(place) => host.get(place + 1..).unwrap_or_default(),
            None => return false,
        }
    } else {
        let end = host.iter().position(|b| *b == b':').unwrap_or(host.len());
        let (name, port) = host.split_at_checked(end).unwrap_or((host, &[]));
        if !escaped(name, is_plain) {
            return false;
        }
        port
    };
    match port.strip_prefix(b":") {
        Some(digits) => digits.iter().all(u8::is_ascii_digit),
        None => port.is_empty(),
    }
}

fn segments(path: &[u8]) -> bool {
    escaped(path, |b| is_path(b) || b == b'/')
}

/// Whether every byte is allowed or part of a `%` with two hexadecimal digits.
fn escaped(text: &[u8], allowed: impl Fn(u8) -> bool) -> bool {
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [a, b, after @ ..]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => after,
            (b'%', _) => return false,
            (b, after) if allowed(*b) => after,
            _ => return false,
        };
    }
    true
}

/// Unreserved, a sub-delimiter, or something that counts as escaped.
fn is_plain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b < 0x20 || b >= 0x7f || b"-._~!$&'()*+,;=<>\"{}|\\^`".contains(&b)
}

fn is_path(b: u8) -> bool {
    is_plain(b) || matches!(b, b':' | b'@')
}
